/** Port-forward over a real WebSocket to a real port: bytes, half-close, resets, back pressure, refusals before the upgrade. */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { forwardProtocol } from '../../../runtime/forwarding/bridge.ts';
import { until } from '../../kit/until.ts';
import { apiRig, app, service, type ApiRig } from './rig.ts';

let rig: ApiRig;
beforeAll(async () => {
  rig = await apiRig();
  await rig.deploy(
    app(
      'shop',
      service('web', { networkMode: 'host' }),
      service('still', { networkMode: 'host' }),
      service('alone', { networkMode: 'none' }),
      service('idle', { replicas: 0 }),
    ),
  );
});
afterAll(() => rig.end());

/** What a container on the host's network would listen with. */
let listener: Server;
let port: number;
let accepted: Socket[];
beforeEach(async () => {
  accepted = [];
  listener = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (stream) => accepted.push(stream));
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  ({ port } = listener.address() as AddressInfo);
});
afterEach(() => {
  for (const stream of accepted) stream.destroy();
  listener.close();
});

const path = (to: number | string = port, slot = 'shop%2Fweb.1'): string =>
  `/v1/containers/${slot}/port-forward?port=${to}`;
const connect = (at = path(), protocol = forwardProtocol): WebSocket =>
  new WebSocket(`ws+unix:${rig.api.socketPath}:${at}`, protocol);

/** Both ends of one connection. */
async function pair(): Promise<{ socket: WebSocket; stream: Socket; heard: (Buffer | string)[] }> {
  const socket = connect();
  const heard: (Buffer | string)[] = [];
  socket.on('message', (data: Buffer, isBinary) => heard.push(isBinary ? data : data.toString()));
  await once(socket, 'open');
  const stream = await until('it is accepted', () => accepted[0]);
  return { socket, stream, heard };
}

test('bytes both ways, and each side ends by itself', async () => {
  const { socket, stream, heard } = await pair();
  let asked = '';
  stream.on('data', (bytes) => (asked += bytes.toString()));
  const askedAll = once(stream.resume(), 'end');
  socket.send(Buffer.from('hello'));
  socket.send('end');
  await askedAll;
  expect(asked).toBe('hello');
  expect(socket.readyState).toBe(WebSocket.OPEN);
  const closed = once(socket, 'close');
  stream.end('answered after the end');
  expect((await closed)[0]).toBe(1000);
  expect(heard.map(String)).toEqual(['answered after the end', 'end']);
});

test('a connection that breaks off does so on the other side, either way', async () => {
  const one = await pair();
  const closed = once(one.socket, 'close');
  one.stream.resetAndDestroy();
  expect((await closed)[0]).toBe(1011);
  accepted.length = 0;
  const two = await pair();
  const reset = once(two.stream, 'error');
  two.stream.resume();
  two.socket.terminate();
  expect((await reset)[0]).toMatchObject({ code: 'ECONNRESET' });
});

test('a text that is not end is refused', async () => {
  const { socket } = await pair();
  socket.send('stop');
  expect((await once(socket, 'close'))[0]).toBe(1008);
});

test('a container that does not read makes the client wait, and loses nothing', async () => {
  const { socket, stream } = await pair();
  const piece = Buffer.alloc(262_144, 'x');
  const pieces = 256;
  for (let sent = 0; sent < pieces; sent++) socket.send(piece);
  socket.send('end');
  // 64 MiB are more than all buffers between hold: most of it has not left the client.
  await until('it is held back', async () => {
    const before = socket.bufferedAmount;
    await rig.ask('GET', '/livez');
    return before === socket.bufferedAmount && before > 0;
  });
  expect(socket.bufferedAmount).toBeGreaterThan((piece.length * pieces) / 2);
  let got = 0;
  stream.on('data', (bytes) => (got += bytes.length));
  await once(stream.resume(), 'end');
  expect(got).toBe(piece.length * pieces);
  stream.end();
  await once(socket, 'close');
});

test('a client that does not read makes the container wait, and loses nothing', async () => {
  const { socket, stream, heard } = await pair();
  socket.pause();
  const piece = Buffer.alloc(262_144, 'y');
  const pieces = 256;
  for (let sent = 0; sent < pieces; sent++) stream.write(piece);
  stream.end();
  await until('it is held back', async () => {
    const before = stream.writableLength;
    await rig.ask('GET', '/livez');
    return before === stream.writableLength && before > 0;
  });
  expect(stream.writableLength).toBeGreaterThan((piece.length * pieces) / 2);
  socket.resume();
  await until('all is there', () => heard.at(-1) === 'end');
  expect(heard.reduce((sum, one) => sum + (typeof one === 'string' ? 0 : one.length), 0)).toBe(
    piece.length * pieces,
  );
  socket.send('end');
  stream.resume();
  await once(socket, 'close');
});

describe('refused before the upgrade, as a problem', () => {
  test.each<[string, () => WebSocket | Promise<WebSocket>, number, string]>([
    ['an unknown slot', () => connect(path(80, 'shop%2Fweb.9')), 404, 'HM-TARGET-UNKNOWN'],
    ['no port', () => connect(path('')), 400, 'HM-API-REQUEST'],
    ['a port that is none', () => connect(path(65_536)), 400, 'HM-API-REQUEST'],
    ["exec's protocol", () => connect(path(), 'v1.exec.hivemind'), 400, 'HM-API-REQUEST'],
    ['a slot without a network', () => connect(path(80, 'shop%2Falone.1')), 502, 'HM-FORWARD-REFUSED'],
    [
      'a port that nobody listens on',
      async () => {
        listener.close();
        await once(listener, 'close');
        return connect();
      },
      502,
      'HM-FORWARD-REFUSED',
    ],
    [
      'a paused slot',
      async () => {
        await rig.ask('POST', '/v1/containers/shop%2Fstill.1/pause');
        await until('it is paused', async () => {
          const { json } = await rig.ask('GET', '/v1/containers/shop%2Fstill.1');
          return (json as { paused?: boolean }).paused;
        });
        return connect(path(port, 'shop%2Fstill.1'));
      },
      409,
      'HM-CONTAINER-PAUSED',
    ],
    [
      'no token',
      () => new WebSocket(`${rig.api.url.replace('http', 'ws')}${path()}`, forwardProtocol),
      401,
      'HM-API-TOKEN',
    ],
  ])('%s', async (_what, open, status, code) => {
    const socket = await open();
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
    let text = '';
    for await (const chunk of response) text += String(chunk);
    expect(JSON.parse(text)).toMatchObject({ status, code });
    expect(response.statusCode).toBe(status);
  });
});
