/**
 * Effects as data: the closed list of what a decision may ask for. A machine hands a list of them to its
 * one impure action, `perform`; the kernel flushes them after the step has committed and drops them when
 * the step threw. Nothing else leaves an actor.
 *
 * Invariant: an effect is plain, serialisable data; two equal decisions print as equal text.
 */
import type { Reason } from './errors.ts';
import type { DriveCall } from './ports.ts';
import type { Txn } from './state/model.ts';
import type { ChildSpec } from './supervision/child-spec.ts';
import type { ActorPath } from './wire/address.ts';

/**
 * A message between actors. `type` is dotted: noun.past-participle (fact), noun.verb (command), noun.due (timer).
 * On delivery the kernel adds `at` (world time, ms since 1970), `from` (the sender's full address, when an actor
 * sent it) and, on an `ask`, `replyTo`: hand it back in a `reply` effect.
 */
export interface Message {
  readonly type: string;
  readonly [field: string]: unknown;
}

/**
 * To whoever lives at a path now (`/edge/registry`, at another node `hive://n2/edge/registry`), or to one very life
 * (`hive://…#4.1`). What actors of other nodes may be sent stands in `wire/catalogue.ts`.
 */
export interface SendEffect {
  readonly do: 'send';
  readonly to: string;
  readonly event: Message;
}

/**
 * Follow something until the actor ends or cancels the id.
 * `actor` → `actor.exited {id, path, reason}` once; of another node also when the node started anew, or was not reached for
 * `limits.remoteWatchMs`: then nobody knows. `store` → `store.changed {id, events, position}`,
 * `store.compacted {id, oldest}` (ended) or `store.failed {id, error}` (ended).
 * `containers` → `containers.changed {id, event}`, `containers.failed {id, error}` (ended).
 */
export interface WatchEffect {
  readonly do: 'watch';
  readonly id: string;
  readonly source:
    | { readonly of: 'actor'; readonly path: ActorPath; readonly node?: string }
    | {
        readonly of: 'store';
        readonly prefix: string;
        readonly after: { readonly epoch: number; readonly revision: number };
      }
    | { readonly of: 'containers' };
}

/** Supervisors only: start a child below oneself. Answers with `child.started`, `child.ready`, `child.exited`. */
export interface StartChildEffect {
  readonly do: 'start';
  readonly spec: ChildSpec;
}

/** Supervisors only: `shutdown` sends `sys.shutdown` (a child that cannot hear it ends at once); `kill` ends it now. */
export interface StopChildEffect {
  readonly do: 'stop';
  readonly child: string;
  readonly mode: 'shutdown' | 'kill';
}

/** Deliver `event` to oneself after `delayMs`, lengthened or shortened by chance by up to `jitter` (0–1) of it. A token names one timer: scheduling it again moves it. */
export interface ScheduleEffect {
  readonly do: 'schedule';
  readonly token: string;
  readonly delayMs: number;
  readonly jitter?: number;
  readonly event: Message;
}

/** End a timer, a watch or a drive of one's own by token or id; unknown ones are ignored. */
export interface CancelEffect {
  readonly do: 'cancel';
  readonly token: string;
}

/**
 * Call a port. Answers `{type: done, id, value}` or `{type: failed, id, error: Reason}`. The port gets `key`
 * as its idempotency key and a signal that fires when the actor ends or `timeoutMs` has passed (then `failed`
 * with HM-RUNTIME-TIMEOUT unless the port answered something better).
 */
export interface DriveEffect {
  readonly do: 'drive';
  readonly id: string;
  readonly call: DriveCall;
  readonly done: string;
  readonly failed: string;
  readonly timeoutMs: number;
}

/** Commit a transaction to the store. Answers `{type: done, id, value: TxnResult}` or `{type: failed, id, error}`. The id is the request id: a retry is safe. */
export interface WriteEffect {
  readonly do: 'write';
  readonly id: string;
  readonly txn: Omit<Txn, 'requestId'>;
  readonly done: string;
  readonly failed: string;
}

/** Answer an `ask`. */
export interface ReplyEffect {
  readonly do: 'reply';
  readonly to: string;
  readonly value?: unknown;
  readonly error?: Reason;
}

/** Tell the outside: one entry of the node's event log (`hivemind events`). */
export interface EmitEffect {
  readonly do: 'emit';
  readonly event: NodeEvent;
}

/** An entry of the event log. `subject` is what it is about: an app, slot, container, node or actor path. */
export interface NodeEvent {
  readonly type: string;
  readonly subject: string;
  readonly level: 'info' | 'warning' | 'error';
  readonly message: string;
  readonly reason?: Reason;
  /** The same facts for programs. */
  readonly details?: Readonly<Record<string, string | number | boolean>>;
}

export type Effect =
  | SendEffect
  | WatchEffect
  | StartChildEffect
  | StopChildEffect
  | ScheduleEffect
  | CancelEffect
  | DriveEffect
  | WriteEffect
  | ReplyEffect
  | EmitEffect;

/** A decision: the next value and what is asked for. */
export type Decision<Value> = readonly [Value, readonly Effect[]];

export function send(to: string, event: Message): SendEffect {
  return { do: 'send', to, event };
}

/** `answer` names the pair of answers: `container.created` and, on failure, what `failed` says. */
export function drive(
  id: string,
  call: DriveCall,
  answer: { readonly done: string; readonly failed: string },
  timeoutMs: number,
): DriveEffect {
  return { do: 'drive', id, call, done: answer.done, failed: answer.failed, timeoutMs };
}

export function schedule(token: string, delayMs: number, event: Message, jitter = 0): ScheduleEffect {
  return { do: 'schedule', token, delayMs, event, jitter };
}

export function emit(
  type: string,
  subject: string,
  message: string,
  problem?: Reason,
  level?: NodeEvent['level'],
): EmitEffect {
  return {
    do: 'emit',
    event: {
      type,
      subject,
      message,
      level: level ?? (problem ? 'warning' : 'info'),
      ...(problem ? { reason: problem } : {}),
    },
  };
}
