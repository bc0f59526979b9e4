/**
 * From effect to deed. Runs after a step has committed, in the order the step asked; what throws here is the
 * actor's crash. The list of effects is closed: this switch is all that an actor can do to the world.
 */
import type { Effect, NodeEvent } from '../../protocols/effects.ts';
import type { Asks } from './asks.ts';
import type { Calls } from './calls.ts';
import type { Cell } from './cell.ts';
import type { Host } from './host.ts';

export interface Hands {
  readonly host: Host;
  readonly calls: Calls;
  readonly asks: Asks;
  emit(event: NodeEvent): void;
}

export function flush(hands: Hands, cell: Cell, effects: readonly Effect[]): void {
  for (const effect of effects) {
    // A port may have brought the whole node down.
    if (cell.ended) return;
    perform(hands, cell, effect);
  }
}

function perform({ host, calls, asks, emit }: Hands, cell: Cell, effect: Effect): void {
  switch (effect.do) {
    case 'send':
      host.deliver(effect.to, effect.event, cell);
      return;
    case 'watch':
      return calls.watch(cell, effect);
    case 'start':
      supervisorsOnly(cell);
      host.open(cell, effect.spec);
      return;
    case 'stop': {
      supervisorsOnly(cell);
      const child = cell.children?.get(effect.child);
      if (child !== undefined) host.stop(child, effect.mode);
      return;
    }
    case 'schedule':
      return calls.schedule(cell, effect);
    case 'cancel':
      for (const kind of ['timer', 'watch', 'drive'] as const) cell.let(kind, effect.token);
      return;
    case 'drive':
      return calls.drive(cell, effect);
    case 'write':
      return calls.write(cell, effect);
    case 'reply':
      if (!asks.answer(effect.to, effect)) host.recorder.dead(cell, effect.to, 'reply', 'late');
      return;
    case 'emit':
      return tellOutside(host, emit, cell, effect.event);
  }
}

/** A supervisor's decisions are frames; only those that are worth a line of the event log go there too. */
function tellOutside(host: Host, emit: Hands['emit'], cell: Cell, event: NodeEvent): void {
  const decided = event.type === 'supervisor.decided' && cell.spec.type === 'supervisor';
  if (decided && event.details !== undefined) host.recorder.decided(cell, event.details);
  if (!decided || event.level !== 'info') emit(event);
}

function supervisorsOnly(cell: Cell): void {
  if (cell.spec.type !== 'supervisor') {
    throw new Error(`${cell.path} is no supervisor: it cannot start or stop children`);
  }
}
