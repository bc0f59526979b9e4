/**
 * The lease of a pull keeps what has come so far, also over a cut: the next try goes on from there. It is let go when
 * the image has its name, or when what came is worth nothing; one that nobody comes back to expires by itself.
 */
import { status } from '@grpc/grpc-js';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import { CodedError, type ErrorCode } from '../../../../../../protocols/errors.ts';
import { hashText } from '../../../../../../protocols/hash.ts';
import { limits } from '../../../../../../protocols/limits.ts';
import { failedWith } from '../../failure.ts';
import { Leases } from '../../gen/services/leases_pb.ts';
import type { CallLimits, Connection } from '../../rpc.ts';

const timeout = { timeoutMs: limits.runtimeCallMs };

/** Worth nothing to the next try: it would meet the same. */
const final: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'HM-IMAGE-DIGEST',
  'HM-IMAGE-LAYER',
  'HM-IMAGE-MISSING',
  'HM-IMAGE-PLATFORM',
  'HM-REGISTRY-ANSWER',
  // What came so far fills the disk.
  'HM-DISK-FULL',
]);

/** Runs `work` under the lease of this pull (`of` names it), new or as the last try left it. */
export async function underPullLease<Result>(
  connection: Connection,
  of: string,
  nowMs: number,
  coded: (thrown: unknown) => unknown,
  work: (lease: string) => Promise<Result>,
): Promise<Result> {
  const id = `hivemind-pull-${hashText(of)}`;
  await begin(connection, id, nowMs);
  const release = (sync: boolean) =>
    connection.unary(Leases.method.delete, { id, sync }, unhurried).catch(() => undefined);
  try {
    const result = await work(id);
    // Nothing of it is to be collected: nobody waits for the collector.
    await release(false);
    return result;
  } catch (thrown) {
    const failure = coded(thrown);
    if (!(failure instanceof CodedError) || final.has(failure.reason.code)) await release(true);
    throw failure;
  }
}

/** Collecting what a lease held takes longer than a look. */
const unhurried: CallLimits = { timeoutMs: limits.imageImportMs };

async function begin(connection: Connection, id: string, nowMs: number): Promise<void> {
  const { leases } = await connection.unary(Leases.method.list, { filters: [`id==${id}`] }, timeout);
  const held = leases.find((lease) => lease.id === id);
  const createdAt = held?.createdAt ? timestampMs(held.createdAt) : 0;
  // One that is about to expire would be collected under the pull.
  if (held && nowMs - createdAt < limits.imagePullKeptMs / 2) return;
  if (held) await connection.unary(Leases.method.delete, { id, sync: true }, unhurried);
  const expires = new Date(nowMs + limits.imagePullKeptMs).toISOString().replace(/\.\d+Z$/, 'Z');
  try {
    await connection.unary(
      Leases.method.create,
      { id, labels: { 'containerd.io/gc.expire': expires } },
      timeout,
    );
  } catch (error) {
    if (!failedWith(error, status.ALREADY_EXISTS)) throw error;
  }
}
