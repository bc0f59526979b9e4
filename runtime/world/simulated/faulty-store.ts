/**
 * A store as a node meets it over a bad network: slow, silent, down, with answers that get lost after the write took
 * effect or before, and watches that break. Behind it stands a perfect memory store, which can be exchanged.
 *
 * Invariant: it never invents or drops a write by itself; the memory store stays the oracle.
 */
import { coded, CodedError } from '../../../protocols/errors.ts';
import type { Call, Clock, Random, StateStore, Stop } from '../../../protocols/ports.ts';
import type { Txn, WatchNotice } from '../../../protocols/state/model.ts';

export interface StoreFaults {
  readonly reach: 'up' | 'down' | 'silent';
  /** Mean time a call takes. */
  readonly tookMs: number;
  /** Share of transactions whose answer is lost; half of them take effect. */
  readonly lostAnswers: number;
}

/** Beside faults: see `runtime/simulation/sites`. */
export interface StoreSites {
  /** How much later a call goes out. */
  lateMs?: () => number;
  /** A write took effect, and its answer is lost. */
  isUnknown?: () => boolean;
  /** What watches still need is gone after this notice. */
  isCompacted?: () => boolean;
}

export const soundStore: StoreFaults = { reach: 'up', tookMs: 2, lostAnswers: 0 };

export class FaultyStore implements StateStore {
  readonly #clock: Clock;
  readonly #random: Random;
  #inner: StateStore;
  #faults: StoreFaults = soundStore;
  readonly sites: StoreSites = {};
  readonly #watches = new Set<(notice: WatchNotice) => void>();
  readonly #reached = new Set<() => void>();
  /** Notices that wait while the store is silent. */
  #held: (() => void)[] = [];

  constructor(inner: StateStore, clock: Clock, random: Random) {
    this.#inner = inner;
    this.#clock = clock;
    this.#random = random;
  }

  get faults(): StoreFaults {
    return this.#faults;
  }

  set faults(next: StoreFaults) {
    const before = this.#faults.reach;
    this.#faults = next;
    if (next.reach === 'down' && before !== 'down') this.breakWatches();
    for (const told of [...this.#reached]) told();
    if (next.reach === 'silent') return;
    const held = this.#held;
    this.#held = [];
    for (const tell of held) tell();
  }

  /** Another store answers from now on. Watches end. */
  exchange(inner: StateStore): void {
    this.#inner = inner;
    this.breakWatches();
  }

  breakWatches(): void {
    for (const end of [...this.#watches]) end({ type: 'failed', error: coded('HM-STORE-DOWN') });
  }

  /** As if all that the watches still need had been compacted. A store that cannot be reached now has nobody to tell. */
  async compactWatches(): Promise<void> {
    const call = { key: 'position', signal: new AbortController().signal };
    const status = await this.#inner.status({}, call).catch((thrown: unknown) => {
      if (!(thrown instanceof CodedError)) throw thrown;
    });
    if (!status) return;
    const { position } = status;
    for (const end of [...this.#watches]) end({ type: 'compacted', oldest: position });
  }

  status(args: Record<string, never>, call: Call) {
    return this.#through(call, () => this.#inner.status(args, call));
  }

  get(args: { readonly key: string }, call: Call) {
    return this.#through(call, () => this.#inner.get(args, call));
  }

  list(args: Parameters<StateStore['list']>[0], call: Call) {
    return this.#through(call, () => this.#inner.list(args, call));
  }

  async txn(args: Txn, call: Call) {
    const fate = this.#random.next();
    const { lostAnswers } = this.#faults;
    return this.#through(call, async () => {
      const lost = coded('HM-STORE-UNKNOWN-OUTCOME');
      if (fate < lostAnswers / 2) throw lost;
      // What was sent is decided there: nobody takes it back when they stop waiting.
      const result = await this.#inner.txn(args, { key: call.key, signal: new AbortController().signal });
      if (fate < lostAnswers || this.sites.isUnknown?.()) throw lost;
      return result;
    });
  }

  grant(args: { readonly ttlMs: number }, call: Call) {
    return this.#through(call, () => this.#inner.grant(args, call));
  }

  keepAlive(args: { readonly lease: string }, call: Call) {
    return this.#through(call, () => this.#inner.keepAlive(args, call));
  }

  revoke(args: { readonly lease: string }, call: Call) {
    return this.#through(call, () => this.#inner.revoke(args, call));
  }

  watch(args: Parameters<StateStore['watch']>[0], notify: (notice: WatchNotice) => void): Stop {
    if (this.#faults.reach === 'down') {
      let open = true;
      this.#clock.setTimer(1, () => open && notify({ type: 'failed', error: coded('HM-STORE-DOWN') }));
      return () => (open = false);
    }
    let stop: Stop = () => {};
    const end = (notice: WatchNotice) => {
      close();
      notify(notice);
    };
    const close = () => {
      this.#watches.delete(end);
      stop();
    };
    this.#watches.add(end);
    const pass = (notice: WatchNotice) => {
      if (!this.#watches.has(end)) return;
      if (notice.type !== 'changed') this.#watches.delete(end);
      notify(notice);
      if (notice.type === 'changed' && this.sites.isCompacted?.()) void this.compactWatches();
    };
    stop = this.#inner.watch(args, (notice) => {
      if (this.#faults.reach === 'silent') this.#held.push(() => pass(notice));
      else pass(notice);
    });
    return close;
  }

  #through<Value>(call: Call, ask: () => Promise<Value>): Promise<Value> {
    return new Promise((resolve, reject) => {
      if (this.#faults.reach === 'down') return reject(coded('HM-STORE-DOWN'));
      if (call.signal.aborted) return reject(coded('HM-STORE-UNKNOWN-OUTCOME'));
      const leave = () => {
        this.#clock.clearTimer(timer);
        this.#reached.delete(told);
        call.signal.removeEventListener('abort', abandoned);
      };
      const go = () => {
        leave();
        ask().then(resolve, reject);
      };
      const wait = () =>
        this.#clock.setTimer(
          Math.round(this.#faults.tookMs * 2 * this.#random.next()) + (this.sites.lateMs?.() ?? 0),
          arrive,
        );
      const arrive = () => {
        if (this.#faults.reach === 'up') go();
      };
      const told = () => {
        if (this.#faults.reach === 'down') {
          leave();
          return reject(coded('HM-STORE-DOWN'));
        }
        this.#clock.clearTimer(timer);
        timer = wait();
      };
      const abandoned = () => {
        leave();
        reject(coded('HM-STORE-UNKNOWN-OUTCOME'));
      };
      let timer = wait();
      this.#reached.add(told);
      call.signal.addEventListener('abort', abandoned);
    });
  }
}
