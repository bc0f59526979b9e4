/**
 * A disk that forgets. What was appended and not synced may be lost or torn when the machine loses power, names that
 * were not synced with their folder may come back or vanish; it can be full, slow, or fail to sync. Harsher than
 * what a kill −9 does to a real disk, on purpose: whoever survives this survives both.
 *
 * Invariant: bytes that a `sync` answered for, and names that a `syncFolder` answered for, are never lost.
 */
import type { Clock, Random } from '../../../protocols/ports.ts';
import type { Disk, DiskFile } from '../../drivers/journal/disk.ts';

interface Inode {
  bytes: Buffer;
  /** So many of them are safe. */
  synced: number;
}

export interface DiskFaults {
  readonly full: boolean;
  readonly syncFails: boolean;
  /** Mean time of a sync. */
  readonly syncMs: number;
}

export const soundDisk: DiskFaults = { full: false, syncFails: false, syncMs: 2 };

function failure(code: string): Error {
  return Object.assign(new Error(`${code}: the simulated disk`), { code });
}

export class VirtualDisk {
  readonly #clock: Clock;
  readonly #random: Random;
  #names = new Map<string, Inode>();
  #safeNames = new Map<string, Inode>();
  #session = 0;
  faults: DiskFaults = soundDisk;
  /** Beside faults, how much longer a sync takes: see `runtime/simulation/sites`. */
  lateMs: () => number = () => 0;
  /** Told of every durable change, for those who check. */
  onSync: (path: string) => void = () => {};

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** What would be there after a loss of power that loses everything it may. */
  safe(path: string): Uint8Array | undefined {
    const inode = this.#safeNames.get(path);
    return inode?.bytes.subarray(0, inode.synced);
  }

  /** Other hands put a whole file there. */
  put(path: string, text: string): void {
    const bytes = Buffer.from(text);
    const inode: Inode = { bytes, synced: bytes.length };
    this.#names.set(path, inode);
    this.#safeNames.set(path, inode);
  }

  /** Other hands take it away. */
  take(path: string): void {
    this.#names.delete(path);
    this.#safeNames.delete(path);
  }

  has(path: string): boolean {
    return this.#names.has(path);
  }

  /** Damages a byte. */
  spoil(path: string, atShare: number): void {
    const inode = this.#names.get(path);
    if (!inode) return;
    const bytes = Buffer.from(inode.bytes);
    bytes[Math.floor(bytes.length * atShare)]! ^= 1;
    inode.bytes = bytes;
  }

  /** Cuts a file off: what other hands do to a data folder. */
  truncate(path: string, toShare: number): void {
    const inode = this.#names.get(path);
    if (!inode) return;
    const length = Math.floor(inode.bytes.length * toShare);
    inode.bytes = inode.bytes.subarray(0, length);
    inode.synced = Math.min(inode.synced, length);
  }

  /** The process is killed: its calls end, what it wrote stays. */
  kill(): void {
    this.#session += 1;
  }

  /** Another disk is put in: everything is gone. */
  wipe(): void {
    this.#session += 1;
    this.#names = new Map();
    this.#safeNames = new Map();
  }

  /** Power is lost: sessions end, and chance decides what of the unsafe is kept. */
  lose(): void {
    this.#session += 1;
    const kept = this.#random.next() < 0.5 ? this.#names : this.#safeNames;
    for (const inode of new Set([...kept.values(), ...this.#safeNames.values()])) this.#tear(inode);
    this.#names = new Map(kept);
    this.#safeNames = new Map(kept);
  }

  #tear(inode: Inode): void {
    const unsafe = inode.bytes.length - inode.synced;
    if (unsafe === 0) return;
    const keep = inode.synced + Math.floor(this.#random.next() * (unsafe + 1));
    const bytes = Buffer.from(inode.bytes.subarray(0, keep));
    // A block that was never written out reads as anything.
    if (keep > inode.synced && this.#random.next() < 0.3)
      bytes[keep - 1] = Math.floor(this.#random.next() * 256);
    inode.bytes = bytes;
    inode.synced = keep;
  }

  /** The disk as one life of a node has it; calls of a life that ended are never answered. */
  mount(): Disk {
    const session = this.#session;
    const alive = <Value>(run: () => Value | Promise<Value>): Promise<Value> => {
      if (session !== this.#session) return new Promise(() => {});
      return Promise.resolve()
        .then(run)
        .then((value) => (session === this.#session ? value : new Promise<Value>(() => {})));
    };
    return {
      read: (path) => alive(() => this.#names.get(path)?.bytes),
      create: (path) =>
        alive(() => {
          if (this.faults.full) throw failure('ENOSPC');
          const inode: Inode = { bytes: Buffer.alloc(0), synced: 0 };
          this.#names.set(path, inode);
          return this.#file(path, inode, alive);
        }),
      open: (path) =>
        alive(() => {
          const inode = this.#names.get(path);
          if (!inode) throw failure('ENOENT');
          return this.#file(path, inode, alive);
        }),
      rename: (from, to) =>
        alive(() => {
          const inode = this.#names.get(from);
          if (!inode) throw failure('ENOENT');
          this.#names.delete(from);
          this.#names.set(to, inode);
        }),
      remove: (path) => alive(() => void this.#names.delete(path)),
      list: (folder) =>
        alive(() =>
          [...this.#names.keys()]
            .filter((path) => path.startsWith(`${folder}/`))
            .map((path) => path.slice(folder.length + 1))
            .sort(),
        ),
      syncFolder: () => alive(() => this.#sync(() => (this.#safeNames = new Map(this.#names)))),
    };
  }

  #file(
    path: string,
    inode: Inode,
    alive: <Value>(run: () => Value | Promise<Value>) => Promise<Value>,
  ): DiskFile {
    return {
      append: (bytes) =>
        alive(() => {
          const fits = this.faults.full ? Math.floor(this.#random.next() * bytes.length) : bytes.length;
          inode.bytes = Buffer.concat([inode.bytes, bytes.subarray(0, fits)]);
          if (fits < bytes.length || this.faults.full) throw failure('ENOSPC');
        }),
      sync: () =>
        alive(async () => {
          const length = inode.bytes.length;
          await this.#sync(() => (inode.synced = Math.max(inode.synced, length)));
          this.onSync(path);
        }),
      close: () => alive(() => {}),
    };
  }

  #sync(settle: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const session = this.#session;
      const tookMs = Math.round(this.faults.syncMs * 2 * this.#random.next()) + this.lateMs();
      this.#clock.setTimer(tookMs, () => {
        if (session !== this.#session) return;
        if (this.faults.syncFails) return reject(failure('EIO'));
        settle();
        resolve();
      });
    });
  }
}
