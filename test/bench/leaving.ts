/**
 * What a bench has made on the machine goes when it ends, however that is: with its work done, with an error, by Ctrl-C
 * or a signal. What kill -9 leaves, the next run of the bench sweeps.
 */
import { exitCodes } from '../../runtime/cli/failure.ts';

const works = new Set<() => Promise<void>>();
let leaving = false;

/** Does `work` when the process is told to end. Answers what ends that: it does the work now, once. */
export function whenLeaving(work: () => Promise<void>): () => Promise<void> {
  if (works.size === 0 && !leaving) listen();
  let done: Promise<void> | undefined;
  const once = (): Promise<void> => (done ??= work().finally(() => works.delete(once)));
  works.add(once);
  return once;
}

function listen(): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => void leave(`${signal}: cleaning up`, exitCodes.interrupted));
  process.on('uncaughtException', (thrown) => void leave(thrown, exitCodes.error));
  process.on('unhandledRejection', (thrown) => void leave(thrown, exitCodes.error));
}

/** What fails meanwhile fails because of it. */
async function leave(why: unknown, code: number): Promise<void> {
  if (leaving) return;
  leaving = true;
  console.error(why);
  const ended = await Promise.allSettled([...works].map((work) => work()));
  for (const one of ended) if (one.status === 'rejected') console.error(one.reason);
  process.exit(code);
}
