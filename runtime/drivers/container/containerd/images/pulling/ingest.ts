/**
 * A blob into containerd's content store as it comes from a registry: begun where an earlier try ended, checked against
 * digest and size by the store itself, and never there before it is whole.
 */
import { status } from '@grpc/grpc-js';
import { coded } from '../../../../../../protocols/errors.ts';
import { limits } from '../../../../../../protocols/limits.ts';
import type { Clock } from '../../../../../../protocols/ports.ts';
import { failedWith } from '../../failure.ts';
import { Content, WriteAction } from '../../gen/services/content_pb.ts';
import type { CallLimits, Connection } from '../../rpc.ts';
import { inChunks } from '../write-chunk.ts';

export interface Ingest {
  readonly connection: Connection;
  readonly clock: Pick<Clock, 'setTimer' | 'clearTimer'>;
  readonly signal: AbortSignal;
  readonly lease: string;
}

export interface IngestPart {
  readonly digest: string;
  readonly size: number;
}

/** Answers whether anything had to be written. `told` gets the bytes that are there. HM-IMAGE-DIGEST. */
export async function ingest(
  { connection, clock, signal, lease }: Ingest,
  { digest, size }: IngestPart,
  read: (offset: number) => AsyncIterable<Uint8Array>,
  told: (doneBytes: number) => void = () => {},
): Promise<boolean> {
  const ref = `hivemind-pull-${digest}`;
  const silent = new AbortController();
  const leased: CallLimits = { signal: AbortSignal.any([signal, silent.signal]), lease };
  const call = connection.bidi(Content.method.write, leased);
  const answers = call[Symbol.asyncIterator]();
  const ask = async (sent: Promise<void>) => {
    const timer = clock.setTimer(limits.imageImportMs, () => silent.abort());
    sent.catch(() => {});
    try {
      return await answers.next();
    } finally {
      clock.clearTimer(timer);
    }
  };
  const frame = { ref, total: BigInt(size), expected: digest };
  try {
    const { value } = await ask(call.send({ ...frame, action: WriteAction.STAT }));
    let offset = Number((value as { offset?: bigint } | undefined)?.offset ?? 0n);
    told(offset);
    // The next piece comes from the registry while the last one goes to the disk.
    let writing: Promise<unknown> = Promise.resolve();
    for await (const chunk of inChunks(read(offset), size - offset)) {
      await writing;
      told(offset);
      const message = chunk.message({ ...frame, action: WriteAction.WRITE, offset: BigInt(offset) });
      writing = ask(call.sendBytes(message));
      writing.catch(() => {});
      offset += chunk.length;
    }
    await writing;
    await ask(call.send({ ...frame, action: WriteAction.COMMIT, offset: BigInt(offset) }));
    told(size);
    return true;
  } catch (error) {
    if (failedWith(error, status.ALREADY_EXISTS)) {
      told(size);
      return false;
    }
    if (!failedWith(error, status.FAILED_PRECONDITION, status.OUT_OF_RANGE)) throw error;
    throw coded('HM-IMAGE-DIGEST', `The blob ${digest} does not have the content that its digest says.`, {
      digest,
    });
  } finally {
    call.end();
    await answers.return?.(undefined);
  }
}

/** What was begun of a blob is worth nothing: a liar sent it. */
export async function abortIngest(
  connection: Connection,
  digest: string,
  callLimits: CallLimits,
): Promise<void> {
  await connection
    .unary(Content.method.abort, { ref: `hivemind-pull-${digest}` }, callLimits)
    .catch(() => undefined);
}
