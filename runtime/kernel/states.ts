/**
 * A machine as a Mermaid state diagram, for STATES.md: states, transitions with event and guard, time-outs with
 * their delay, tags. Drawn from the machine itself, so it cannot lie; the same machine always gives the same text.
 */
import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from 'xstate';

export function mermaidOf(machine: AnyStateMachine): string {
  const lines = ['stateDiagram-v2'];
  drawInside(machine.root, lines, 1);
  for (const transition of transitionsOf(machine.root)) lines.push(...arrows(machine.root, transition, 1));
  return lines.join('\n');
}

function drawInside(node: AnyStateNode, lines: string[], depth: number): void {
  const indent = '  '.repeat(depth);
  const children = Object.values(node.states);
  const initial = node.config.initial;
  if (typeof initial === 'string') lines.push(`${indent}[*] --> ${nameOf(node.states[initial]!)}`);
  children.forEach((child, at) => {
    // Regions of a parallel state stand side by side.
    if (node.type === 'parallel' && at > 0) lines.push(`${indent}--`);
    drawState(child, lines, depth);
  });
  for (const child of children) {
    for (const transition of transitionsOf(child)) lines.push(...arrows(child, transition, depth));
    if (child.type === 'final') lines.push(`${indent}${nameOf(child)} --> [*]`);
  }
}

function drawState(node: AnyStateNode, lines: string[], depth: number): void {
  const indent = '  '.repeat(depth);
  const label = node.tags.length === 0 ? node.key : `${node.key} (${[...node.tags].sort().join(', ')})`;
  lines.push(`${indent}state "${label}" as ${nameOf(node)}`);
  if (Object.keys(node.states).length === 0) return;
  lines.push(`${indent}state ${nameOf(node)} {`);
  drawInside(node, lines, depth + 1);
  lines.push(`${indent}}`);
}

/** Own ones, in the order they are tried: eventless, by event, time-outs. */
function transitionsOf(node: AnyStateNode): AnyTransitionDefinition[] {
  return [...(node.always ?? []), ...[...node.transitions.values()].flat()];
}

function arrows(node: AnyStateNode, transition: AnyTransitionDefinition, depth: number): string[] {
  const indent = '  '.repeat(depth);
  const label = labelOf(transition);
  const source = node.parent === undefined ? undefined : nameOf(node);
  // Without a target it happens inside the state; the root has no box to show that in.
  const targets = transition.target ?? [];
  if (targets.length > 0) {
    return targets.map((target) => `${indent}${source ?? '[*]'} --> ${nameOf(target)} : ${label}`);
  }
  return source === undefined
    ? [`${indent}%% anywhere: ${label}`]
    : [`${indent}${source} --> ${source} : ${label}`];
}

function labelOf({ eventType, guard, actions }: AnyTransitionDefinition): string {
  const guarded = guard === undefined ? '' : ` [${guardName(guard)}]`;
  const named = actions.map(actionName).filter((name) => name !== '');
  return `${causeOf(eventType)}${guarded}${named.length === 0 ? '' : ` / ${named.join(', ')}`}`;
}

/** `xstate.after.retry.slot.backoff` is `after retry`. */
function causeOf(eventType: string): string {
  if (eventType === '') return 'always';
  const delay = /^xstate\.after\.([^.]+)\./.exec(eventType);
  if (delay !== null) return /^\d+$/.test(delay[1]!) ? `after ${delay[1]} ms` : `after ${delay[1]}`;
  return eventType.startsWith('xstate.done') ? 'done' : eventType;
}

function guardName(guard: unknown): string {
  if (typeof guard === 'string') return guard;
  const { type, name } = guard as { type?: string; name?: string };
  return type ?? name ?? 'guard';
}

function actionName(action: unknown): string {
  if (typeof action === 'string') return action;
  const { type, name } = action as { type?: string; name?: string };
  return type ?? name ?? '';
}

/** Unique in the diagram: `running_healthy`. */
function nameOf(node: AnyStateNode): string {
  return node.path.join('_').replaceAll(/[^A-Za-z0-9_]/g, '_') || 'root';
}
