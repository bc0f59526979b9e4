/**
 * The bytes of a blob as messages of a content write, copied once: they are gathered behind room for the rest of the
 * message, so that what is sent is one stretch of memory, and that memory is filled again once its answer has come. With
 * a copy for each layer of the protocol a pull spends more time in the garbage collector than on its bytes.
 */
import { create, toBinary, type MessageInitShape } from '@bufbuild/protobuf';
import { WriteContentRequestSchema } from '../gen/services/content_pb.ts';

/** One message of a write: large enough that round trips do not matter, small beside gRPC's limit of 16 MiB. */
const chunkBytes = 1024 * 1024;
/** For a reference, a digest and some numbers. */
const headBytes = 1024;
/** Of field 6, `data`, which has a length before it. */
const dataTag = 0x32;
const lengthBytes = 5;

export class WriteChunk {
  readonly #bytes: Buffer;
  #length = 0;

  constructor(capacity: number) {
    this.#bytes = Buffer.allocUnsafeSlow(headBytes + capacity);
  }

  get length(): number {
    return this.#length;
  }

  get isFull(): boolean {
    return headBytes + this.#length === this.#bytes.length;
  }

  /** Takes what there is room for; answers how much. */
  take(piece: Uint8Array, from: number): number {
    const end = Math.min(piece.length, from + this.#bytes.length - headBytes - this.#length);
    this.#bytes.set(piece.subarray(from, end), headBytes + this.#length);
    this.#length += end - from;
    return end - from;
  }

  clear(): void {
    this.#length = 0;
  }

  /** `WriteContentRequest` with these fields and its bytes as `data`; good until the chunk is filled again. */
  message(fields: MessageInitShape<typeof WriteContentRequestSchema>): Uint8Array {
    const head = toBinary(WriteContentRequestSchema, create(WriteContentRequestSchema, fields));
    const length = [dataTag, ...varint(this.#length)];
    const start = headBytes - head.length - length.length;
    if (start < 0) throw new RangeError(`a head of ${head.length} bytes`);
    this.#bytes.set(head, start);
    this.#bytes.set(length, headBytes - length.length);
    return this.#bytes.subarray(start, headBytes + this.#length);
  }
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; bytes.length < lengthBytes; rest >>>= 7) {
    if (rest < 0x80) return [...bytes, rest];
    bytes.push((rest & 0x7f) | 0x80);
  }
  return bytes;
}

/**
 * A body of about `size` bytes. There are two chunks, by turns: one may be under way while the other is filled, and must
 * be done with when the one after it is asked for.
 */
export async function* inChunks(body: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<WriteChunk> {
  const another = (): WriteChunk => new WriteChunk(Math.max(1, Math.min(chunkBytes, size)));
  let chunk = another();
  let spare: WriteChunk | undefined;
  for await (const piece of body) {
    for (let at = 0; at < piece.length;) {
      at += chunk.take(piece, at);
      if (!chunk.isFull) continue;
      yield chunk;
      [chunk, spare] = [spare ?? another(), chunk];
      chunk.clear();
    }
  }
  if (chunk.length > 0) yield chunk;
}
