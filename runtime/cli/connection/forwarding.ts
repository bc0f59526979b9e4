/** Ports of this machine that lead into containers: one WebSocket a connection, its target looked up anew each time. */
import { createServer, type Server, type Socket } from 'node:net';
import type { SlotStatus } from '../../../protocols/apps/status.ts';
import { coded, reasonOf } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import { bridge, forwardProtocol } from '../../forwarding/bridge.ts';
import type { Cli } from '../cli.ts';
import { printReasons } from '../failure.ts';
import { loadKnown, resolveTarget, slotsOf, targetName } from '../targets.ts';
import { containerPath } from './answers.ts';
import { connect } from './websocket.ts';

export interface Forward {
  /** 0: a free one. */
  readonly local: number;
  readonly remote: number;
}

const host = '127.0.0.1';

export interface Listening extends Forward {
  close(): void;
}

/** `local` is the real one then. HM-PORT-TAKEN, HM-API-LISTEN. */
export async function listenFor(cli: Cli, target: string, forward: Forward): Promise<Listening> {
  const streams = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (stream) => {
    streams.add(stream);
    stream.once('close', () => streams.delete(stream));
    carry(cli, target, forward.remote, stream).catch((thrown: unknown) => {
      stream.resetAndDestroy();
      if (!cli.process.interrupted.aborted) printReasons(cli, [reasonOf(thrown)]);
    });
  });
  server.maxConnections = limits.forwardConnections;
  const local = await listen(server, forward.local);
  return {
    local,
    remote: forward.remote,
    close: () => {
      server.close();
      for (const stream of streams) stream.destroy();
    },
  };
}

async function carry(cli: Cli, target: string, port: number, stream: Socket): Promise<void> {
  // It may break off while there is no WebSocket yet; the bridge sees it closed then.
  stream.on('error', () => undefined);
  const slot = await slotFor(cli, target);
  const path = `${containerPath(slot, 'port-forward')}?port=${port}`;
  const socket = await connect(await cli.client(), path, forwardProtocol);
  if (stream.destroyed) return socket.terminate();
  const over = bridge(socket, stream);
  socket.resume();
  stream.resume();
  await over;
}

/** The first that is ready, else that runs: a container that was replaced is found again. */
export async function slotFor(cli: Cli, text: string): Promise<string> {
  const known = await loadKnown(cli);
  const target = resolveTarget(text, known);
  const slots = slotsOf(target, known);
  const [first] = slots;
  if (first === undefined) throw coded('HM-TARGET-UNKNOWN', `${targetName(target)} has no containers`);
  const running = known.slots.filter(({ slot, phase }) => slots.includes(slot) && phase === 'running');
  const best = (fits: (status: SlotStatus) => boolean) => running.find(fits)?.slot;
  return best(({ readiness }) => readiness === 'ready') ?? best(({ paused }) => !paused) ?? first;
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const text = `${host}:${port} cannot be listened on: ${error.code ?? error.message}`;
      const hint = `Leave the first number out for a free one`;
      const code = error.code === 'EADDRINUSE' ? 'HM-PORT-TAKEN' : 'HM-API-LISTEN';
      reject(coded(code, text, { port }, hint));
    });
    server.listen({ host, port }, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address ? address.port : port);
    });
  });
}
