/**
 * What an actor holds of the outside: timers, watches, calls to ports. Each ends with the actor, answers through
 * its mailbox, and an answer that nobody waits for any more is a dead letter.
 */
import type {
  DriveEffect,
  Message,
  ScheduleEffect,
  WatchEffect,
  WriteEffect,
} from '../../protocols/effects.ts';
import { CodedError, reason, reasonOf, type Reason } from '../../protocols/errors.ts';
import { limits } from '../../protocols/limits.ts';
import type { Call, Ports, Random, Stop } from '../../protocols/ports.ts';
import type { WatchNotice } from '../../protocols/state/model.ts';
import type { ExitReason } from '../../protocols/supervision/child-spec.ts';
import type { Target } from '../../protocols/wire/address.ts';
import type { Cell, HeldHandle } from './cell.ts';
import type { Host } from './host.ts';

interface Request {
  readonly id: string;
  readonly done: string;
  readonly failed: string;
  readonly timeoutMs: number;
  /** What it means that no answer came. */
  overdue(): Reason;
  invoke(call: Call): Promise<unknown>;
}

export class Calls {
  readonly #host: Host;
  readonly #ports: Partial<Ports>;
  readonly #random: Random;
  /** A damaged journal may count a boot again: what was asked for then must not answer what is asked for now. */
  readonly #life: string;
  /** Follows actors of other nodes, where there is a cluster. */
  watchAbroad: ((target: Target, exited: (because: ExitReason) => void) => Stop) | undefined = undefined;

  constructor(host: Host, ports: Partial<Ports>, random: Random) {
    this.#host = host;
    this.#ports = ports;
    this.#random = random;
    this.#life = random.hex(6);
  }

  /** Throws, which is the crash of the actor that wants it, where this kernel has no such port. */
  #port<Name extends keyof Ports>(name: Name): NonNullable<Ports[Name]> {
    const port = this.#ports[name];
    if (port === undefined) throw new Error(`this kernel has no port "${name}"`);
    return port;
  }

  schedule(cell: Cell, { token, delayMs, jitter = 0, event }: ScheduleEffect): void {
    const { clock } = this.#host;
    const stretched =
      jitter === 0 ? delayMs : Math.round(delayMs * (1 + jitter * (2 * this.#random.next() - 1)));
    const handle: HeldHandle = {
      kind: 'timer',
      id: token,
      live: true,
      last: true,
      release: () => clock.clearTimer(timer),
    };
    cell.hold(handle);
    const timer = clock.setTimer(Math.max(0, stretched), () => this.#host.tell(cell, event, handle));
  }

  drive(cell: Cell, { id, call, done, failed, timeoutMs }: DriveEffect): void {
    const port = this.#port(call.port) as unknown as Record<
      string,
      (args: unknown, call: Call) => Promise<unknown>
    >;
    const operation = `${call.port}.${call.op}`;
    const overdue = () => {
      const text = `${operation} did not answer within ${timeoutMs} ms.`;
      return reason('HM-RUNTIME-TIMEOUT', text, { operation, timeoutMs });
    };
    const invoke = (handed: Call) => port[call.op]!(call.args, handed);
    this.#request(cell, { id, done, failed, timeoutMs, overdue, invoke });
  }

  write(cell: Cell, { id, txn, done, failed }: WriteEffect): void {
    const store = this.#port('store');
    const invoke = (call: Call) => store.txn({ ...txn, requestId: call.key }, call);
    const overdue = () => reason('HM-STORE-UNKNOWN-OUTCOME', undefined, { timeoutMs: limits.writeMs });
    this.#request(cell, { id, done, failed, timeoutMs: limits.writeMs, overdue, invoke });
  }

  watch(cell: Cell, { id, source }: WatchEffect): void {
    if (source.of === 'actor') {
      const { node = this.#host.node, path } = source;
      if (node === this.#host.node) return this.#watchActor(cell, id, path);
      return this.#watchAbroad(cell, id, { node, path });
    }
    let stop: Stop | undefined;
    const end = (): void => {
      stop?.();
      stop = undefined;
    };
    const handle: HeldHandle = { kind: 'watch', id, live: true, last: false, release: end };
    const tell = (message: Message, last = false): void => {
      if (!handle.live || handle.last) return;
      if (last) handle.last = message;
      this.#host.tell(cell, message, handle);
      if (last) end();
    };
    cell.hold(handle);
    if (source.of === 'containers') {
      stop = this.#port('containers').events((event) => tell({ type: 'containers.changed', id, event }));
    } else {
      const { prefix, after } = source;
      stop = this.#port('store').watch({ prefix, after }, (notice) =>
        tell(storeMessage(id, notice), notice.type !== 'changed'),
      );
      // It may have ended before it could be stopped.
      if (handle.last) end();
    }
  }

  #watchActor(cell: Cell, id: string, path: Cell['path']): void {
    const target = this.#host.cells.get(path);
    const handle = {
      kind: 'watch' as const,
      id,
      live: true,
      last: true,
      tell: (exit: Message) => this.#host.tell(cell, exit, handle),
      release: () => {
        target?.watchers?.delete(handle);
      },
    };
    cell.hold(handle);
    if (target === undefined) {
      const unknown = { kind: 'error' as const, message: `no actor lives at ${path}` };
      return handle.tell({ type: 'actor.exited', id, path, reason: unknown });
    }
    target.watchers ??= new Set();
    target.watchers.add(handle);
  }

  #watchAbroad(cell: Cell, id: string, { node, path }: Target): void {
    let stop: Stop | undefined;
    const handle: HeldHandle = { kind: 'watch', id, live: true, last: true, release: () => stop?.() };
    cell.hold(handle);
    const exited = (because: ExitReason): void =>
      this.#host.tell(cell, { type: 'actor.exited', id, path, reason: because }, handle);
    if (this.watchAbroad === undefined) exited({ kind: 'error', message: `no node is called ${node}` });
    else stop = this.watchAbroad({ node, path }, exited);
  }

  #request(cell: Cell, { id, done, failed, timeoutMs, overdue, invoke }: Request): void {
    const host = this.#host;
    const { call, abort } = ownCall(`${this.#life}/${cell.address.slice('hive://'.length)}:${id}`);
    let answered = false;
    let timedOut = false;
    const handle: HeldHandle = {
      kind: 'drive',
      id,
      live: true,
      last: true,
      release: (abandoned) => {
        host.clock.clearTimer(timer);
        if (!answered && !abandoned) abort();
      },
    };
    const answer = (message: Message): void => {
      if (host.halted) return;
      if (answered || !handle.live) return host.recorder.dead(cell, cell.path, message.type, 'late');
      answered = true;
      host.clock.clearTimer(timer);
      host.tell(cell, message, handle);
    };
    const fail = (error: Reason) => answer({ type: failed, id, error });
    // What it was asked for must be let go before it is asked for again.
    cell.hold(handle);
    const timer = host.clock.setTimer(timeoutMs, () => {
      timedOut = true;
      abort();
      // A port that hears the signal may know better what became of it.
      host.clock.defer(() => {
        if (!answered && handle.live) fail(overdue());
      });
    });
    Promise.resolve(invoke(call)).then(
      (value) => answer({ type: done, id, value }),
      (thrown: unknown) => fail(timedOut && !(thrown instanceof CodedError) ? overdue() : reasonOf(thrown)),
    );
  }
}

/**
 * Most ports never look at the signal, and one costs as much as the rest of a call: it is made for who does. A property
 * of its own, so that a copy of the call has it as well.
 */
function ownCall(key: string): { readonly call: Call; abort(): void } {
  let aborted = false;
  let controller: AbortController | undefined;
  const call = {
    key,
    get signal() {
      if (controller === undefined) {
        controller = new AbortController();
        if (aborted) controller.abort();
      }
      return controller.signal;
    },
  };
  const abort = () => {
    aborted = true;
    controller?.abort();
  };
  return { call, abort };
}

function storeMessage(id: string, notice: WatchNotice): Message {
  switch (notice.type) {
    case 'changed':
      return { type: 'store.changed', id, events: notice.events, position: notice.position };
    case 'compacted':
      return { type: 'store.compacted', id, oldest: notice.oldest };
    case 'failed':
      return { type: 'store.failed', id, error: reasonOf(notice.error) };
  }
}
