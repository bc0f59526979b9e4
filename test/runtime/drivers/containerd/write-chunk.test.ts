/** Messages of a content write: what containerd decodes is what was put in, whatever the sizes of the pieces. */
import { fromBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  WriteAction,
  WriteContentRequestSchema,
} from '../../../../runtime/drivers/container/containerd/gen/services/content_pb.ts';
import {
  inChunks,
  type WriteChunk,
} from '../../../../runtime/drivers/container/containerd/images/write-chunk.ts';

const chunkBytes = 1024 * 1024;
const fields = { ref: 'r'.repeat(90), total: 7n << 33n, expected: `sha256:${'a'.repeat(64)}` };

/** What a server gets, message by message: each is decoded while the next is not made yet. */
async function sent(pieces: readonly Uint8Array[], size: number) {
  async function* body() {
    yield* pieces;
  }
  const lengths: number[] = [];
  const got: Uint8Array[] = [];
  let offset = 0n;
  for await (const chunk of inChunks(body(), size)) {
    const bytes = chunk.message({ ...fields, action: WriteAction.WRITE, offset });
    const decoded = fromBinary(WriteContentRequestSchema, bytes);
    expect(decoded).toMatchObject({ ...fields, action: WriteAction.WRITE, offset });
    expect(chunk.length).toBe(decoded.data.length);
    lengths.push(chunk.length);
    got.push(Uint8Array.from(decoded.data));
    offset += BigInt(chunk.length);
  }
  return { lengths, bytes: Buffer.concat(got) };
}

const numbered = (length: number, from = 0): Buffer =>
  Buffer.from(Uint8Array.from({ length }, (_, at) => (from + at * 31) & 0xff));

test.each([
  [[0], []],
  [[1], [1]],
  [[127], [127]],
  [[128, 1], [129]],
  [[chunkBytes], [chunkBytes]],
  [
    [chunkBytes - 1, 2],
    [chunkBytes, 1],
  ],
  [[chunkBytes * 3 + 5], [chunkBytes, chunkBytes, chunkBytes, 5]],
])('pieces of %j go as messages of %j', async (sizes, lengths) => {
  const pieces = sizes.map((size, at) => numbered(size, at));
  const whole = Buffer.concat(pieces);
  const got = await sent(pieces, whole.length);
  expect(got.lengths).toEqual(lengths);
  expect(got.bytes.equals(whole)).toBe(true);
});

test('any pieces, and a size that was told wrong', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 20 }),
      fc.integer({ min: 0, max: 2_000 }),
      async (pieces, size) => {
        const { bytes } = await sent(pieces, size);
        expect(bytes.equals(Buffer.concat(pieces))).toBe(true);
      },
    ),
    { numRuns: 100 },
  );
});

test('a message stays as it is while the next chunk is filled', async () => {
  async function* body() {
    yield numbered(12);
  }
  const chunks = inChunks(body(), 4);
  const first = (await chunks.next()).value as WriteChunk;
  const message = first.message({ ...fields, action: WriteAction.WRITE });
  await chunks.next();
  expect(Buffer.from(fromBinary(WriteContentRequestSchema, message).data).equals(numbered(4))).toBe(true);
});
