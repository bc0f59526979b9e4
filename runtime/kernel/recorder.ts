/**
 * What happened, numbered: the one place where the kernel tells of itself. It keeps the newest entries as raw
 * references and makes frames of them only when somebody watches or asks, so that being observable costs a few
 * assignments a message.
 */
import type { AnyMachineSnapshot, StateValue } from 'xstate';
import type { Effect, Message, NodeEvent } from '../../protocols/effects.ts';
import type { Frame, KernelCounters } from '../../protocols/inspection.ts';
import { limits } from '../../protocols/limits.ts';
import type { Clock } from '../../protocols/ports.ts';
import type { ExitReason } from '../../protocols/supervision/child-spec.ts';
import type { ActorPath } from '../../protocols/wire/address.ts';
import type { Cell } from './cell.ts';
import { maskSecrets } from '../../protocols/mask.ts';
import { phaseText } from './transcript.ts';

export type DeadLetter = Extract<Frame, { type: 'message.dead' }>;

/** Each member of the union without what the recorder adds. */
type Bare<F> = F extends Frame ? Omit<F, 'at' | 'node' | 'boot' | 'seq' | 'path' | 'incarnation'> : never;

type Heard = Message & { readonly from?: string };

/**
 * A place in the ring, filled again and again: either a frame as it is, or a delivered message as raw references.
 * Neither contexts nor messages are kept.
 */
interface Slot {
  frame: Frame | undefined;
  seq: number;
  at: number;
  cell: Cell | undefined;
  from: StateValue;
  to: StateValue;
  cause: string;
  sender: string | undefined;
  handled: boolean;
  effects: readonly Effect[];
}

const noEffects: readonly Effect[] = [];

export class Recorder {
  readonly #node: string;
  readonly #boot: number;
  readonly #clock: Clock;
  readonly #listeners = new Set<(frame: Frame) => void>();
  readonly #ring: Slot[] = [];
  readonly #dead: DeadLetter[] = [];
  #seq = 0;
  readonly #counters = { delivered: 0, changed: 0, deadLetters: 0, overflowed: 0, crashes: 0, restarts: 0 };

  constructor(node: string, boot: number, clock: Clock, onFrame?: (frame: Frame) => void) {
    this.#node = node;
    this.#boot = boot;
    this.#clock = clock;
    if (onFrame !== undefined) this.#listeners.add(onFrame);
  }

  watch(listener: (frame: Frame) => void): () => void {
    // Its own closure: the same function may watch twice.
    const own = (frame: Frame) => listener(frame);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  counters(): Omit<KernelCounters, 'actors' | 'fullest'> {
    return { ...this.#counters };
  }

  deadLetters(): readonly DeadLetter[] {
    return [...this.#dead];
  }

  /** The kept frames at or below a path, newest first. */
  *newest(under: ActorPath): Generator<Frame> {
    const kept = Math.min(this.#seq, limits.transcriptLines);
    for (let back = 0; back < kept; back += 1) {
      const slot = this.#ring[(this.#seq - 1 - back) % limits.transcriptLines]!;
      const path = slot.frame?.path ?? slot.cell!.path;
      if (path === under || under === '/' || path.startsWith(`${under}/`)) yield this.#frame(slot);
    }
  }

  /** One delivered message. Called for every one: keep it lean. */
  step(
    cell: Cell,
    before: AnyMachineSnapshot,
    after: AnyMachineSnapshot,
    event: Heard,
    effects: readonly Effect[],
    at: number,
  ): void {
    this.#counters.delivered += 1;
    if (after.context !== before.context || after.value !== before.value) this.#counters.changed += 1;
    const slot = this.#slot();
    slot.frame = undefined;
    slot.at = at;
    slot.cell = cell;
    slot.from = before.value;
    slot.to = after.value;
    slot.cause = event.type;
    slot.sender = event.from;
    slot.handled = after !== before || effects.length > 0 || wasHandled(after, event);
    slot.effects = effects;
    if (this.#listeners.size > 0) this.#tell(this.#frame(slot));
  }

  started(cell: Cell, machine: string, snapshot: AnyMachineSnapshot, effects: readonly Effect[]): void {
    if (cell.incarnation > 1) this.#counters.restarts += 1;
    const phase = phaseText(snapshot.value);
    this.#add(cell, { type: 'actor.started', machine, phase, effects: maskSecrets(effects) });
  }

  crashed(cell: Cell, thrown: unknown, cause: string, phaseBefore: string): void {
    this.#counters.crashes += 1;
    const error =
      thrown instanceof Error
        ? {
            name: thrown.name,
            message: thrown.message,
            ...(thrown.stack === undefined ? {} : { stack: thrown.stack }),
          }
        : { name: 'Thrown', message: String(thrown) };
    this.#add(cell, { type: 'actor.crashed', error, cause, phaseBefore });
  }

  stopped(cell: Cell, exit: ExitReason): void {
    this.#add(cell, { type: 'actor.stopped', exit });
  }

  /** `details` of a supervisor's `supervisor.decided` event become a frame. */
  decided(cell: Cell, details: NonNullable<NodeEvent['details']>): void {
    this.#add(cell, {
      type: 'supervisor.decided',
      child: String(details['child']),
      decision: details['decision'] as Extract<Frame, { type: 'supervisor.decided' }>['decision'],
      delayMs: Number(details['delayMs']),
      restarts: Number(details['restarts']),
    });
  }

  /** `about`: where the message was meant to go, or the actor it came too late for. `sender`: its address. */
  dead(
    about: { readonly path: ActorPath; readonly incarnation: number },
    to: string,
    message: string,
    why: DeadLetter['why'],
    sender?: string,
  ): void {
    this.#counters.deadLetters += 1;
    if (why === 'overflow') this.#counters.overflowed += 1;
    const from = sender === undefined ? {} : { sender };
    const letter = this.#add(about, { type: 'message.dead', to, message, ...from, why }) as DeadLetter;
    this.#dead.push(letter);
    if (this.#dead.length > limits.deadLetters) this.#dead.shift();
  }

  #add(about: { readonly path: ActorPath; readonly incarnation: number }, bare: Bare<Frame>): Frame {
    const frame = {
      at: this.#clock.now(),
      node: this.#node,
      boot: this.#boot,
      seq: this.#seq + 1,
      path: about.path,
      incarnation: about.incarnation,
      ...bare,
    } as Frame;
    this.#keep(frame);
    return frame;
  }

  #keep(frame: Frame): void {
    this.#counters.changed += 1;
    const slot = this.#slot();
    slot.frame = frame;
    slot.cell = undefined;
    slot.effects = noEffects;
    if (this.#listeners.size > 0) this.#tell(frame);
  }

  /** The next place in the ring, numbered. */
  #slot(): Slot {
    const at = this.#seq % limits.transcriptLines;
    this.#seq += 1;
    const slot = (this.#ring[at] ??= {
      frame: undefined,
      seq: 0,
      at: 0,
      cell: undefined,
      from: '',
      to: '',
      cause: '',
      sender: undefined,
      handled: true,
      effects: noEffects,
    });
    slot.seq = this.#seq;
    return slot;
  }

  #tell(frame: Frame): void {
    for (const listener of this.#listeners) {
      try {
        listener(frame);
      } catch (defect) {
        // A watcher's defect is no actor's: it surfaces at the top, outside of the turn.
        this.#clock.defer(() => {
          throw defect;
        });
      }
    }
  }

  #frame(slot: Slot): Frame {
    if (slot.frame !== undefined) return slot.frame;
    const { seq, at, cause, sender, handled, effects } = slot;
    const { path, incarnation } = slot.cell!;
    const fromPhase = phaseText(slot.from);
    const frame = {
      at,
      node: this.#node,
      boot: this.#boot,
      seq,
      path,
      incarnation,
      type: 'actor.transitioned' as const,
      fromPhase,
      toPhase: slot.to === slot.from ? fromPhase : phaseText(slot.to),
      cause,
      handled,
      effects: effects.length === 0 ? effects : maskSecrets(effects),
    };
    return sender === undefined ? frame : Object.assign(frame, { sender });
  }
}

/**
 * A chart that took a transition without any trace cannot be told from one that took none, except by asking it
 * again. That costs as much as a step, so first the cases that need no asking.
 */
function wasHandled(snapshot: AnyMachineSnapshot, event: Heard): boolean {
  if (event.type.startsWith('after.')) return true;
  const nodes = snapshot._nodes;
  for (let at = nodes.length - 1; at >= 0; at -= 1) {
    const known = nodes[at]!.transitions.get(event.type);
    if (known === undefined) continue;
    for (const { guard } of known) if (guard === undefined) return true;
  }
  return snapshot.machine.getTransitionData(snapshot, event).length > 0;
}
