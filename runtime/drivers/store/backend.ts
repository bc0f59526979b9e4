/**
 * Where a store keeps things: what `memory` and `embedded` differ in. Synchronous, because one revision is decided at
 * a time and a commit is one call. Queueing, leases, watches, retries and compaction stand above it, in `engine.ts`.
 */
import type { Change, Commit, LeaseRow, Row } from '../../../protocols/state/history.ts';
import type { StoreIdentity } from '../../../protocols/state/model.ts';

/** One group commit: all of it or nothing. Leases are the changed ones; `undefined` ended. */
export interface Batch {
  readonly commits: readonly Commit[];
  readonly leases: ReadonlyMap<string, LeaseRow | undefined>;
}

export interface Backend {
  readonly identity: StoreIdentity;
  /** Of the last commit; 0 in a fresh store. */
  revision(): number;
  /** The oldest revision that a watch may start after. */
  oldest(): number;
  row(key: string): Row | undefined;
  /** Rows with the prefix and after `startAfter`, in key order. Not held across an await. */
  rows(prefix: string, startAfter?: string): Iterable<readonly [string, Row]>;
  /**
   * Commits after a revision that is not below `oldest`, oldest first: at most `limit`, fewer when they are large, at
   * least one if there is one.
   */
  commits(after: number, limit: number): readonly Commit[];
  /** Of a revision above `oldest`: when it was made and by which request. */
  headOf(revision: number): Pick<Commit, 'at' | 'requestId'>;
  leases(): ReadonlyMap<string, LeaseRow>;
  /**
   * Durable when it returns. Throws a `CodedError`: HM-DISK-FULL and nothing was written, or
   * HM-STORE-UNKNOWN-OUTCOME, HM-STORE-CORRUPT.
   */
  write(batch: Batch): void;
  /** Forget the commits up to and including the revision. Throws as `write`. */
  compact(through: number): void;
  close(): Promise<void>;
}

/** The last change to every key of a batch: what its rows are afterwards. */
export function finalChanges(commits: readonly Commit[]): Iterable<Change> {
  return new Map(commits.flatMap(({ changes }) => changes.map((change) => [change.key, change]))).values();
}

/** Every commit after a revision that is not below `oldest`. Not held across an await. */
export function* commitsAfter(backend: Backend, revision: number): Iterable<Commit> {
  for (let after = revision; after < backend.revision();) {
    for (const commit of backend.commits(after, 256)) {
      yield commit;
      after = commit.revision;
    }
  }
}
