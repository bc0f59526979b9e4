/**
 * The membership subtree of a real node in a thread of its own, so that a busy main thread makes nobody suspect the node.
 * The thread's program stands beside the daemon's, or inside the executable, or is TypeScript while Hivemind is developed.
 */
import { createRequire } from 'node:module';
import { getAsset, isSea } from 'node:sea';
import { pathToFileURL } from 'node:url';
import { Worker, type WorkerOptions } from 'node:worker_threads';
import { CodedError, coded } from '../../protocols/errors.ts';
import type { Clock, Random } from '../../protocols/ports.ts';
import type { Calls } from '../../protocols/wire/calls.ts';
import { MembershipDoor } from './door.ts';
import type { BeginLife, FromHost, LifeStart, ToHost } from './messages.ts';
import { MembershipStreams } from './streams.ts';
import type { ClusterSecrets } from './host/renewable-notary.ts';
import type { Ending, Refused, WorkerStart } from './host/worker.ts';

export interface OpenMembershipOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly start: Omit<LifeStart, 'told'>;
  readonly secrets: ClusterSecrets;
  readonly calls: Calls;
  /** Makes the node's boot one above `boot`, durably; answers it. */
  raiseBoot(boot: number): Promise<number>;
}

/** A view of a thousand members takes some MB; what needs more than this is a defect, and a new life is better. */
const resourceLimits = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 4, stackSizeMb: 2 };

/** How long a thread may take to end by itself. */
const endMs = 2_000;

/** The asset of the executable. */
const asset = 'hivemind-membership.cjs';

/** Rejects with HM-CLUSTER-LISTEN or HM-MEMBERSHIP-TIMES. */
export async function openMembership(options: OpenMembershipOptions): Promise<MembershipDoor> {
  const { clock, random, start, secrets, calls, raiseBoot } = options;
  const streams = new MembershipStreams(calls, clock, start.self.id);
  return new MembershipDoor({
    clock,
    random,
    start,
    begin: inThread(secrets, clock),
    streams,
    raiseBoot,
  }).open();
}

function inThread(secrets: ClusterSecrets, clock: Clock): BeginLife {
  return (start, hear, ended) =>
    new Promise((resolve, reject) => {
      const worker = startWorker({ start, secrets });
      const over = new Promise((gone) => worker.once('exit', gone));
      let open = false;
      let failure = 'its thread ended';
      worker.on('message', (message: FromHost | Refused) => {
        if (message.kind === 'refused') return reject(new CodedError(message.error));
        if (message.kind === 'opened') {
          open = true;
          resolve({ post, close });
        }
        hear(message);
      });
      worker.on('error', (thrown: unknown) => (failure = String(thrown)));
      worker.on('exit', () => {
        if (open) ended(failure);
        else reject(coded('HM-MEMBERSHIP-DOWN', `The membership subtree did not begin: ${failure}`));
      });
      const post = (message: ToHost): void => worker.postMessage(message);
      const close = async (): Promise<void> => {
        open = false;
        await end(worker, over, clock);
      };
    });
}

/**
 * It closes its socket first: a thread that is terminated while a packet arrives takes the process with it (Node 20: "FATAL
 * ERROR: v8::FromJust" in UDPWrap::OnRecv). One that hangs is terminated all the same.
 */
async function end(worker: Worker, over: Promise<unknown>, clock: Clock): Promise<void> {
  worker.postMessage({ kind: 'end' } satisfies Ending);
  const timer = clock.setTimer(endMs, () => void worker.terminate());
  await over;
  clock.clearTimer(timer);
}

function startWorker(workerData: WorkerStart): Worker {
  const options: WorkerOptions = { workerData, resourceLimits, name: 'membership' };
  if (isSea()) return new Worker(getAsset(asset, 'utf8'), { ...options, eval: true });
  const here = import.meta.url;
  if (!here.endsWith('.ts')) return new Worker(new URL('hivemind-membership.js', here), options);
  return new Worker(typescriptLoader(here, new URL('host/worker.ts', here).href), { ...options, eval: true });
}

/** Hooks for modules are a thread's own: this one has to be told how TypeScript is read. */
function typescriptLoader(here: string, program: string): string {
  const loader = pathToFileURL(createRequire(here).resolve('tsx/esm/api').replace(/cjs$/, 'mjs')).href;
  return `import(${JSON.stringify(loader)}).then(({ register }) => {
    register();
    return import(${JSON.stringify(program)});
  });`;
}
