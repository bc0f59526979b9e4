/** House rule: one machine, one file, one diagram; the phase stands in the chart and nowhere else. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AnyStateMachine } from 'xstate';
import { describe, expect, test } from 'vitest';
import { machines } from '../../runtime/machines.ts';
import { root, sources, told } from './sources.ts';
import { diagrams } from './states.ts';

const files = sources.filter(({ path }) => path.endsWith('.machine.ts'));

test('a machine file exports one machine, made by setup, with names in its chart', () => {
  const violations = files.flatMap(({ path, text }) => {
    const exported = text.match(/^export const \w+Machine = setup\(/gm) ?? [];
    const chart = text.slice(text.indexOf('.createMachine('));
    const inline = /(?:actions|guard|entry|exit):\s*(?:\(|\[?\s*\(|async|function)/.exec(chart);
    return [
      ...(exported.length === 1
        ? []
        : [`${path}:1  exports ${exported.length} machines made by setup — one a file`]),
      ...(inline ? [`${path}:1  has code in its chart (${inline[0]}) — name it in setup`] : []),
    ];
  });
  expect(told(violations)).toBe('');
});

test('every machine has a name in runtime/machines.ts', () => {
  const violations = files
    .map(({ path }) => path.replace(/^.*\//, '').replace('.machine.ts', ''))
    .filter((name) => !(name in machines))
    .map((name) => `runtime/machines.ts:1  lacks ${name} — child specs name machines there`);
  expect(told(violations)).toBe('');
});

describe('a context holds no phase', () => {
  test.each(Object.entries(machines))('%s', (name, machine) => {
    const context = contextOf(machine);
    const phases = Object.keys(context).filter((key) => ['state', 'status', 'phase'].includes(key));
    expect(told(phases.map((key) => `${name}: "${key}" in its context — make it a state of the chart`))).toBe(
      '',
    );
  });
});

/** A fresh context; machines that need an input get the least one. */
function contextOf(machine: AnyStateMachine): object {
  const { context } = machine.config as { context?: unknown };
  if (typeof context !== 'function') return (context as object | undefined) ?? {};
  const anything: unknown = new Proxy(() => anything, {
    get: (_target, key) =>
      key === Symbol.iterator
        ? [][Symbol.iterator]
        : key === Symbol.toPrimitive
          ? () => '10.42.0.0/16'
          : key === 'split'
            ? () => ['10.42.0.0', '16']
            : anything,
    ownKeys: () => ['prototype'],
  });
  try {
    return (context as (args: unknown) => object)({ input: anything });
  } catch {
    return {};
  }
}

describe('STATES.md equals the machines', () => {
  test.each(diagrams().map(({ file, text }) => [file, text] as const))('%s', (file, text) => {
    const path = join(root, file);
    const present = existsSync(path) ? readFileSync(path, 'utf8') : '';
    expect(present === text, `${file} is not what the machines say — npm run states, and read the diff`).toBe(
      true,
    );
  });
});
