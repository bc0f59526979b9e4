/**
 * The journal's file format: records one after the other, each
 *
 *     magic 4 · length of the payload 4 · CRC-32 of length and payload 4 · payload
 *
 * with the payload `[sequence, durable, [key, value, …], [deleted key, …]]` in msgpack; values are msgpack inside it.
 * `durable` is the sequence that was safely on disk when the record was written: it tells damage to something that
 * was acknowledged (later records knew it durable) from the torn end of writes that never were.
 */
import { crc32 } from 'node:zlib';
import { limits } from '../../../protocols/limits.ts';
import { decodePlain, encodePlain } from '../../../protocols/wire/codec.ts';

export interface JournalRecord {
  /** Rises by one with each record of a file; a rewritten file goes on from where the old one was. */
  readonly sequence: number;
  /** A file is made visible whole: the records it begins with name the last of themselves. */
  readonly durable: number;
  readonly puts: readonly (readonly [key: string, value: Uint8Array])[];
  readonly deletes: readonly string[];
}

const magic = Buffer.from('HMJ1');
const headerBytes = 12;
/** Keys, lengths and the two numbers around the values, generously. */
const payloadBytes = limits.journalRecordBytes + 65_536;

/** Throws `CodecError` when the record is larger than `limits.journalRecordBytes`. */
export function encodeRecord({ sequence, durable, puts, deletes }: JournalRecord): Uint8Array {
  const payload = encodePlain([sequence, durable, puts.flat(), deletes], limits.journalRecordBytes);
  const bytes = Buffer.alloc(headerBytes + payload.length);
  bytes.set(magic);
  bytes.writeUInt32LE(payload.length, 4);
  bytes.set(payload, headerBytes);
  bytes.writeUInt32LE(checksum(bytes, payload.length), 8);
  return bytes;
}

function checksum(record: Buffer, length: number): number {
  return crc32(record.subarray(headerBytes, headerBytes + length), crc32(record.subarray(4, 8)));
}

function decodePayload(payload: Uint8Array): JournalRecord {
  const [sequence, durable, flat, deletes] = decodePlain(payload, payloadBytes) as [
    number,
    number,
    (string | Uint8Array)[],
    string[],
  ];
  const puts: [string, Uint8Array][] = [];
  for (let i = 0; i < flat.length; i += 2) puts.push([flat[i] as string, flat[i + 1] as Uint8Array]);
  return { sequence, durable, puts, deletes };
}

/** The record at an offset and the offset after it; `undefined` when no whole, undamaged one is there. */
function recordAt(file: Buffer, offset: number): { record: JournalRecord; next: number } | undefined {
  if (offset + headerBytes > file.length || !file.subarray(offset, offset + 4).equals(magic))
    return undefined;
  const length = file.readUInt32LE(offset + 4);
  const next = offset + headerBytes + length;
  if (length > payloadBytes || next > file.length) return undefined;
  const bytes = file.subarray(offset, next);
  if (checksum(bytes, length) !== bytes.readUInt32LE(8)) return undefined;
  return { record: decodePayload(bytes.subarray(headerBytes)), next };
}

export interface ReadJournal {
  /** In the order they were written. */
  readonly records: readonly JournalRecord[];
  /** `torn`: only what was never acknowledged is lost. `corrupt`: something that was may be. */
  readonly verdict: 'whole' | 'torn' | 'corrupt';
  /** Bytes that are no readable record; 0 when whole. */
  readonly lostBytes: number;
}

/** Everything readable in a journal's bytes. */
export function readRecords(bytes: Uint8Array): ReadJournal {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const before: JournalRecord[] = [];
  const after: JournalRecord[] = [];
  let records = before;
  let lostBytes = 0;
  for (let offset = 0; offset < file.length;) {
    const found = recordAt(file, offset);
    if (found) {
      records.push(found.record);
      offset = found.next;
      continue;
    }
    const magicAt = file.indexOf(magic, offset + 1);
    const resume = magicAt < 0 ? file.length : magicAt;
    lostBytes += resume - offset;
    offset = resume;
    records = after;
  }
  // A journal is never visible without its first record, and whatever a record calls durable was acknowledged.
  const last = before.at(-1)?.sequence ?? 0;
  const acknowledged = last === 0 || [...before, ...after].some(({ durable }) => durable > last);
  if (acknowledged) return { records: [...before, ...after], verdict: 'corrupt', lostBytes };
  return { records: before, verdict: lostBytes === 0 ? 'whole' : 'torn', lostBytes };
}
