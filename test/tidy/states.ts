/** STATES.md of each room: every machine in it as a Mermaid diagram, made from the machine itself. */
import { dirname } from 'node:path';
import { machines } from '../../runtime/machines.ts';
import { mermaidOf } from '../../runtime/kernel/states.ts';
import { sources } from './sources.ts';

export interface Diagram {
  /** Path from the root. */
  readonly file: string;
  readonly text: string;
}

export function diagrams(): readonly Diagram[] {
  const rooms = new Map<string, string[]>();
  for (const { path } of sources) {
    if (!path.endsWith('.machine.ts')) continue;
    const name = path.replace(/^.*\//, '').replace('.machine.ts', '');
    rooms.set(dirname(path), [...(rooms.get(dirname(path)) ?? []), name]);
  }
  return [...rooms].map(([room, names]) => ({ file: `${room}/STATES.md`, text: page(room, names.sort()) }));
}

function page(room: string, names: readonly string[]): string {
  const parts = names.flatMap((name) => {
    const machine = machines[name];
    return machine ? [`## ${name}`, '', '```mermaid', mermaidOf(machine).trim(), '```', ''] : [];
  });
  return [
    `# States of ${room}`,
    '',
    'Made from the machines by `npm run states`; a test compares.',
    '',
    ...parts,
  ].join('\n');
}
