/** A listener for connections, each passed on to one of the backends: bytes, half-closes and resets both ways. */
import { connect, createServer, type Socket } from 'node:net';
import { limits } from '../../../../protocols/limits.ts';
import type { Backend, Door, Passages, Place } from './relay.ts';

/** `undefined` when it cannot listen there. */
export function openTcpDoor(
  { address, port }: Place,
  backends: readonly Backend[],
  passages: Passages,
): Promise<Door | undefined> {
  let ends = backends;
  let turn = 0;
  const server = createServer({ allowHalfOpen: true }, (caller) => {
    const end = ends[turn++ % ends.length];
    if (!end || passages.open.size >= limits.relayPassages) {
      passages.refused += 1;
      return void caller.resetAndDestroy();
    }
    passages.open.add(caller);
    caller.on('close', () => passages.open.delete(caller));
    join(caller, connect({ host: end.address, port: end.port, allowHalfOpen: true }));
  });
  const door: Door = { lead: (wished) => (ends = wished), close: () => server.close() };
  return new Promise((resolve) => {
    server.once('error', () => resolve(undefined));
    server.listen({ host: address, port, ipv6Only: true, exclusive: true }, () => {
      server.removeAllListeners('error');
      // As when there are no descriptors left: the next caller may have luck.
      server.on('error', () => undefined);
      server.unref();
      resolve(door);
    });
  });
}

/** Who is cut off on one side is cut off on the other; what is written is never held back by the kernel. */
function join(caller: Socket, backend: Socket): void {
  for (const [one, other] of [
    [caller, backend],
    [backend, caller],
  ] as const) {
    one.setNoDelay(true);
    one.unref();
    one.on('error', () => other.resetAndDestroy());
    // One that has heard everything has closed the other for writing: what is still on its way there arrives.
    one.on('close', () => one.readableEnded || other.destroy());
    one.pipe(other);
  }
}
