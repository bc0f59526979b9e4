/**
 * Death watch of an actor of another node. Which life is there is asked first, then when that very life ends; a lost
 * connection is no end: the same life is asked about again, until the node started anew or was not reached for too long.
 */
import { coded, reasonOf } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import type { Clock, Stop } from '../../../protocols/ports.ts';
import type { ExitReason } from '../../../protocols/supervision/child-spec.ts';
import type { Life, Target } from '../../../protocols/wire/address.ts';
import type { Calls, Peer } from '../../../protocols/wire/calls.ts';
import type { Admitted } from './remote.ts';
import { readAnswer, writeWatched, type Watched } from './bodies.ts';

export interface WatchWays {
  readonly clock: Clock;
  readonly calls: Calls;
  resolve(node: string): Peer | undefined;
  readonly watches: Admitted;
}

/** Another try may find it: nothing is known of the actor. */
const passing: readonly string[] = ['HM-PEER-UNREACHABLE', 'HM-PEER-TIMEOUT', 'HM-PEER-BUSY'];

/** `exited` is called once, not before this returns, and not after the stop. */
export function watchRemote(
  { clock, calls, resolve, watches }: WatchWays,
  { node, path }: Target,
  exited: (because: ExitReason) => void,
): Stop {
  const controller = new AbortController();
  const { signal } = controller;
  let life: Life | undefined;
  let lostMs: number | undefined;
  let timer: unknown;
  const over = (because: ExitReason): void => {
    if (signal.aborted) return;
    controller.abort();
    exited(because);
  };
  const fail = (message: string): void => over({ kind: 'error', message });

  const ask = async (which: Life | undefined, timeoutMs: number): Promise<Watched> => {
    if (!Object.hasOwn(watches, path))
      throw coded('HM-PEER-REFUSED', `Actors of other nodes do not watch ${path}.`, { path });
    const peer = resolve(node);
    if (peer === undefined) throw coded('HM-PEER-REFUSED', `no node that lives is called ${node}`);
    const place = which === undefined ? { path } : { path, life: which };
    return readAnswer(await calls.call(peer, 'actor.watch', writeWatched(place), { timeoutMs, signal }));
  };
  const look = async (): Promise<void> => {
    const there = await ask(undefined, limits.askTimeoutMs);
    lostMs = undefined;
    if ('exit' in there) return over(there.exit);
    life ??= there.life;
    if (there.life.boot !== life.boot) return fail(`${node} started anew`);
    if (there.life.incarnation !== life.incarnation) return fail('another lives there');
    const end = await ask(life, Infinity);
    if ('exit' in end) over(end.exit);
  };
  const again = (thrown: unknown): void => {
    const { code, message } = reasonOf(thrown);
    if (signal.aborted) return;
    lostMs ??= clock.monotonicMs();
    if (!passing.includes(code)) fail(message);
    else if (clock.monotonicMs() - lostMs >= limits.remoteWatchMs)
      fail(`${node} was not reached: ${message}`);
    else timer = clock.setTimer(limits.remoteWatchRetryMs, watch);
  };
  const watch = (): void => {
    if (!signal.aborted) look().catch(again);
  };

  clock.defer(watch);
  return () => {
    clock.clearTimer(timer);
    controller.abort();
  };
}
