/** Exec over a real WebSocket: output, input, exit codes, refusals before and after the upgrade, dead clients. */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { execProtocol } from '../../../runtime/api/exec.ts';
import { apiRig, app, service, type ApiRig } from './rig.ts';

let rig: ApiRig;
beforeAll(async () => {
  rig = await apiRig();
  await rig.deploy(app('shop', service('web'), service('idle', { replicas: 0 })));
});
afterAll(() => rig.end());

const path = (slot = 'shop%2Fweb.1'): string => `/v1/containers/${slot}/exec`;
const connect = (at = path(), headers: Record<string, string> = {}, protocol = execProtocol): WebSocket =>
  new WebSocket(`ws+unix:${rig.api.socketPath}:${at}`, protocol, { headers });

interface Talk {
  readonly output: string;
  readonly status: unknown;
}

/** Sends what it is given after the connection is open, and gathers until the end. */
async function talk(...messages: readonly (string | Buffer)[]): Promise<Talk> {
  const socket = connect();
  let output = '';
  let status: unknown;
  socket.on('message', (data: Buffer) => {
    if (data[0] === 1) output += data.subarray(1).toString();
    if (data[0] === 3) status = JSON.parse(data.subarray(1).toString());
  });
  await once(socket, 'open');
  for (const message of messages) socket.send(message);
  await once(socket, 'close');
  return { output, status };
}

const order = (...args: string[]): string => JSON.stringify({ args, terminal: false });
const frame = (channel: number, content: string | Buffer = ''): Buffer =>
  Buffer.concat([Buffer.from([channel]), Buffer.from(content)]);

test('output and exit code', async () => {
  expect(await talk(order('greet'))).toEqual({ output: 'hello\n', status: { code: 3 } });
});

test('input comes back, to its end', async () => {
  const big = 'x'.repeat(500_000);
  const told = await talk(order('cat'), frame(0, 'one '), frame(0, big), frame(5));
  expect(told.status).toEqual({ code: 0 });
  expect(told.output).toBe(`one ${big}`);
});

describe('refused after the upgrade, by status', () => {
  test.each<[string, (string | Buffer)[], string, RegExp]>([
    ['no order', ['hello'], 'HM-API-REQUEST', /JSON/],
    ['an order without a command', [JSON.stringify({ args: [], terminal: false })], 'HM-API-REQUEST', /args/],
    [
      'an unknown field',
      [JSON.stringify({ args: ['cat'], terminal: false, root: true })],
      'HM-API-REQUEST',
      /root/,
    ],
    ['bytes first', [frame(0, 'x')], 'HM-API-REQUEST', /text/],
    ['an unknown channel', [order('cat'), frame(9)], 'HM-API-REQUEST', /first byte/],
    ['a size that is none', [order('cat'), frame(4, '{"columns":0}')], 'HM-API-REQUEST', /columns/],
    ['a command that is not there', [order('none')], 'HM-CONTAINER-COMMAND', /none/],
  ])('%s', async (_what, messages, code, message) => {
    const { status } = await talk(...messages);
    const { reason } = status as { reason: { code: string; message: string } };
    expect(reason.code).toBe(code);
    expect(reason.message).toMatch(message);
  });
});

describe('refused before the upgrade, as a problem', () => {
  test.each<[string, () => WebSocket, number, string]>([
    ['an unknown slot', () => connect(path('shop%2Fweb.9')), 404, 'HM-TARGET-UNKNOWN'],
    ['no slot', () => connect(path('%zz')), 400, 'HM-API-REQUEST'],
    ['another path', () => connect('/v1/apps'), 404, 'HM-API-ROUTE'],
    ['another protocol', () => connect(path(), {}, 'v2.exec'), 400, 'HM-API-REQUEST'],
    [
      'a page of another site',
      () => connect(path(), { origin: 'http://evil.example' }),
      403,
      'HM-API-ORIGIN',
    ],
    [
      'a name that points here',
      () => connect(path(), { origin: 'http://evil.example', host: 'evil.example' }),
      403,
      'HM-API-ORIGIN',
    ],
    [
      'no token',
      () => new WebSocket(`${rig.api.url.replace('http', 'ws')}${path()}`, execProtocol),
      401,
      'HM-API-TOKEN',
    ],
  ])('%s', async (_what, open, status, code) => {
    const socket = open();
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
    let text = '';
    for await (const chunk of response) text += String(chunk);
    expect(response.statusCode).toBe(status);
    expect(JSON.parse(text)).toMatchObject({ status, code, reason: { code } });
  });
});

test('the token opens it over TCP, also for a page of the node itself', async () => {
  const url = new URL(`${rig.api.url.replace('http', 'ws')}${path()}`);
  const headers = { authorization: `Bearer ${rig.token}`, origin: rig.api.url };
  const socket = new WebSocket(url, execProtocol, { headers });
  await once(socket, 'open');
  expect(socket.protocol).toBe(execProtocol);
  socket.terminate();
});
