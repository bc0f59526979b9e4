/**
 * The node's own durable memory: a map of plain values, kept as an append-only file. An append is answered when it is
 * on disk; appends that meet share one flush. After any failed write the file is not trusted: the next append first
 * writes a new one from what was acknowledged. Not the store: nothing here is shared between nodes.
 */
import { dirname, basename, join } from 'node:path';
import { coded, reason, type CodedError, type Reason } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import type { Clock, Journal } from '../../../protocols/ports.ts';
import { utf8Bytes } from '../../../protocols/state/order.ts';
import { CodecError, decodePlain, encodePlain } from '../../../protocols/wire/codec.ts';
import { isDiskFull, type Disk, type DiskFile } from './disk.ts';
import { encodeRecord, readRecords, type JournalRecord, type ReadJournal } from './records.ts';

export interface OpenedJournal {
  readonly journal: Journal;
  /** HM-JOURNAL-TORN or HM-JOURNAL-CORRUPT when opening had to mend something. */
  readonly recovered: readonly Reason[];
  /** Writes what waits, then lets go of the file. */
  close(): Promise<void>;
}

export interface JournalOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  /** Of the file; its folder must exist. `<path>.new` and `<path>.damaged-…` stand beside it. */
  readonly path: string;
}

interface Append {
  readonly puts: readonly (readonly [string, Uint8Array])[];
  readonly deletes: readonly string[];
  readonly resolve: (done: Record<string, never>) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Damage and a full disk are no reasons to reject: what is readable is there to read, and appends heal when the disk
 * does. Rejects with HM-DATA-DIR.
 */
export async function openJournal({ disk, clock, path }: JournalOptions): Promise<OpenedJournal> {
  try {
    const read = (await readJournal(disk, path)) ?? (await readJournal(disk, `${path}.new`, true));
    const aside = read?.verdict === 'corrupt' ? `${path}.damaged-${clock.now()}` : undefined;
    const recovered = read ? mended(read, path, aside) : [];
    const journal = new FileJournal(disk, clock, path, aside);
    try {
      await journal.load(read);
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      recovered.push(diskError(error, path).reason);
    }
    return { journal, recovered, close: () => journal.close() };
  } catch (error) {
    throw diskError(error, path);
  }
}

interface FoundJournal extends ReadJournal {
  readonly bytes: number;
  /** Under its own name, so that it can be appended to. */
  readonly inPlace: boolean;
}

/**
 * A rewritten file that is whole counts when there is no other: the damaged one was put aside just before a crash.
 * Beside another it was never finished.
 */
async function readJournal(disk: Disk, path: string, onlyWhole = false): Promise<FoundJournal | undefined> {
  const bytes = await disk.read(path);
  if (!bytes) return undefined;
  const read = readRecords(bytes);
  if (onlyWhole && (read.verdict !== 'whole' || read.records.length === 0)) return undefined;
  return { ...read, bytes: bytes.length, inPlace: !onlyWhole };
}

function mended(read: FoundJournal, path: string, aside: string | undefined): Reason[] {
  const evidence = { path, lostBytes: read.lostBytes, readableRecords: read.records.length };
  if (read.verdict === 'torn') return [reason('HM-JOURNAL-TORN', undefined, evidence)];
  if (aside === undefined) return [];
  return [reason('HM-JOURNAL-CORRUPT', undefined, { ...evidence, kept: aside })];
}

function diskError(error: unknown, path: string): CodedError {
  const text = error instanceof Error ? error.message : String(error);
  return isDiskFull(error)
    ? coded('HM-DISK-FULL', `The journal cannot be written: ${text}`, { path })
    : coded('HM-DATA-DIR', `The journal cannot be used: ${text}`, { path });
}

class FileJournal implements Journal {
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #path: string;
  /** What is acknowledged, as msgpack. */
  readonly #entries = new Map<string, Uint8Array>();
  #liveBytes = 0;
  #fileBytes = 0;
  #compactAtBytes: number = limits.journalCompactBytes;
  #sequence = 0;
  #durable = 0;
  /** Absent when the file is not to be trusted. */
  #file: DiskFile | undefined;
  #waiting: Append[] = [];
  #flushing: Promise<void> | undefined;
  #closed = false;

  /** Where the damaged file goes when the new one is ready to take its place. */
  #aside: string | undefined;

  constructor(disk: Disk, clock: Clock, path: string, aside: string | undefined) {
    this.#disk = disk;
    this.#clock = clock;
    this.#path = path;
    this.#aside = aside;
  }

  async load(found: FoundJournal | undefined): Promise<void> {
    for (const record of found?.records ?? []) {
      this.#apply(record);
      this.#sequence = Math.max(this.#sequence, record.sequence, record.durable);
    }
    this.#durable = this.#sequence;
    this.#fileBytes = found?.bytes ?? 0;
    if (found?.verdict === 'whole' && found.inPlace) this.#file = await this.#disk.open(this.#path);
    else await this.#rewrite();
  }

  async read({ prefix }: { readonly prefix: string }): Promise<{ entries: Record<string, unknown> }> {
    const entries: Record<string, unknown> = {};
    for (const [key, value] of this.#entries) {
      if (key.startsWith(prefix)) entries[key] = decodePlain(value, limits.journalRecordBytes);
    }
    return { entries };
  }

  async append({
    entries,
  }: {
    readonly entries: Readonly<Record<string, unknown>>;
  }): Promise<Record<string, never>> {
    if (this.#closed) throw coded('HM-DATA-DIR', 'The journal is closed.', { path: this.#path });
    const { puts, deletes } = this.#check(entries);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ puts, deletes, resolve, reject });
      this.#flushing ??= this.#flush();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#flushing;
    await this.#drop();
  }

  #check(entries: Readonly<Record<string, unknown>>): Pick<Append, 'puts' | 'deletes'> {
    const all = Object.entries(entries);
    const added = all.filter(([key, value]) => value !== undefined && !this.#entries.has(key)).length;
    const full = added > 0 && this.#entries.size + added > limits.journalEntries;
    if (full || this.#waiting.length >= limits.journalQueue) {
      throw coded('HM-JOURNAL-LIMIT', 'The journal is full.', { entries: this.#entries.size });
    }
    if (all.some(([key]) => key === '__proto__')) throw coded('HM-JOURNAL-LIMIT', 'No entry has this name.');
    const deletes = all.flatMap(([key, value]) => (value === undefined ? [key] : []));
    try {
      const puts = all
        .filter(([, value]) => value !== undefined)
        .map(([key, value]) => [key, encodePlain(value, limits.journalRecordBytes)] as const);
      // Encoded once in vain: what is too large must be refused alone, not with those it would share a flush with.
      encodeRecord({ sequence: Number.MAX_SAFE_INTEGER, durable: Number.MAX_SAFE_INTEGER, puts, deletes });
      return { puts, deletes };
    } catch (error) {
      if (!(error instanceof CodecError)) throw error;
      throw coded('HM-JOURNAL-LIMIT', `An entry cannot be kept: ${error.message}.`, { keys: all.length });
    }
  }

  /** Until nothing waits: everything that waits in one write and one sync. */
  async #flush(): Promise<void> {
    await new Promise<void>((resolve) => this.#clock.defer(resolve));
    while (this.#waiting.length > 0) {
      const group = this.#take();
      try {
        await this.#write(group);
        for (const { resolve } of group) resolve({});
      } catch (error) {
        for (const { reject } of group) reject(diskError(error, this.#path));
      }
      await this.#compact();
    }
    this.#flushing = undefined;
  }

  #take(): Append[] {
    let bytes = 0;
    let count = 0;
    for (const { puts } of this.#waiting) {
      bytes += puts.reduce((sum, [, value]) => sum + value.length, 0);
      if (count > 0 && bytes > limits.journalRecordBytes) break;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  async #write(group: readonly Append[]): Promise<void> {
    if (!this.#file) await this.#rewrite();
    const durable = this.#durable;
    const records = group.map(({ puts, deletes }) => ({
      sequence: ++this.#sequence,
      durable,
      puts,
      deletes,
    }));
    const bytes = Buffer.concat(records.map(encodeRecord));
    try {
      await this.#file!.append(bytes);
      await this.#file!.sync();
    } catch (error) {
      await this.#drop();
      throw error;
    }
    this.#durable = this.#sequence;
    this.#fileBytes += bytes.length;
    for (const record of records) this.#apply(record);
  }

  #apply({ puts, deletes }: JournalRecord): void {
    const size = (key: string): number => {
      const value = this.#entries.get(key);
      return value ? utf8Bytes(key) + value.length : 0;
    };
    for (const key of deletes) {
      this.#liveBytes -= size(key);
      this.#entries.delete(key);
    }
    for (const [key, value] of puts) {
      this.#liveBytes -= size(key);
      this.#entries.set(key, value);
      this.#liveBytes += size(key);
    }
  }

  /** When most of the file is history. A failure before the rename costs nothing but the try. */
  async #compact(): Promise<void> {
    if (!this.#file || this.#fileBytes < this.#compactAtBytes) return;
    if (this.#fileBytes < limits.journalGarbageRatio * this.#liveBytes) return;
    try {
      await this.#rewrite();
    } catch {
      this.#compactAtBytes = this.#fileBytes + limits.journalCompactBytes;
    }
  }

  /** A new file with what is acknowledged, in place of the old one. */
  async #rewrite(): Promise<void> {
    const fresh = `${this.#path}.new`;
    const file = await this.#disk.create(fresh);
    let bytes = 0;
    try {
      const chunks = this.#chunks();
      const durable = this.#sequence + chunks.length;
      for (const puts of chunks) {
        const encoded = encodeRecord({ sequence: ++this.#sequence, durable, puts, deletes: [] });
        await file.append(encoded);
        bytes += encoded.length;
      }
      await file.sync();
    } catch (error) {
      await file.close().catch(() => undefined);
      // Of no use, and the disk may be full.
      await this.#disk.remove(fresh).catch(() => undefined);
      throw error;
    }
    await this.#drop();
    // From here on the old file may be gone or come back: until the folder is durable, there is none to append to.
    try {
      if (this.#aside !== undefined) await this.#disk.rename(this.#path, this.#aside);
      this.#aside = undefined;
      await this.#disk.rename(fresh, this.#path);
      await this.#disk.syncFolder(dirname(this.#path));
    } catch (error) {
      await file.close().catch(() => undefined);
      throw error;
    }
    this.#file = file;
    this.#durable = this.#sequence;
    this.#fileBytes = bytes;
    this.#compactAtBytes = limits.journalCompactBytes;
  }

  /** The acknowledged map in portions of a bounded size; at least one, so that no journal is ever an empty file. */
  #chunks(): (readonly [string, Uint8Array])[][] {
    const chunks: (readonly [string, Uint8Array])[][] = [[]];
    let bytes = 0;
    for (const entry of this.#entries) {
      const size = utf8Bytes(entry[0]) + entry[1].length + 16;
      if (bytes > 0 && bytes + size > limits.journalCompactBytes) {
        chunks.push([]);
        bytes = 0;
      }
      chunks.at(-1)!.push(entry);
      bytes += size;
    }
    return chunks;
  }

  async #drop(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close().catch(() => undefined);
  }
}

/** Files that were set aside as damaged, newest last: what `doctor` names. */
export async function damagedJournals(disk: Disk, path: string): Promise<readonly string[]> {
  const folder = dirname(path);
  const prefix = `${basename(path)}.damaged-`;
  const names = await disk.list(folder);
  return names.filter((name) => name.startsWith(prefix)).map((name) => join(folder, name));
}
