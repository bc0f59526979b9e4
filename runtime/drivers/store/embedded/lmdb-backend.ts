/**
 * The store in one lmdb environment: rows, the history by revision, leases and who it is, all changed in the same
 * transaction, which is on disk when `write` returns (no overlapping sync). The present revision is the last of the
 * history, so that a commit touches as few pages as it can.
 */
import { statfsSync } from 'node:fs';
import { join } from 'node:path';
import { open, type Database, type RootDatabase } from 'lmdb';
import { coded, CodedError } from '../../../../protocols/errors.ts';
import type { Random } from '../../../../protocols/ports.ts';
import type { Commit, LeaseRow, Row } from '../../../../protocols/state/history.ts';
import type { StoreIdentity } from '../../../../protocols/state/model.ts';
import { finalChanges, type Backend, type Batch } from '../backend.ts';
import { corrupt, inspectDataFile } from './data-file.ts';
import * as rows from './lmdb-rows.ts';

type Table = Database<Buffer, Buffer>;

/** Bytes of history that one read answers, unless a single commit has more. */
const readBytes = 4_194_304;
/** Commits kept decoded for watches that follow: as many, and as many bytes. */
const recentCommits = 512;
const recentBytes = 2_097_152;
/** With less than this free, a failed write is called a full disk: lmdb answers a short write with EIO. */
const fullBytes = 1_048_576;

const format = 1;

export class LmdbBackend implements Backend {
  readonly identity: StoreIdentity;
  readonly #path: string;
  readonly #root: RootDatabase<Buffer, Buffer>;
  readonly #kv: Table;
  readonly #history: Table;
  readonly #leases: Table;
  readonly #meta: Table;
  #revision = 0;
  #oldest = 0;
  #recent: Commit[] = [];
  #recentSize = 0;
  /** Why nothing more is written: after an error of the disk itself, what is on it is known only to a fresh start. */
  #failed: CodedError | undefined;

  /** Throws HM-STORE-CORRUPT, HM-DATA-DIR, HM-DISK-FULL. The folder is locked by the caller. */
  constructor(folder: string, random: Random) {
    this.#path = join(folder, 'data.mdb');
    let root: RootDatabase<Buffer, Buffer> | undefined;
    try {
      const file = inspectDataFile(this.#path);
      root = open({
        path: folder,
        noSubdir: false,
        overlappingSync: false,
        keyEncoding: 'binary',
        encoding: 'binary',
        cache: false,
        maxDbs: 4,
        maxReaders: 16,
      });
      this.#root = root;
      this.#kv = this.#table('kv');
      this.#history = this.#table('history');
      this.#leases = this.#table('leases');
      this.#meta = this.#table('meta');
      this.identity = this.#begin(random);
      this.#check(file === 'suspect');
    } catch (error) {
      void root?.close();
      throw this.#openError(error);
    }
  }

  revision(): number {
    return this.#revision;
  }

  oldest(): number {
    return this.#oldest;
  }

  row(key: string): Row | undefined {
    return this.#reading(() => {
      const bytes = this.#kv.getBinary(Buffer.from(key));
      return bytes && rows.decodeRow(bytes);
    });
  }

  *rows(prefix: string, startAfter?: string): Iterable<readonly [string, Row]> {
    try {
      for (const { key, value } of this.#kv.getRange(rows.keyRange(prefix, startAfter))) {
        yield [key.toString('utf8'), rows.decodeRow(value)];
      }
    } catch (error) {
      throw corrupt(this.#path, String(error));
    }
  }

  commits(after: number, limit: number): readonly Commit[] {
    const recent = this.#recent[0];
    if (recent && after + 1 >= recent.revision) {
      return this.#recent.slice(after + 1 - recent.revision, after + 1 - recent.revision + limit);
    }
    return this.#reading(() => this.#readCommits(after, limit));
  }

  headOf(revision: number): rows.CommitHead {
    return this.#reading(() => {
      const bytes = this.#history.getBinary(rows.historyKey(revision));
      if (!bytes) throw corrupt(this.#path, `revision ${revision} is missing.`);
      return rows.decodeHead(bytes);
    });
  }

  leases(): ReadonlyMap<string, LeaseRow> {
    const leases = new Map<string, LeaseRow>();
    for (const { key, value } of this.#leases.getRange()) leases.set(key.toString(), rows.decodeLease(value));
    return leases;
  }

  write({ commits, leases }: Batch): void {
    this.#writing(() => {
      for (const commit of commits) {
        this.#history.putSync(rows.historyKey(commit.revision), rows.encodeHead(commit));
        commit.changes.forEach((change, index) =>
          this.#history.putSync(rows.historyKey(commit.revision, index + 1), rows.encodeChange(change)),
        );
      }
      for (const { key, row } of finalChanges(commits)) {
        if (row) this.#kv.putSync(Buffer.from(key), rows.encodeRow(row));
        else this.#kv.removeSync(Buffer.from(key));
      }
      for (const [id, lease] of leases) {
        if (lease) this.#leases.putSync(Buffer.from(id), rows.encodeLease(lease));
        else this.#leases.removeSync(Buffer.from(id));
      }
    });
    this.#revision = commits.at(-1)?.revision ?? this.#revision;
    this.#keepRecent(commits);
  }

  compact(through: number): void {
    const range = { start: rows.historyKey(this.#oldest + 1), end: rows.historyKey(through + 1) };
    this.#writing(() => {
      // Read to the end before anything is removed: a cursor does not survive changes under it.
      for (const key of [...this.#history.getKeys(range)]) this.#history.removeSync(key);
      this.#meta.putSync(Buffer.from('oldest'), rows.encodePlainMeta(through));
    });
    this.#oldest = through;
  }

  close(): Promise<void> {
    return this.#root.close();
  }

  #table(name: string): Table {
    return this.#root.openDB<Buffer, Buffer>({
      name,
      keyEncoding: 'binary',
      encoding: 'binary',
      cache: false,
    });
  }

  /** Who it is; a fresh store draws that first. */
  #begin(random: Random): StoreIdentity {
    const read = (name: string): unknown => {
      const bytes = this.#meta.getBinary(Buffer.from(name));
      return bytes && rows.decodePlainMeta(bytes);
    };
    if (read('format') === undefined) {
      if (this.#lastRevision() !== 0) throw corrupt(this.#path, 'it does not say what it is.');
      const fresh = { format, id: random.hex(16), epoch: 1, oldest: 0 };
      this.#root.transactionSync(() => {
        for (const [name, value] of Object.entries(fresh)) {
          this.#meta.putSync(Buffer.from(name), rows.encodePlainMeta(value));
        }
      });
    }
    if (read('format') !== format)
      throw corrupt(this.#path, `its format ${String(read('format'))} is not ours.`);
    this.#oldest = read('oldest') as number;
    this.#revision = Math.max(this.#oldest, this.#lastRevision());
    return { id: read('id') as string, epoch: read('epoch') as number };
  }

  #lastRevision(): number {
    for (const key of this.#history.getKeys({ reverse: true, limit: 1 })) return rows.revisionOfKey(key);
    return 0;
  }

  /** The ends of the history always; every page of everything when the file is suspect. */
  #check(everything: boolean): void {
    const ends = this.#revision === this.#oldest ? [] : [this.#oldest + 1, this.#revision];
    for (const revision of ends) this.headOf(revision);
    if (!everything) return;
    for (const table of [this.#kv, this.#leases, this.#meta]) table.getRange().forEach(() => undefined);
    let next = this.#oldest + 1;
    for (const { key } of this.#history.getRange()) {
      if (rows.indexOfKey(key) > 0) continue;
      if (rows.revisionOfKey(key) !== next) throw corrupt(this.#path, `revision ${next} is missing.`);
      next += 1;
    }
  }

  #readCommits(after: number, limit: number): Commit[] {
    const range = { start: rows.historyKey(after + 1), end: rows.historyKey(after + limit + 1) };
    const commits: (Commit & { readonly changes: Commit['changes'][number][] })[] = [];
    let bytes = 0;
    for (const { key, value } of this.#history.getRange(range)) {
      const revision = rows.revisionOfKey(key);
      if (rows.indexOfKey(key) > 0) {
        commits.at(-1)!.changes.push(rows.decodeChange(value));
      } else {
        if (bytes > readBytes) break;
        if (revision !== after + commits.length + 1)
          throw corrupt(this.#path, `a revision before ${revision} is missing.`);
        commits.push({ revision, ...rows.decodeHead(value), changes: [] });
      }
      bytes += value.length;
    }
    return commits;
  }

  #keepRecent(commits: readonly Commit[]): void {
    const size = ({ changes }: Commit): number =>
      changes.reduce(
        (sum, { row, before }) => sum + (row?.value.length ?? 0) + (before?.value.length ?? 0) + 200,
        0,
      );
    for (const commit of commits) {
      this.#recent.push(commit);
      this.#recentSize += size(commit);
    }
    let dropped = 0;
    while (this.#recent.length - dropped > recentCommits || this.#recentSize > recentBytes) {
      this.#recentSize -= size(this.#recent[dropped++]!);
    }
    if (dropped > 0) this.#recent = this.#recent.slice(dropped);
  }

  #reading<Value>(read: () => Value): Value {
    try {
      return read();
    } catch (error) {
      throw error instanceof CodedError ? error : corrupt(this.#path, String(error));
    }
  }

  #writing(write: () => void): void {
    if (this.#failed) throw this.#failed;
    try {
      this.#root.transactionSync(write);
    } catch (error) {
      if (this.#isFull(error)) {
        throw coded('HM-DISK-FULL', 'The store cannot be written: no space left.', { path: this.#path });
      }
      this.#failed = coded('HM-STORE-DOWN', `The disk of the store failed: ${String(error)}`, {
        path: this.#path,
      });
      throw coded('HM-STORE-UNKNOWN-OUTCOME', `The store could not be written: ${String(error)}`, {
        path: this.#path,
      });
    }
  }

  #isFull(error: unknown): boolean {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    // ENOSPC, EDQUOT, MDB_MAP_FULL.
    if (code === 28 || code === 122 || code === -30792) return true;
    if (code !== 5) return false;
    const { bavail, bsize } = statfsSync(join(this.#path, '..'));
    return bavail * bsize < fullBytes;
  }

  #openError(error: unknown): unknown {
    if (error instanceof CodedError) return error;
    const text = String(error);
    if (this.#isFull(error))
      return coded('HM-DISK-FULL', `The store cannot be opened: ${text}`, { path: this.#path });
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    // EPERM, ENOENT, EACCES, ENOTDIR, EISDIR, EROFS, by number from lmdb and by name from the file system.
    const refused = [1, 2, 13, 20, 21, 30, 'EPERM', 'ENOENT', 'EACCES', 'ENOTDIR', 'EISDIR', 'EROFS'];
    if (refused.includes(code as number)) {
      return coded('HM-DATA-DIR', `The store cannot be opened: ${text}`, { path: this.#path });
    }
    return corrupt(this.#path, text);
  }
}
