/**
 * The thread of the membership subtree. What fails here ends the thread, and the main thread begins another: no error is
 * caught but a refusal to listen, which is told.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { reasonOf, type Reason } from '../../../protocols/errors.ts';
import { MembershipHost } from './host.ts';
import type { FromHost, LifeStart, ToHost } from '../messages.ts';
import type { ClusterSecrets } from './renewable-notary.ts';
import { realTools } from './worker-tools.ts';

export interface WorkerStart {
  readonly start: LifeStart;
  readonly secrets: ClusterSecrets;
}

/** It could not begin. */
export interface Refused {
  readonly kind: 'refused';
  readonly error: Reason;
}

/** It shall close its socket and end. */
export interface Ending {
  readonly kind: 'end';
}

const main = parentPort!;
const say = (message: FromHost | Refused): void => main.postMessage(message);

try {
  const { start, secrets } = workerData as WorkerStart;
  const host = new MembershipHost(start, realTools(start.self, secrets), say, (why) => {
    throw new Error(why);
  });
  main.on('message', (message: ToHost | Ending) => {
    if (message.kind === 'end') void host.close().finally(() => process.exit());
    else host.receive(message);
  });
  void host.open().catch((thrown: unknown) => refuse(thrown));
} catch (thrown) {
  refuse(thrown);
}

function refuse(thrown: unknown): void {
  say({ kind: 'refused', error: reasonOf(thrown) });
  main.close();
}
