/**
 * The lives of actors: they begin, hear messages, crash, end. The tree is the host's, never XState's: a child's
 * error ends the child alone, and its supervisor hears of it as a message. What an actor asks for is not done
 * here (`perform.ts`), nor who is next (`router.ts`).
 *
 * Invariants: effects of a step that threw are dropped. No actor outlives its parent. An ended actor holds nothing.
 */
import { createActor, type AnyMachineSnapshot, type AnyStateMachine, type StateValue } from 'xstate';
import type { Effect, Message, NodeEvent } from '../../protocols/effects.ts';
import { limits } from '../../protocols/limits.ts';
import type { Clock } from '../../protocols/ports.ts';
import type { ChildSpec, ExitOutput, ExitReason } from '../../protocols/supervision/child-spec.ts';
import { childPath, parseTarget, type ActorPath, type Target } from '../../protocols/wire/address.ts';
import type { Asks } from './asks.ts';
import { Cell, type AfterHandle, type CellHost, type HeldHandle } from './cell.ts';
import { Lives } from './lives.ts';
import type { Recorder } from './recorder.ts';
import { Router } from './router.ts';
import { phaseText } from './transcript.ts';

export interface HostOptions {
  readonly node: string;
  readonly boot: number;
  readonly clock: Clock;
  readonly machines: Readonly<Record<string, AnyStateMachine>>;
  emit(event: NodeEvent): void;
}

interface Heard extends Message {
  at: number;
  from?: string;
  replyTo?: string;
}

/** An actor, here or at another node. */
interface Sender {
  readonly address: string;
}

/** Where a message was meant to go, and why nobody is there. */
interface Nobody {
  readonly path: ActorPath;
  readonly incarnation: number;
  readonly why: 'no-actor' | 'old-incarnation';
  /** It is another node's to find. */
  readonly target?: Target;
}

const nobodyAt = ({ path, life }: Omit<Target, 'node'>): Nobody => ({
  path,
  incarnation: life?.incarnation ?? 0,
  why: 'no-actor',
});

const noEffects: readonly Effect[] = [];
const ignore = (): void => {};
/**
 * Machines with `perform` supplied, made once for all kernels: it finds the cell by itself. Providing it an actor would
 * cost 7 KB each, and a simulated node that boots again would learn all its charts anew.
 */
const performing = new WeakMap<AnyStateMachine, AnyStateMachine>();
/** Facts that only the kernel states. */
const kernelsOwn = /^(xstate\.|sys\.|child\.(started|ready|exited)$)/;

export class Host implements CellHost {
  readonly node: string;
  readonly boot: number;
  readonly clock: Clock;
  readonly cells = new Map<ActorPath, Cell>();
  readonly lives = new Lives();
  readonly recorder: Recorder;
  readonly #options: HostOptions;
  readonly #asks: Asks;
  readonly #router: Router;
  readonly #flush: (cell: Cell, effects: readonly Effect[]) => void;
  /** Carries messages to actors of other nodes, where there is a cluster; what becomes of one is known later. */
  abroad: ((to: Target, message: Message, from?: Sender) => void) | undefined = undefined;
  /** Called with the root's reason when the tree is gone. */
  onRootEnd: (exit: ExitReason) => void = ignore;
  halted = false;
  /** Most messages that ever waited in one lane of a mailbox. */
  fullest = 0;

  constructor(
    options: HostOptions,
    recorder: Recorder,
    asks: Asks,
    flush: (cell: Cell, effects: readonly Effect[]) => void,
  ) {
    this.node = options.node;
    this.boot = options.boot;
    this.clock = options.clock;
    this.recorder = recorder;
    this.#options = options;
    this.#asks = asks;
    this.#flush = flush;
    this.#router = new Router(options.clock, this.#turn);
  }

  /** A new life; it starts at its first turn. Throws when the place is taken or the id is no id. */
  open(parent: Cell | undefined, spec: ChildSpec): Cell {
    const path = parent === undefined ? '/' : childPath(parent.path, spec.id);
    if (parent !== undefined && (spec.id === '' || spec.id.includes('#'))) {
      throw new Error(`"${spec.id}" cannot be a child's id`);
    }
    if (this.cells.has(path)) throw new Error(`an actor lives at ${path} already`);
    const { incarnation } = this.lives.begin(path);
    const cell = new Cell(this, path, spec, incarnation, parent);
    this.cells.set(path, cell);
    if (parent !== undefined) (parent.children ??= new Map()).set(spec.id, cell);
    this.#router.wake(cell);
    return cell;
  }

  /** Into the system lane. */
  tell(cell: Cell, message: Message, handle?: HeldHandle | AfterHandle): void {
    if (cell.ended) return;
    cell.system.push({ message, from: undefined, replyTo: undefined, handle, next: undefined });
    if (cell.system.size > this.fullest) this.fullest = cell.system.size;
    this.#router.wake(cell);
  }

  /** An ordinary message to whoever lives there, or to one very life. */
  deliver(to: string, message: Message, from?: Sender, replyTo?: string): 'posted' | 'dead' | 'overflow' {
    // A bare path, most of the time.
    const cell = this.cells.get(to as ActorPath) ?? this.find(to);
    if (!(cell instanceof Cell)) {
      if (cell.target !== undefined && this.abroad !== undefined) {
        this.abroad(cell.target, message, from);
        return 'posted';
      }
      const { path, incarnation, why } = cell;
      this.recorder.dead({ path, incarnation }, to, message.type, why, from?.address);
      return 'dead';
    }
    if (isKernelsOwn(message.type)) {
      this.recorder.dead(cell, to, message.type, 'refused', from?.address);
      return 'dead';
    }
    if (cell.ordinary.size >= limits.mailboxMessages) {
      this.#overflow(cell, to, message, from);
      return 'overflow';
    }
    cell.ordinary.push({ message, from: from?.address, replyTo, handle: undefined, next: undefined });
    if (cell.ordinary.size > this.fullest) this.fullest = cell.ordinary.size;
    this.#router.wake(cell);
    return 'posted';
  }

  find(to: string): Cell | Nobody {
    if (to.startsWith('/')) {
      return this.cells.get(to as ActorPath) ?? { path: to as ActorPath, incarnation: 0, why: 'no-actor' };
    }
    const target = parseTarget(to);
    if (target === undefined) return { path: '/', incarnation: 0, why: 'no-actor' };
    return target.node === this.node ? this.findHere(target) : { ...nobodyAt(target), target };
  }

  /** Of this node. */
  findHere(target: Omit<Target, 'node'>): Cell | Nobody {
    const { path, life } = target;
    const cell = this.cells.get(path);
    if (life === undefined) return cell ?? nobodyAt(target);
    if (cell !== undefined && cell.incarnation === life.incarnation && life.boot === this.boot) return cell;
    return { ...nobodyAt(target), why: 'old-incarnation' };
  }

  stop(cell: Cell, mode: 'shutdown' | 'kill'): void {
    if (mode === 'kill') this.end(cell, { kind: 'killed' });
    else this.tell(cell, { type: 'sys.shutdown' });
  }

  /** Ends a life and everything below it; its supervisor, its watchers and who asked it hear of it. */
  end(cell: Cell, exit: ExitReason): void {
    if (cell.ended) return;
    cell.ended = true;
    for (const child of [...(cell.children?.values() ?? [])].reverse()) this.end(child, { kind: 'killed' });
    cell.actor?.stop();
    // The transcript may keep the cell for a while; its context need not live as long.
    cell.actor = undefined;
    cell.letAll(false);
    this.cells.delete(cell.path);
    this.lives.end(cell.path);
    cell.parent?.children?.delete(cell.spec.id);
    for (let left = cell.ordinary.shift(); left !== undefined; left = cell.ordinary.shift()) {
      this.recorder.dead(cell, cell.path, left.message.type, 'no-actor');
    }
    this.recorder.stopped(cell, exit);
    this.#asks.ended(cell);
    for (const watcher of cell.watchers ?? []) {
      watcher.tell({ type: 'actor.exited', id: watcher.id, path: cell.path, reason: exit });
    }
    if (cell.parent === undefined) this.onRootEnd(exit);
    else {
      const livedMs = this.clock.monotonicMs() - cell.startedMonotonicMs;
      this.#tellParent(cell, 'child.exited', { reason: exit, livedMs });
    }
  }

  /** As if the process had died: nothing is cleaned up, nobody is told, late answers find nobody. */
  halt(): void {
    this.halted = true;
    this.#router.halt();
    for (const cell of this.cells.values()) {
      cell.ended = true;
      cell.letAll(true);
      cell.actor?.stop();
    }
    this.cells.clear();
    this.#asks.endAll();
  }

  #tellParent(cell: Cell, type: string, facts: object = {}): void {
    if (cell.parent === undefined) return;
    this.tell(cell.parent, { type, id: cell.spec.id, incarnation: cell.incarnation, ...facts });
  }

  readonly #turn = (cell: Cell): void => {
    if (cell.actor === undefined) return this.#begin(cell);
    const envelope = cell.system.shift() ?? cell.ordinary.shift();
    if (envelope === undefined) return;
    const { handle, message } = envelope;
    if (handle !== undefined) {
      if (!handle.live) {
        if (handle.kind === 'drive') this.recorder.dead(cell, cell.path, message.type, 'late');
        return;
      }
      if (handle.kind === 'after') handle.live = false;
      else if (handle.last === true || handle.last === message) cell.forget(handle);
    }
    const before = cell.actor.getSnapshot() as AnyMachineSnapshot;
    const at = this.clock.now();
    // Not a spread: that gives every message a shape of its own, and XState then takes half again as long (measured).
    const event: Heard = Object.assign({ type: '', at }, message);
    event.at = at;
    if (envelope.from !== undefined) event.from = envelope.from;
    if (envelope.replyTo !== undefined) event.replyTo = envelope.replyTo;
    if (event.type === 'sys.shutdown' && !this.#hears(cell, before, event)) return;
    if (handle?.kind === 'after') handle.fire();
    else cell.actor.send(event);
    this.#settle(cell, before, event, at);
  };

  /** Who cannot hear a shutdown ends at once. */
  #hears(cell: Cell, snapshot: AnyMachineSnapshot, event: Message): boolean {
    try {
      if (snapshot.can(event)) return true;
      this.end(cell, { kind: 'shutdown' });
    } catch (thrown) {
      this.#crash(cell, thrown, event.type, snapshot.value);
    }
    return false;
  }

  #begin(cell: Cell): void {
    const { spec } = cell;
    const at = this.clock.now();
    cell.startedAt = at;
    cell.startedMonotonicMs = this.clock.monotonicMs();
    let snapshot: AnyMachineSnapshot;
    try {
      const input = { ...spec.input, self: cell.path, node: this.node, at, boot: this.boot };
      cell.actor = createActor(this.#machine(spec.machine), { input, clock: cell as never });
      // Without an observer XState would throw the error again at the top of the process.
      cell.actor.subscribe({ error: ignore });
      cell.actor.start();
      snapshot = cell.actor.getSnapshot() as AnyMachineSnapshot;
      if (snapshot.status === 'error') throw snapshot.error;
    } catch (thrown) {
      cell.outbox = undefined;
      return this.#crash(cell, thrown, 'start', '');
    }
    const effects = cell.outbox ?? noEffects;
    cell.outbox = undefined;
    this.#tellParent(cell, 'child.started');
    this.recorder.started(cell, spec.machine, snapshot, effects);
    this.#after(cell, snapshot, effects, 'start', '');
  }

  /** After a step: did it commit, what does it ask for, is it over. */
  #settle(cell: Cell, before: AnyMachineSnapshot, event: Message & { from?: string }, at: number): void {
    if (cell.actor === undefined) return;
    const after = cell.actor.getSnapshot() as AnyMachineSnapshot;
    const effects = cell.outbox ?? noEffects;
    cell.outbox = undefined;
    cell.processed += 1;
    if (after.status === 'error') return this.#crash(cell, after.error, event.type, before.value);
    this.recorder.step(cell, before, after, event, effects, at);
    if (after !== before || effects !== noEffects)
      this.#after(cell, after, effects, event.type, before.value);
  }

  #after(
    cell: Cell,
    after: AnyMachineSnapshot,
    effects: readonly Effect[],
    cause: string,
    from: StateValue,
  ): void {
    if (cell.ended) return;
    if (effects.length > 0) {
      try {
        this.#flush(cell, effects);
      } catch (thrown) {
        return this.#crash(cell, thrown, cause, from);
      }
    }
    if (cell.ended) return;
    if (!cell.ready && after.tags.has('ready')) {
      cell.ready = true;
      this.#tellParent(cell, 'child.ready');
    }
    if (after.status !== 'active') this.end(cell, exitOf(after.output));
  }

  #crash(cell: Cell, thrown: unknown, cause: string, from: StateValue): void {
    if (cell.ended) return;
    const phaseBefore = phaseText(from);
    this.recorder.crashed(cell, thrown, cause, phaseBefore);
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    const life = this.lives.of(cell.path);
    if (life !== undefined) life.lastCrash = { at: this.clock.now(), message, cause, phaseBefore };
    this.end(cell, { kind: 'error', message });
  }

  #overflow(cell: Cell, to: string, message: Message, from?: Sender): void {
    this.recorder.dead(cell, to, message.type, 'overflow', from?.address);
    const nowMs = this.clock.monotonicMs();
    if (nowMs - cell.overflowToldMs < limits.overflowEventMs) return;
    cell.overflowToldMs = nowMs;
    this.#options.emit({
      type: 'mailbox.overflowed',
      subject: cell.path,
      level: 'warning',
      message: `The mailbox of ${cell.path} is full (${limits.mailboxMessages}); messages to it are dropped.`,
      details: { mailboxMessages: limits.mailboxMessages, message: message.type },
    });
  }

  #machine(name: string): AnyStateMachine {
    const machine = this.#options.machines[name];
    if (machine === undefined) throw new Error(`no machine is named "${name}"`);
    let provided = performing.get(machine);
    if (provided === undefined) {
      provided = machine.provide({ actions: { perform: perform as never } });
      performing.set(machine, provided);
    }
    return provided;
  }
}

function isKernelsOwn(type: string): boolean {
  // Most messages need no closer look than their first letter: x, s or c.
  const initial = type.charCodeAt(0);
  return (initial === 120 || initial === 115 || initial === 99) && kernelsOwn.test(type);
}

/** The one impure action: it only writes down what is asked for. */
function perform({ self }: { self: unknown }, { effects }: { readonly effects: readonly Effect[] }): void {
  const cell = (self as { clock: unknown }).clock as Cell;
  const outbox = (cell.outbox ??= []);
  if (outbox.length + effects.length > limits.effectsPerStep) {
    throw new Error(`more than ${limits.effectsPerStep} effects in one step`);
  }
  for (const effect of effects) outbox.push(effect);
}

function exitOf(output: unknown): ExitReason {
  return (output as ExitOutput | undefined)?.exit ?? { kind: 'normal' };
}
