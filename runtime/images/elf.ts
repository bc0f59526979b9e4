/** Reads what the dynamic linker would need to start a program: its interpreter and its libraries by name. 64 bit, little endian: amd64 and arm64. */

export interface Elf {
  /** Path of the dynamic linker; absent in static programs and in libraries. */
  readonly interpreter?: string;
  /** `DT_NEEDED` entries: `libc.so.6`. */
  readonly needed: readonly string[];
}

const segmentLoad = 1;
const segmentDynamic = 2;
const segmentInterpreter = 3;
const tagNeeded = 1;
const tagStrings = 5;

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly size: number;
}

/** `undefined`: not an ELF file of this kind (a script, say). Throws RangeError on one that is cut short. */
export function readElf(bytes: Uint8Array): Elf | undefined {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (file.length < 64 || file.toString('latin1', 0, 4) !== '\x7fELF') return undefined;
  if (file[4] !== 2 || file[5] !== 1) return undefined;
  const segments = segmentsOf(file);
  const interpreter = segments.find(({ type }) => type === segmentInterpreter);
  return {
    ...(interpreter ? { interpreter: textAt(file, interpreter.offset) } : {}),
    needed: neededOf(file, segments),
  };
}

function segmentsOf(file: Buffer): Segment[] {
  const start = word(file, 32);
  const size = file.readUInt16LE(54);
  return Array.from({ length: file.readUInt16LE(56) }, (_, i) => {
    const at = start + i * size;
    return {
      type: file.readUInt32LE(at),
      offset: word(file, at + 8),
      address: word(file, at + 16),
      size: word(file, at + 32),
    };
  });
}

function neededOf(file: Buffer, segments: readonly Segment[]): string[] {
  const dynamic = segments.find(({ type }) => type === segmentDynamic);
  if (!dynamic) return [];
  const entries: [tag: number, value: number][] = [];
  for (let at = dynamic.offset; at + 16 <= dynamic.offset + dynamic.size; at += 16) {
    entries.push([word(file, at), word(file, at + 8)]);
  }
  const strings = entries.find(([tag]) => tag === tagStrings)?.[1];
  // The table's place is given as in memory; the segment that holds it says where that is in the file.
  const holder = segments.find(
    ({ type, address, size }) =>
      type === segmentLoad && strings !== undefined && strings >= address && strings < address + size,
  );
  if (strings === undefined || !holder) return [];
  const table = strings - holder.address + holder.offset;
  return entries.filter(([tag]) => tag === tagNeeded).map(([, offset]) => textAt(file, table + offset));
}

function word(file: Buffer, at: number): number {
  return Number(file.readBigUInt64LE(at));
}

function textAt(file: Buffer, at: number): string {
  const end = file.indexOf(0, at);
  if (at >= file.length || end < 0) throw new RangeError('text outside the file');
  return file.toString('latin1', at, end);
}
