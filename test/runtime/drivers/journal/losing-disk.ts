/**
 * A disk in memory that behaves as badly as real ones may: bytes and names that were not synced are lost, torn or
 * overwritten at a crash; any call can be the last; space can run out in the middle of a write.
 */
import type { Random } from '../../../../protocols/ports.ts';
import type { Disk, DiskFile } from '../../../../runtime/drivers/journal/disk.ts';

interface Content {
  bytes: Buffer;
  synced: number;
}

export class LosingDisk implements Disk {
  /** Calls until the machine loses power. */
  callsLeft = Infinity;
  /** Bytes until the disk is full. */
  spaceLeft = Infinity;
  /** Syncs until one fails. */
  syncsLeft = Infinity;
  syncs = 0;
  readonly #random: Random;
  #files = new Map<string, Content>();
  /** What a crash is sure to leave, and the changes of names since: a prefix of them may be there, too. */
  #durableNames = new Map<string, Content>();
  #changes: ((names: Map<string, Content>) => void)[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  /** Power is lost and comes back. */
  crash(): void {
    const kept = this.#upTo(this.#changes.length);
    for (const change of this.#changes.slice(0, kept)) change(this.#durableNames);
    this.#files = new Map(this.#durableNames);
    this.#changes = [];
    for (const content of new Set(this.#files.values())) this.#tear(content);
    this.callsLeft = Infinity;
    this.spaceLeft = Infinity;
    this.syncsLeft = Infinity;
  }

  async read(path: string): Promise<Uint8Array | undefined> {
    await this.#call();
    const content = this.#files.get(path);
    return content && Buffer.from(content.bytes);
  }

  async create(path: string): Promise<DiskFile> {
    await this.#call();
    const content = { bytes: Buffer.alloc(0), synced: 0 };
    this.#change((names) => names.set(path, content));
    return this.#handle(content);
  }

  async open(path: string): Promise<DiskFile> {
    await this.#call();
    return this.#handle(this.#files.get(path)!);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#call();
    this.#change((names) => {
      const content = names.get(from);
      if (!content) return;
      names.set(to, content);
      names.delete(from);
    });
  }

  async remove(path: string): Promise<void> {
    await this.#call();
    this.#change((names) => names.delete(path));
  }

  async list(folder: string): Promise<readonly string[]> {
    await this.#call();
    const inside = [...this.#files.keys()].filter((path) => path.startsWith(`${folder}/`));
    return inside.map((path) => path.slice(folder.length + 1)).sort();
  }

  async syncFolder(): Promise<void> {
    await this.#call();
    this.#spendSync();
    for (const change of this.#changes) change(this.#durableNames);
    this.#changes = [];
  }

  /** Overwrite part of a file, behind everybody's back. */
  damage(path: string, mend: (bytes: Buffer) => Buffer): void {
    const content = this.#files.get(path)!;
    content.bytes = mend(Buffer.from(content.bytes));
    content.synced = content.bytes.length;
  }

  names(): string[] {
    return [...this.#files.keys()].sort();
  }

  size(path: string): number {
    return this.#files.get(path)!.bytes.length;
  }

  #handle(content: Content): DiskFile {
    return {
      append: async (bytes) => {
        const before = content.bytes;
        const add = (length: number): Buffer =>
          (content.bytes = Buffer.concat([before, bytes.subarray(0, length)]));
        try {
          await this.#call();
        } catch (error) {
          add(this.#upTo(bytes.length));
          throw error;
        }
        if (bytes.length > this.spaceLeft) {
          add(this.spaceLeft);
          this.spaceLeft = 0;
          throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
        }
        this.spaceLeft -= bytes.length;
        add(bytes.length);
      },
      sync: async () => {
        await this.#call();
        this.#spendSync();
        content.synced = content.bytes.length;
      },
      close: async () => undefined,
    };
  }

  /** After the loss of power nothing answers any more. */
  async #call(): Promise<void> {
    await Promise.resolve();
    this.callsLeft -= 1;
    if (this.callsLeft < 0) throw new Error('the power is gone');
  }

  #spendSync(): void {
    this.syncs += 1;
    this.syncsLeft -= 1;
    if (this.syncsLeft < 0) throw Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' });
  }

  #change(change: (names: Map<string, Content>) => void): void {
    change(this.#files);
    this.#changes.push(change);
  }

  #upTo(count: number): number {
    return Math.floor(this.#random.next() * (count + 1));
  }

  /** Of what was not synced a part is there, and some of that was never written. */
  #tear(content: Content): void {
    const loose = content.bytes.length - content.synced;
    const length = content.synced + this.#upTo(loose);
    content.bytes = Buffer.from(content.bytes.subarray(0, length));
    if (this.#random.next() < 0.5) {
      const from = content.synced + this.#upTo(length - content.synced);
      content.bytes.fill(0, from, from + this.#upTo(length - from));
    }
    content.synced = length;
  }
}
