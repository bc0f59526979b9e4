/** What actors of other nodes, and their kernels, want of actors of this one. */
import type { Message } from '../../../protocols/effects.ts';
import { coded } from '../../../protocols/errors.ts';
import type { ExitReason } from '../../../protocols/supervision/child-spec.ts';
import { formatAddress } from '../../../protocols/wire/address.ts';
import type { NodeRole } from '../../../protocols/wire/catalogue.ts';
import type { Caller, Calls } from '../../../protocols/wire/calls.ts';
import { Cell, type HeldHandle } from '../cell.ts';
import type { Host } from '../host.ts';
import { readAsked, readTold, readWatched, writeAnswer, writeFate, type Place } from './bodies.ts';
import type { Admitted, AskHere } from './remote.ts';

export interface DoorOptions {
  readonly calls: Calls;
  readonly messages: Admitted;
  readonly watches: Admitted;
  readonly askHere: AskHere;
}

/** Answers how to shut it. */
export function openDoor(host: Host, { calls, messages, watches, askHere }: DoorOptions): () => void {
  const admit = (caller: Caller, event: Message, { path, life }: Place, from?: Place): void => {
    const { role } = caller;
    if (admits(messages, event.type, role)) return;
    const sender = from && senderOf(caller, from);
    host.recorder.dead({ path, incarnation: life?.incarnation ?? 0 }, path, event.type, 'refused', sender);
    const text = `No ${role} of the cluster may send ${event.type} to an actor.`;
    throw coded('HM-PEER-REFUSED', text, { message: event.type, role });
  };
  const stops = [
    calls.on('actor.tell', (caller, body) => {
      const { to, event, from } = readTold(body);
      admit(caller, event, to, from);
      const there = host.findHere(to);
      const sender = from && { address: senderOf(caller, from) };
      const outcome = host.deliver(addressOf(host.node, to), event, sender);
      if (outcome === 'posted') return writeFate(undefined);
      return writeFate(outcome === 'overflow' ? outcome : there instanceof Cell ? 'refused' : there.why);
    }),
    calls.on('actor.ask', async (caller, body) => {
      const { to, event, timeoutMs } = readAsked(body);
      admit(caller, event, to);
      return await askHere(addressOf(host.node, to), event, timeoutMs);
    }),
    calls.on('actor.watch', async ({ role }, body, signal) => {
      const place = readWatched(body);
      const { path } = place;
      if (!admits(watches, path, role))
        throw coded('HM-PEER-REFUSED', `No ${role} of the cluster may watch ${path}.`, { path, role });
      const cell = host.findHere(place);
      if (!(cell instanceof Cell)) return writeAnswer({ exit: gone });
      if (place.life === undefined)
        return writeAnswer({ life: { boot: host.boot, incarnation: cell.incarnation } });
      return writeAnswer({ exit: await endOf(cell, signal) });
    }),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

const admits = (admitted: Admitted, what: string, role: NodeRole): boolean =>
  Object.hasOwn(admitted, what) && admitted[what]!.includes(role);

const gone: ExitReason = { kind: 'error', message: '' };

/** Node and boot are those that the connection proves, whatever the message says. */
function senderOf({ name, boot }: Caller, { path, life }: Place): string {
  return formatAddress({ node: name, path, boot, incarnation: life?.incarnation ?? 0 });
}

function addressOf(node: string, { path, life }: Place): string {
  return life === undefined ? path : formatAddress({ node, path, ...life });
}

function endOf(cell: Cell, signal: AbortSignal): Promise<ExitReason> {
  return new Promise((resolve) => {
    const watcher: HeldHandle & { tell(exit: Message): void } = {
      kind: 'watch',
      id: '',
      live: true,
      last: true,
      tell: (exit) => resolve(exit['reason'] as ExitReason),
      release: () => cell.watchers?.delete(watcher),
    };
    cell.watchers ??= new Set();
    cell.watchers.add(watcher);
    const nobodyAsks = (): void => {
      watcher.release(false);
      resolve(gone);
    };
    signal.addEventListener('abort', nobodyAsks, { once: true });
  });
}
