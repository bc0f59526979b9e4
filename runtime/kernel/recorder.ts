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

/** A delivered message as raw references. Contexts and messages are not among them, unless nothing else tells whether the chart took it. */
interface Step {
  readonly type: 'step';
  readonly seq: number;
  readonly at: number;
  readonly cell: Cell;
  readonly from: StateValue;
  readonly to: StateValue;
  readonly cause: string;
  readonly sender: string | undefined;
  readonly traceless: { readonly snapshot: AnyMachineSnapshot; readonly event: Heard } | undefined;
  readonly effects: readonly Effect[];
}

export class Recorder {
  readonly #node: string;
  readonly #boot: number;
  readonly #clock: Clock;
  readonly #listeners = new Set<(frame: Frame) => void>();
  readonly #ring: (Step | Frame)[] = [];
  readonly #dead: DeadLetter[] = [];
  #seq = 0;
  readonly #counters = { delivered: 0, deadLetters: 0, overflowed: 0, crashes: 0, restarts: 0 };

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

  counters(): Omit<KernelCounters, 'actors'> {
    return { ...this.#counters };
  }

  deadLetters(): readonly DeadLetter[] {
    return [...this.#dead];
  }

  /** The kept frames at or below a path, newest first. */
  *newest(under: ActorPath): Generator<Frame> {
    const kept = Math.min(this.#seq, limits.transcriptLines);
    for (let back = 0; back < kept; back += 1) {
      const entry = this.#ring[(this.#seq - 1 - back) % limits.transcriptLines]!;
      const path = entry.type === 'step' ? entry.cell.path : entry.path;
      if (path === under || under === '/' || path.startsWith(`${under}/`)) yield this.#frame(entry);
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
    this.#keep({
      type: 'step',
      seq: this.#seq + 1,
      at,
      cell,
      from: before.value,
      to: after.value,
      cause: event.type,
      sender: event.from,
      traceless: after === before && effects.length === 0 ? { snapshot: after, event } : undefined,
      effects,
    });
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

  /** `about`: where the message was meant to go, or the actor it came too late for. */
  dead(
    about: { readonly path: ActorPath; readonly incarnation: number },
    to: string,
    message: string,
    why: DeadLetter['why'],
  ): void {
    this.#counters.deadLetters += 1;
    if (why === 'overflow') this.#counters.overflowed += 1;
    const letter = this.#add(about, { type: 'message.dead', to, message, why }) as DeadLetter;
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

  #keep(entry: Step | Frame): void {
    this.#ring[this.#seq % limits.transcriptLines] = entry;
    this.#seq += 1;
    if (this.#listeners.size > 0) this.#tell(this.#frame(entry));
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

  #frame(entry: Step | Frame): Frame {
    if (entry.type !== 'step') return entry;
    const { seq, at, cell, from, to, cause, sender, effects } = entry;
    return {
      at,
      node: this.#node,
      boot: this.#boot,
      seq,
      path: cell.path,
      incarnation: cell.incarnation,
      type: 'actor.transitioned',
      fromPhase: phaseText(from),
      toPhase: phaseText(to),
      cause,
      ...(sender === undefined ? {} : { sender }),
      handled: wasHandled(entry),
      effects: maskSecrets(effects),
    };
  }
}

/** A chart that took a transition without any trace cannot be told from one that took none, except by asking it again. */
function wasHandled({ traceless, cause }: Step): boolean {
  if (traceless === undefined || cause.startsWith('after.')) return true;
  const { snapshot, event } = traceless;
  return snapshot.machine.getTransitionData(snapshot, event).length > 0;
}
