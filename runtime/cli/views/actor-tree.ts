/** The supervision tree, drawn. */
import type { ActorView } from '../../../protocols/inspection.ts';
import type { ActorPath } from '../../../protocols/wire/address.ts';
import { age } from '../output/units.ts';

/** Parents before children, as the API lists them; an actor whose parent is not listed is a root of the drawing. */
export function drawTree(actors: readonly ActorView[], now: number): string[] {
  const listed = new Set(actors.map(({ path }) => path));
  const below = new Map<ActorPath | undefined, ActorView[]>();
  for (const view of actors) {
    const parent = view.parent !== undefined && listed.has(view.parent) ? view.parent : undefined;
    below.set(parent, [...(below.get(parent) ?? []), view]);
  }
  const drawn: { label: string; view: ActorView }[] = [];
  const draw = (view: ActorView, lead: string, branch: string, next: string): void => {
    const label = view.parent !== undefined && branch !== '' ? view.path.slice(childStart(view)) : view.path;
    drawn.push({ label: `${lead}${branch}${label}`, view });
    const children = below.get(view.path) ?? [];
    children.forEach((child, i) => {
      const last = i === children.length - 1;
      draw(child, `${lead}${next}`, last ? '└ ' : '├ ', last ? '  ' : '│ ');
    });
  };
  for (const root of below.get(undefined) ?? []) draw(root, '', '', '');
  const width = Math.max(0, ...drawn.map(({ label }) => label.length));
  return drawn.map(({ label, view }) => `${label.padEnd(width)}  ${summary(view, now)}`);
}

const childStart = ({ parent }: ActorView): number =>
  parent === '/' || parent === undefined ? 1 : parent.length + 1;

function summary(view: ActorView, now: number): string {
  const restarts = view.restarts > 0 ? `  ↻${view.restarts}` : '';
  const mailbox = view.mailbox > 0 ? `  mailbox ${view.mailbox}` : '';
  const crash = view.lastCrash
    ? `  ! crashed ${age(now - view.lastCrash.at)} ago: ${view.lastCrash.message}`
    : '';
  return `${view.machine}  ${view.phase}${restarts}${mailbox}${crash}`;
}
