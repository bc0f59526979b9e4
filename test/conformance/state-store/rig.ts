/**
 * What every case of the store's conformance suite stands on: one store in virtual time, shorthands for its calls, and
 * the arms that say how a driver is opened and restarted.
 */
import { afterEach } from 'vitest';
import { CodedError, type ErrorCode } from '../../../protocols/errors.ts';
import type { Call, Clock, Random, StateStore, Stop } from '../../../protocols/ports.ts';
import type {
  Compare,
  KeyValue,
  Position,
  StoreOp,
  TxnResult,
  WatchNotice,
} from '../../../protocols/state/model.ts';
import { HeapClock } from '../../../runtime/world/heap-clock.ts';
import { seededRandom } from '../../../runtime/world/seeded-random.ts';

export interface OpenedStore {
  readonly store: StateStore;
  /** Lets go of it and opens what was durable again. */
  restart(): Promise<OpenedStore>;
  close(): Promise<void>;
}

/** Opens a fresh store. */
export type StoreArm = (world: { readonly clock: Clock; readonly random: Random }) => Promise<OpenedStore>;

let calls = 0;
export const call = (key = `call-${++calls}`, signal = new AbortController().signal): Call => ({
  key,
  signal,
});

export class StoreRig {
  readonly clock = new HeapClock();
  readonly #random = seededRandom(7);
  readonly #arm: StoreArm;
  #opened!: OpenedStore;
  #requests = 0;

  constructor(arm: StoreArm) {
    this.#arm = arm;
  }

  async open(): Promise<this> {
    this.#opened = await this.#arm({ clock: this.clock, random: this.#random });
    return this;
  }

  get store(): StateStore {
    return this.#opened.store;
  }

  async restart(): Promise<void> {
    this.#opened = await this.#opened.restart();
  }

  async close(): Promise<void> {
    await this.#opened.close();
  }

  /** Lets the store do its deferred work and answers what it answered. */
  async done<Value>(answer: Promise<Value>): Promise<Value> {
    answer.catch(() => undefined);
    await this.clock.settle();
    return answer;
  }

  async refusal(answer: Promise<unknown>): Promise<ErrorCode | 'none'> {
    try {
      await this.done(answer);
      return 'none';
    } catch (error) {
      if (error instanceof CodedError) return error.reason.code;
      throw error;
    }
  }

  txn(then: readonly StoreOp[], compare: readonly Compare[] = [], requestId?: string): Promise<TxnResult> {
    const id = requestId ?? `request-${++this.#requests}`;
    return this.done(this.store.txn({ requestId: id, compare, then }, call()));
  }

  put(key: string, value: unknown, lease?: string): Promise<TxnResult> {
    return this.txn([{ op: 'put', key, value, ...(lease === undefined ? {} : { lease }) }]);
  }

  delete(key: string): Promise<TxnResult> {
    return this.txn([{ op: 'delete', key }]);
  }

  async get(key: string): Promise<KeyValue | undefined> {
    return (await this.done(this.store.get({ key }, call()))).kv;
  }

  async keys(
    prefix: string,
    rest: { limit?: number; startAfter?: string; at?: number } = {},
  ): Promise<string[]> {
    return (await this.done(this.store.list({ prefix, ...rest }, call()))).kvs.map(({ key }) => key);
  }

  async grant(ttlMs: number): Promise<string> {
    return (await this.done(this.store.grant({ ttlMs }, call()))).lease;
  }

  async position(): Promise<Position> {
    return (await this.done(this.store.status({}, call()))).position;
  }

  /** A watch that gathers; `after` a revision of the present epoch, the beginning when absent. */
  async watch(prefix: string, after = 0): Promise<{ notices: WatchNotice[]; stop: Stop }> {
    const { epoch } = await this.position();
    return this.watchFrom(prefix, { epoch, revision: after });
  }

  async watchFrom(prefix: string, after: Position): Promise<{ notices: WatchNotice[]; stop: Stop }> {
    const notices: WatchNotice[] = [];
    const stop = this.store.watch({ prefix, after }, (notice) => notices.push(notice));
    await this.clock.settle();
    return { notices, stop };
  }
}

/** `2 put a=1` / `3 delete a`, in the order of the notices. */
export function eventLines(notices: readonly WatchNotice[]): string[] {
  return notices.flatMap((notice) =>
    notice.type !== 'changed'
      ? [notice.type]
      : notice.events.map((event) =>
          event.type === 'put'
            ? `${event.kv.modRevision} put ${event.kv.key}=${JSON.stringify(event.kv.value)}`
            : `${event.modRevision} delete ${event.key}`,
        ),
  );
}

/** A fresh rig for each test of a suite, closed after it. */
export function rigs(arm: StoreArm): () => Promise<StoreRig> {
  const open: StoreRig[] = [];
  afterEach(async () => {
    for (const rig of open.splice(0)) await rig.close();
  });
  return async () => {
    const rig = await new StoreRig(arm).open();
    open.push(rig);
    return rig;
  };
}
