/**
 * The actor kernel of one node: starts the tree, carries messages, does what actors ask for, and lets itself be
 * looked at. Read `host.ts` next (lives), then `router.ts` (turns) and `perform.ts` (effects).
 *
 * The life of a message: `send` → bounded mailbox → a turn → the chart's step → effects in the outbox → committed?
 * then they are performed, thrown? then they are dropped and the supervisor hears of the exit.
 */
import type { AnyStateMachine } from 'xstate';
import type { Message, NodeEvent } from '../../protocols/effects.ts';
import { coded } from '../../protocols/errors.ts';
import type { ActorDirectory, Frame } from '../../protocols/inspection.ts';
import { limits } from '../../protocols/limits.ts';
import type { Clock, Ports, Random } from '../../protocols/ports.ts';
import type { ChildSpec, ExitReason } from '../../protocols/supervision/child-spec.ts';
import { parseTarget, type Target } from '../../protocols/wire/address.ts';
import { Asks } from './asks.ts';
import { Calls } from './calls.ts';
import { Cell } from './cell.ts';
import { createDirectory } from './directory.ts';
import { Host } from './host.ts';
import { flush, type Hands } from './perform.ts';
import { Recorder, type DeadLetter } from './recorder.ts';
import { openRemote, type AskHere, type RemoteOptions } from './remote/remote.ts';

export interface KernelOptions {
  readonly node: string;
  /** Boot epoch, from the journal. */
  readonly boot: number;
  readonly clock: Clock;
  readonly random: Random;
  /** Those that its actors use. */
  readonly ports: Partial<Ports>;
  /** By the names that child specs use. */
  readonly machines: Readonly<Record<string, AnyStateMachine>>;
  /** The node's event log. */
  emit(event: NodeEvent): void;
  /** Every frame from the first one on. */
  readonly onFrame?: (frame: Frame) => void;
  /** The cluster, where there is one: actors of other nodes are reached by their addresses. */
  readonly remote?: RemoteOptions;
}

export interface Kernel {
  /** Once. The root lives at `/`. */
  start(root: ChildSpec): void;
  /** From outside. What cannot be delivered is a dead letter. */
  send(to: string, event: Message): void;
  /**
   * Resolves with the actor's `reply`; rejects with its refusal, or with HM-ACTOR-UNKNOWN, -TIMEOUT, -STOPPED, -OVERFLOW;
   * of another node (`hive://n2/edge/registry`) also with HM-PEER-….
   */
  ask<Value>(to: string, event: Message, timeoutMs?: number): Promise<Value>;
  readonly directory: ActorDirectory;
  /** The newest, oldest first. */
  deadLetters(): readonly DeadLetter[];
  /** Shuts the root down; resolves when the tree is gone. */
  stop(): Promise<ExitReason>;
  /** As if the process had been killed: at once, without clean-up. Calls that are under way go on unheard. */
  halt(): void;
  /** The root's end; kind `error` when it gave up. */
  readonly exited: Promise<ExitReason>;
}

export function createKernel(options: KernelOptions): Kernel {
  const { node, boot, clock } = options;
  const recorder = new Recorder(node, boot, clock, options.onFrame);
  const asks = new Asks(clock);
  const host = new Host(options, recorder, asks, (cell, effects) => flush(hands, cell, effects));
  const calls = new Calls(host, options.ports, options.random);
  const askHere: AskHere = (to, event, timeoutMs) => ask(host, asks, to, event, timeoutMs);
  const hands: Hands = { host, calls, asks, emit: (event) => options.emit(event) };
  const remote = options.remote === undefined ? undefined : openRemote(host, options.remote, askHere);
  host.abroad = remote?.send;
  calls.watchAbroad = remote?.watch;
  const exited = new Promise<ExitReason>((resolve) => {
    host.onRootEnd = resolve;
  });
  let begun = false;
  return {
    start: (root) => {
      if (begun) throw new Error('a kernel starts once');
      begun = true;
      host.open(undefined, root);
    },
    send: (to, event) => void host.deliver(to, event),
    ask: (to, event, timeoutMs = limits.askTimeoutMs) => {
      const target = to.startsWith('/') ? undefined : parseTarget(to);
      if (target === undefined || target.node === node) return askHere(to, event, timeoutMs) as never;
      return (remote?.ask ?? nobody)(target, event, timeoutMs) as never;
    },
    directory: createDirectory(host),
    deadLetters: () => recorder.deadLetters(),
    stop: () => {
      const root = host.cells.get('/');
      if (root !== undefined) host.stop(root, 'shutdown');
      else if (!begun) host.onRootEnd({ kind: 'normal' });
      void exited.then(() => remote?.close());
      return exited;
    },
    halt: () => {
      remote?.close();
      host.halt();
      host.onRootEnd({ kind: 'killed' });
    },
    exited,
  };
}

async function nobody({ node }: Target): Promise<never> {
  throw coded('HM-PEER-UNREACHABLE', `This node knows none that is called ${node}.`, { node });
}

function ask(host: Host, asks: Asks, to: string, event: Message, timeoutMs: number): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const cell = host.find(to);
    if (!(cell instanceof Cell)) {
      reject(coded('HM-ACTOR-UNKNOWN', `No actor lives at ${to}.`, { actor: to }));
      return;
    }
    const { path } = cell;
    const replyTo = asks.open(cell, event.type, timeoutMs, { resolve, reject });
    const outcome = host.deliver(path, event, undefined, replyTo);
    if (outcome === 'posted') return;
    const text = `${path} does not take ${event.type}.`;
    const refusal =
      outcome === 'overflow'
        ? coded('HM-ACTOR-OVERFLOW', `The mailbox of ${path} is full.`, { actor: path })
        : coded('HM-API-REQUEST', text, { actor: path, message: event.type });
    asks.answer(replyTo, { error: refusal.reason });
  });
}
