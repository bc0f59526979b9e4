/**
 * containerd's content store: blobs by digest. What is written belongs to a lease until labels tie it to something that
 * is kept; the labels are containerd's own (`containerd.io/gc.ref.…`), read by its garbage collector.
 */
import { status } from '@grpc/grpc-js';
import { failedWith, isGone } from '../failure.ts';
import { Content, WriteAction } from '../gen/services/content_pb.ts';
import { Leases } from '../gen/services/leases_pb.ts';
import { readBlob } from '../image-config.ts';
import type { CallLimits, Connection } from '../rpc.ts';
import type { ArchiveBlob } from './archive.ts';
import type { Descriptor, Documents } from './layout.ts';
import { inChunks } from './write-chunk.ts';

/** A lease outlives the longest import; one that a died daemon left ends by itself. */
const leaseMs = 3_600_000;

/** Runs `work` under a fresh lease: whatever it makes and nothing keeps is collected afterwards. */
export async function underLease<Result>(
  connection: Connection,
  limits: CallLimits,
  nowMs: number,
  work: (leased: CallLimits & { readonly lease: string }) => Promise<Result>,
): Promise<Result> {
  const expires = new Date(nowMs + leaseMs).toISOString().replace(/\.\d+Z$/, 'Z');
  // Its beginning and its end without the signal: an abandoned import is tidied up too. A lease that stays expires.
  const { timeoutMs } = limits;
  const unhurried = timeoutMs === undefined ? {} : { timeoutMs };
  const { lease } = await connection.unary(
    Leases.method.create,
    { labels: { 'containerd.io/gc.expire': expires } },
    unhurried,
  );
  const id = lease?.id ?? '';
  try {
    limits.signal?.throwIfAborted();
    return await work({ ...limits, lease: id });
  } finally {
    await connection.unary(Leases.method.delete, { id, sync: true }, unhurried).catch(() => {});
  }
}

/** Writes a blob; one that is there already only joins the lease. The store checks the digest again. */
export async function writeBlob(
  connection: Connection,
  leased: CallLimits & { readonly lease: string },
  blob: ArchiveBlob,
): Promise<void> {
  const ref = `${leased.lease}-${blob.digest}`;
  const frame = { ref, total: BigInt(blob.size), expected: blob.digest };
  const call = connection.bidi(Content.method.write, leased);
  const answers = call[Symbol.asyncIterator]();
  const ask = async (sent: Promise<void>): Promise<void> => {
    // One message is under way at a time, so the answer is all there is to wait for; a stream that ended says there
    // why, while sending on one may never settle.
    sent.catch(() => {});
    await answers.next();
  };
  try {
    await ask(call.send({ ...frame, action: WriteAction.STAT }));
    let offset = 0n;
    for await (const chunk of inChunks(blob.body, blob.size)) {
      await ask(call.sendBytes(chunk.message({ ...frame, action: WriteAction.WRITE, offset })));
      offset += BigInt(chunk.length);
    }
    await ask(call.send({ ...frame, action: WriteAction.COMMIT, offset }));
  } catch (error) {
    if (!failedWith(error, status.ALREADY_EXISTS)) throw error;
  } finally {
    call.end();
    await answers.return?.();
  }
}

export async function labelBlob(
  connection: Connection,
  limits: CallLimits,
  digest: string,
  labels: Readonly<Record<string, string>>,
): Promise<void> {
  const paths = Object.keys(labels).map((name) => `labels.${name}`);
  if (paths.length === 0) return;
  await connection.unary(Content.method.update, { info: { digest, labels }, updateMask: { paths } }, limits);
}

/** Labels that keep the parts of an index or a manifest while it is kept itself. */
export function keepLabels(kind: 'index' | 'manifest', parts: readonly Descriptor[]): Record<string, string> {
  return Object.fromEntries(
    parts.map(({ digest }, i) => {
      const part = kind === 'index' ? `m.${i}` : i === 0 ? 'config' : `l.${i - 1}`;
      return [`containerd.io/gc.ref.content.${part}`, digest];
    }),
  );
}

/** Documents of the store. */
export function storedDocuments(connection: Connection, limits: CallLimits): Documents {
  return async (digest) => {
    try {
      const document: unknown = JSON.parse((await readBlob(connection, digest, limits)).toString('utf8'));
      return document;
    } catch (error) {
      if (isGone(error)) return undefined;
      throw error;
    }
  };
}
