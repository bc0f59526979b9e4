/** What bounds a client, at the real HTTP server over real sockets: rates, sizes, time, frames, streams. */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { limits } from '../../../../protocols/limits.ts';
import { execProtocol } from '../../../../runtime/api/exec.ts';
import { logsProtocol } from '../../../../runtime/api/log-socket.ts';
import type { Problem } from '../../../../runtime/api/problem.ts';
import { problemView } from '../../../../runtime/api/schemas/views.ts';
import { serveApi, type RunningApi } from '../../../../runtime/api/server.ts';
import { createLogger } from '../../../../runtime/telemetry/logger.ts';
import { until } from '../../../kit/until.ts';
import { apiRig, app, json, service, type ApiRig } from '../rig.ts';

let rig: ApiRig;
const tokens = { a: '', b: '' };
const opened: RunningApi[] = [];
const usual = { ...limits };

beforeAll(async () => {
  rig = await apiRig();
  await rig.deploy(app('shop', service('web')));
  for (const name of ['a', 'b'] as const) {
    const { json: made } = await rig.ask('POST', '/v1/tokens', json({ name, scope: 'write' }));
    tokens[name] = (made as { token: string }).token;
  }
});
afterEach(async () => {
  Object.assign(limits, usual);
  for (const api of opened.splice(0)) await api.close();
});
afterAll(() => rig.end());

/** Another server of the same node, with other bounds, and a clock that stands still. */
async function server(bounds: Partial<Record<keyof typeof limits, number>> = {}): Promise<RunningApi> {
  Object.assign(limits, bounds);
  const api = await serveApi(
    { ...rig.node, clock: { ...rig.node.clock, monotonicMs: () => 0 } },
    {
      socketPath: join(rig.directory, `bounds-${opened.length}.sock`),
      address: { host: '127.0.0.1', port: 0 },
      tokenPath: join(rig.directory, 'token'),
      importDir: join(rig.directory, 'bounds-import'),
      logger: createLogger({ level: 'silent', node: 'n1' }),
    },
  );
  opened.push(api);
  return api;
}

interface Line {
  readonly socket: Socket;
  /** Whole answers so far. */
  readonly heard: () => string;
  readonly closed: Promise<unknown>;
}

function dial(place: { path: string } | { host: string; port: number }): Line {
  const socket = connect(place);
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  socket.on('error', () => {});
  return { socket, heard: () => text, closed: new Promise((resolve) => socket.on('close', resolve)) };
}
const statuses = (text: string): number[] =>
  [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
const problemIn = (text: string): Problem =>
  problemView.parse(JSON.parse(text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1)));

describe('rates', () => {
  test('each token of an address has its own; beyond it is 429 and when to come back', async () => {
    const { url } = await server({ apiChangeBurst: 20 });
    const { hostname: host, port } = new URL(url);
    const asked = async (token: string, count: number): Promise<string> => {
      const line = dial({ host, port: Number(port) });
      const one = `POST /v1/nothing HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\ncontent-length: 0\r\n\r\n`;
      line.socket.write(one.repeat(count));
      await until('all are answered', () => statuses(line.heard()).length === count);
      line.socket.destroy();
      return line.heard();
    };
    expect(statuses(await asked(tokens.a, 20))).toEqual(Array(20).fill(404));
    const refused = await asked(tokens.a, 1);
    expect(statuses(refused)).toEqual([429]);
    expect(refused).toMatch(/^retry-after: 1\r$/m);
    expect(problemIn(refused)).toMatchObject({ code: 'HM-API-BUSY', retryable: true });
    expect(statuses(await asked(tokens.b, 1))).toEqual([404]);
    // Who has no token shares what the address has.
    expect(statuses(await asked('wrong', 21))).toEqual([...Array(20).fill(401), 429]);
    expect(statuses(await asked(tokens.b, 1))).toEqual([404]);
  });

  test('WebSockets count as changes, and are refused as HTTP', async () => {
    const { socketPath } = await server({ apiChangeBurst: 1 });
    const upgrade = () => refusal(webSocket(socketPath, '/v1/nothing', execProtocol));
    expect((await upgrade()).status).toBe(404);
    expect(await upgrade()).toMatchObject({ status: 429, retryAfter: '1', code: 'HM-API-BUSY' });
  });
});

describe('sizes', () => {
  test('a body in chunks is 413 as soon as it is too large, and no more of it is read', async () => {
    const { socketPath } = await server();
    const line = dial({ path: socketPath });
    const head = 'PUT /v1/apps/shop HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n';
    line.socket.write(`${head}transfer-encoding: chunked\r\n\r\n`);
    const chunk = `10000\r\n${' '.repeat(65_536)}\r\n`;
    for (let sent = 0; sent <= limits.apiBodyBytes; sent += 65_536) line.socket.write(chunk);
    await until('it is refused', () => statuses(line.heard()).length > 0 || line.socket.destroyed);
    expect(problemIn(line.heard())).toMatchObject({ status: 413, code: 'HM-API-TOO-LARGE' });
    // Only who writes on notices.
    await until('the connection is let go', () => {
      if (!line.socket.destroyed) line.socket.write(chunk);
      return line.socket.destroyed;
    });
  });

  test('one that fits is taken, whole', async () => {
    const { socketPath } = await server();
    const line = dial({ path: socketPath });
    const body = JSON.stringify({ service: 'web', replicas: 1 });
    const head = 'POST /v1/apps/shop/scale HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n';
    line.socket.write(`${head}transfer-encoding: chunked\r\n\r\n`);
    for (const char of body) line.socket.write(`1\r\n${char}\r\n`);
    line.socket.write('0\r\n\r\n');
    await until('it is answered', () => statuses(line.heard()).length > 0);
    expect(statuses(line.heard())).toEqual([200]);
    line.socket.destroy();
  });

  test('headers beyond the limit are 431', async () => {
    const { socketPath } = await server();
    const line = dial({ path: socketPath });
    const many = Array.from({ length: 40 }, (_, i) => `x-${i}: ${'y'.repeat(1_000)}\r\n`).join('');
    line.socket.write(`GET /livez HTTP/1.1\r\nhost: x\r\n${many}\r\n`);
    await line.closed;
    expect(problemIn(line.heard())).toMatchObject({ status: 431, code: 'HM-API-HEADERS' });
  });
});

describe('time', () => {
  test('who sends a header byte by byte is told so and cut off', async () => {
    const { socketPath } = await server({ apiHandshakeMs: 100 });
    const line = dial({ path: socketPath });
    line.socket.write('GET /livez HTTP/1.1\r\nhost: x\r\n');
    const drip = setInterval(() => line.socket.destroyed || line.socket.write('x'), 20);
    await line.closed;
    clearInterval(drip);
    expect(problemIn(line.heard())).toMatchObject({ status: 408, code: 'HM-API-SLOW' });
  });

  test('who opens an exec and orders nothing is told so and closed', async () => {
    const { socketPath } = await server({ apiHandshakeMs: 100 });
    const socket = webSocket(socketPath, '/v1/containers/shop%2Fweb.1/exec', execProtocol);
    let told = '';
    socket.on('message', (data: Buffer) => (told = data.subarray(1).toString()));
    await once(socket, 'close');
    expect(JSON.parse(told)).toMatchObject({ reason: { code: 'HM-API-REQUEST' } });
  });
});

const webSocket = (socketPath: string, path: string, protocol: string): WebSocket =>
  new WebSocket(`ws+unix:${socketPath}:${path}`, protocol);

async function refusal(socket: WebSocket) {
  const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
  let text = '';
  for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) text += chunk;
  const { status, code } = problemView.parse(JSON.parse(text));
  return { status, code, retryAfter: response.headers['retry-after'] };
}

describe('frames', () => {
  test.each([
    ['exec', '/v1/containers/shop%2Fweb.1/exec', execProtocol],
    ['logs', '/v1/containers/shop%2Fweb.1/logs?follow=true', logsProtocol],
  ])('one that is too large closes %s with 1009 and a code', async (_, path, protocol) => {
    const { socketPath } = await server();
    const socket = webSocket(socketPath, path, protocol);
    await once(socket, 'open');
    socket.send(Buffer.alloc(limits.apiFrameBytes + 1));
    const [code, why] = (await once(socket, 'close')) as [number, Buffer];
    expect([code, why.toString()]).toEqual([1009, 'HM-API-TOO-LARGE']);
    await until('nobody follows', () => rig.logs.followers === 0);
  });
});

describe('streams', () => {
  test('of all kinds together there are so many; one more is 429 until one ends', async () => {
    const { socketPath } = await server({ apiStreams: 3 });
    const watch = '/v1/apps?watch=true';
    const ask = (path: string): Line => {
      const line = dial({ path: socketPath });
      line.socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
      return line;
    };
    const answered = async (line: Line) => {
      await until('it is answered', () => statuses(line.heard()).length > 0);
      return statuses(line.heard())[0];
    };
    const logs = webSocket(socketPath, '/v1/containers/shop%2Fweb.1/logs?follow=true', logsProtocol);
    await once(logs, 'open');
    const lines = [ask(watch), ask('/v1/events/stream')];
    for (const line of lines) expect(await answered(line)).toBe(200);
    const over = ask(watch);
    expect(await answered(over)).toBe(429);
    expect(over.heard()).toMatch(/^retry-after: 10\r$/m);
    const exec = () => webSocket(socketPath, '/v1/containers/shop%2Fweb.1/exec', execProtocol);
    expect(await refusal(exec())).toMatchObject({ status: 429, code: 'HM-API-BUSY', retryAfter: '10' });
    lines[0]!.socket.destroy();
    await until('there is room again', async () => {
      const next = ask(watch);
      const status = await answered(next);
      if (status === 200) lines.push(next);
      else next.socket.destroy();
      return status === 200;
    });
    for (const { socket } of [...lines, over]) socket.destroy();
    logs.terminate();
  });

  test('of lists with different questions too', async () => {
    const { socketPath } = await server({ apiFeeds: 1 });
    const lines = ['/v1/apps', '/v1/apps', '/v1/containers'].map((path) => {
      const line = dial({ path: socketPath });
      line.socket.write(`GET ${path}?watch=true HTTP/1.1\r\nhost: x\r\n\r\n`);
      return line;
    });
    await until('all are answered', () => lines.every(({ heard }) => statuses(heard()).length > 0));
    expect(lines.flatMap(({ heard }) => statuses(heard()))).toEqual([200, 200, 429]);
    for (const { socket } of lines) socket.destroy();
  });
});
