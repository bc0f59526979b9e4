/**
 * The store of this node, which takes no writes while it may not be followed. Each would bring one that was restored from an
 * older copy nearer to the revision that this node has seen, until it passed for the newest and containers were
 * stopped by it. Reads go through: what is made of them is for whoever reads to judge.
 */
import { CodedError } from '../../../protocols/errors.ts';
import type { Call, Journal, StateStore } from '../../../protocols/ports.ts';
import { doubt, seenEntry, type StoreSeen } from '../../../protocols/state/guard.ts';

/** HM-STORE-FOREIGN for every write, until it is put right or confirmed. */
export function followedStore(store: StateStore, journal: Pick<Journal, 'read'>): StateStore {
  const requireFollowed = async (call: Call): Promise<void> => {
    const [status, { entries }] = await Promise.all([
      store.status({}, call),
      journal.read({ prefix: seenEntry }, call),
    ]);
    const because = doubt(entries[seenEntry] as StoreSeen | undefined, status);
    if (because) throw new CodedError(because);
  };
  const once =
    <Args, Answer>(write: (args: Args, call: Call) => Promise<Answer>) =>
    async (args: Args, call: Call): Promise<Answer> => {
      await requireFollowed(call);
      return write(args, call);
    };
  return {
    status: (args, call) => store.status(args, call),
    get: (args, call) => store.get(args, call),
    list: (args, call) => store.list(args, call),
    watch: (args, notify) => store.watch(args, notify),
    txn: once((args, call) => store.txn(args, call)),
    grant: once((args, call) => store.grant(args, call)),
    // It writes nothing.
    keepAlive: (args, call) => store.keepAlive(args, call),
    revoke: once((args, call) => store.revoke(args, call)),
  };
}
