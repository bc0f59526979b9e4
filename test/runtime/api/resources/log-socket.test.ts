/** Logs over a real WebSocket: the lines of the NDJSON answer, to the end or as they come, and its refusals. */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { limits } from '../../../../protocols/limits.ts';
import { logsProtocol } from '../../../../runtime/api/log-socket.ts';
import { until } from '../../../kit/until.ts';
import { apiRig, app, service, type ApiRig } from '../rig.ts';

let rig: ApiRig;
beforeAll(async () => {
  rig = await apiRig();
  await rig.deploy(app('shop', service('web')));
  rig.logs.write('shop/web.1', 'one');
  rig.logs.write('shop/web.1', 'two');
});
afterAll(() => rig.end());

const path = (query = '', slot = 'shop%2Fweb.1'): string => `/v1/containers/${slot}/logs${query}`;
const connect = (at = path(), headers: Record<string, string> = {}, protocol = logsProtocol): WebSocket =>
  new WebSocket(`ws+unix:${rig.api.socketPath}:${at}`, protocol, { headers });

interface Heard {
  lines: string;
  status: unknown;
}

function hear(socket: WebSocket): Heard {
  const heard: Heard = { lines: '', status: undefined };
  socket.on('message', (data: Buffer, isBinary) => {
    if (isBinary && data[0] === 1) heard.lines += data.subarray(1).toString();
    if (isBinary && data[0] === 3) heard.status = JSON.parse(data.subarray(1).toString());
  });
  return heard;
}

test('the same lines as over plain HTTP, then the end', async () => {
  const socket = connect(path('?tail=2'));
  const heard = hear(socket);
  await once(socket, 'close');
  expect(heard.status).toEqual({ end: true });
  expect(heard.lines).toBe((await rig.ask('GET', path('?tail=2'))).text);
});

test('followed: many lines, each once; nobody follows when the client has left', async () => {
  const socket = connect(path('?tail=0&follow=true'));
  const heard = hear(socket);
  await once(socket, 'open');
  await until('somebody follows', () => rig.logs.followers === 1);
  const said = Array.from({ length: limits.apiStreamFrames }, (_, nth) => `line ${nth}`);
  for (const [nth, text] of said.entries()) {
    rig.logs.write('shop/web.1', text);
    if (nth % 100 === 99)
      await until('the client has them', () => heard.lines.split('\n').length - 1 === nth + 1);
  }
  await until('the last is heard', () => heard.lines.includes(`"${said.at(-1)}"`));
  const texts = heard.lines
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { text: string }).text);
  expect(texts).toEqual(said);
  socket.terminate();
  await until('nobody follows', () => rig.logs.followers === 0);
});

test('who sends something is told that nothing is taken', async () => {
  const socket = connect(path('?follow=true'));
  const heard = hear(socket);
  await once(socket, 'open');
  socket.send('hello');
  const [code] = (await once(socket, 'close')) as [number];
  expect([code, heard.status]).toEqual([
    1008,
    { reason: expect.objectContaining({ code: 'HM-API-REQUEST' }) },
  ]);
  await until('nobody follows', () => rig.logs.followers === 0);
});

test.each<[string, () => WebSocket, number, string]>([
  ['an unknown slot', () => connect(path('', 'shop%2Fweb.9')), 404, 'HM-TARGET-UNKNOWN'],
  ['a slot that keeps none', () => connect(path('', 'mute%2Fweb.1')), 409, 'HM-LOGS-NONE'],
  ['a query that is none', () => connect(path('?tail=all')), 400, 'HM-API-REQUEST'],
  ['a page of another site', () => connect(path(), { origin: 'http://evil.example' }), 403, 'HM-API-ORIGIN'],
  ['another protocol', () => connect(path(), {}, 'v1.exec.hivemind'), 400, 'HM-API-REQUEST'],
  [
    'no token',
    () => new WebSocket(`${rig.api.url.replace('http', 'ws')}${path()}`, logsProtocol),
    401,
    'HM-API-TOKEN',
  ],
])('%s is refused before the upgrade', async (_what, open, status, code) => {
  const socket = open();
  const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
  let text = '';
  for await (const chunk of response) text += String(chunk);
  expect(response.statusCode).toBe(status);
  expect(JSON.parse(text)).toMatchObject({ status, code });
});
