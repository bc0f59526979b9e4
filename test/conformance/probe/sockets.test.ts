/** Probes over real sockets on the loopback: the conformance suite, and what HTTP alone has. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTcp, type AddressInfo, type Server } from 'node:net';
import { Server as GrpcServer, ServerCredentials } from '@grpc/grpc-js';
import { afterAll, expect, it } from 'vitest';
import type { ProbeAction } from '../../../protocols/apps/service-model.ts';
import { networkProbe } from '../../../runtime/drivers/probe/network-probe.ts';
import { newCall } from '../../kit/port-call.ts';
import { probeConformance, type Behaviour } from './suite.ts';

const address = '127.0.0.1';
const closers: (() => Promise<void> | void)[] = [];
const closeAll = async () => {
  for (const close of closers.splice(0)) await close();
};
afterAll(closeAll);

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  return (server.address() as AddressInfo).port;
}

async function httpPort(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<number> {
  const server = createServer(answer);
  closers.push(() => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => void server.close(() => resolve()));
  });
  return listening(server);
}

async function tcpPort(): Promise<{ port: number; close: () => Promise<void> }> {
  const server = createTcp((socket) => void socket.on('error', () => undefined).resume());
  const port = await listening(server);
  return { port, close: () => new Promise<void>((resolve) => void server.close(() => resolve())) };
}

/** A port that was just free. */
async function nobodysPort(): Promise<number> {
  const { port, close } = await tcpPort();
  await close();
  return port;
}

async function grpcPort(behaviour: Behaviour): Promise<number> {
  const server = new GrpcServer();
  const bytes = (value: Buffer) => value;
  const definition = {
    path: '/grpc.health.v1.Health/Check',
    ...{ requestStream: false, responseStream: false, requestSerialize: bytes, requestDeserialize: bytes },
    ...{ responseSerialize: bytes, responseDeserialize: bytes },
  };
  server.addService({ check: definition } as never, {
    check: (_: unknown, reply: (error: null, answer: Buffer) => void) => {
      if (behaviour !== 'silent') reply(null, Buffer.from([0x08, behaviour === 'good' ? 1 : 2]));
    },
  });
  closers.push(() => server.forceShutdown());
  return new Promise((resolve, reject) =>
    server.bindAsync(`${address}:0`, ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    ),
  );
}

const httpAnswers: Readonly<Record<Exclude<Behaviour, 'absent'>, (response: ServerResponse) => void>> = {
  good: (response) => void response.end('fine'),
  bad: (response) => void response.writeHead(503).end('no database'),
  silent: () => undefined,
  endless: (response) => {
    response.writeHead(500);
    const more = (): void => {
      while (!response.destroyed && response.write('x'.repeat(10_000)));
      response.once('drain', more);
    };
    more();
  },
};

async function portOf(type: 'tcp' | 'http' | 'grpc', behaviour: Behaviour): Promise<number> {
  if (behaviour === 'absent') return nobodysPort();
  if (type === 'grpc') return grpcPort(behaviour);
  if (type === 'http') return httpPort((_, response) => httpAnswers[behaviour](response));
  const { port, close } = await tcpPort();
  closers.push(close);
  return port;
}

probeConformance('socket', () =>
  Promise.resolve({
    probe: networkProbe,
    stand: async (type, behaviour) => {
      const port = await portOf(type, behaviour);
      const action = type === 'http' ? ({ type, port, path: '/', scheme: 'http' } as const) : { type, port };
      return { id: 'c1', address, action };
    },
    close: closeAll,
  }),
);

type Http = Extract<ProbeAction, { type: 'http' }>;
const ask = async (port: number, more: Partial<Http>) => {
  const action: Http = { type: 'http', port, path: '/', scheme: 'http', ...more };
  return networkProbe.probe({ id: 'c1', address, action }, newCall());
};

it('http sends path, host and headers, follows no redirect, and takes the statuses it is given', async () => {
  const seen: string[] = [];
  const port = await httpPort((request, response) => {
    seen.push(
      `${request.method} ${request.url} ${request.headers.host} ${String(request.headers['x-probe'])}`,
    );
    response.writeHead(302, { location: '/elsewhere' }).end();
  });
  const asked = { path: '/healthz?deep=1', host: 'shop.example', headers: { 'X-Probe': 'yes' } };
  expect((await ask(port, asked)).passed).toBe(true);
  expect((await ask(port, { statuses: [200] })).output).toBe('answered 302');
  expect(seen).toEqual(['GET /healthz?deep=1 shop.example yes', `GET / ${address}:${port} undefined`]);
});

it('what HTTP does not allow is told, not thrown', async () => {
  const port = await httpPort((_, response) => void response.end());
  expect(await ask(port, { headers: { 'bad name': 'x' } })).toMatchObject({ passed: false });
  expect(await ask(port, { path: '/a b' })).toMatchObject({ passed: false });
});

it('who speaks another protocol has not passed', async () => {
  const server = createTcp((socket) => {
    socket.on('error', () => undefined).resume();
    socket.end('SSH-2.0-nothing\r\n');
  });
  closers.push(() => new Promise<void>((resolve) => void server.close(() => resolve())));
  const port = await listening(server);
  const grpc = { type: 'grpc', port } as const;
  expect((await ask(port, {})).passed).toBe(false);
  expect((await ask(port, { scheme: 'https' })).passed).toBe(false);
  expect((await networkProbe.probe({ id: 'c1', address, action: grpc }, newCall())).passed).toBe(false);
});
