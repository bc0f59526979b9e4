/** What is refused below HTTP's routes has a code too, and a body that trickles in is cut off; on real connections. */
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { limits } from '../../../../protocols/limits.ts';
import { problemView } from '../../../../runtime/api/schemas/views.ts';
import { serveApi } from '../../../../runtime/api/server.ts';
import { createLogger } from '../../../../runtime/telemetry/logger.ts';
import { apiRig, app, service, type ApiRig } from '../rig.ts';

let rig: ApiRig;
beforeAll(async () => {
  rig = await apiRig();
  await rig.deploy(app('shop', service('web')));
});
afterAll(() => rig.end());

/** What is answered until the other end closes; our own end stays open. */
const heard = (socketPath: string, text: string): Promise<string> =>
  new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect({ path: socketPath }, () => socket.write(text));
    socket.setEncoding('utf8').on('data', (chunk: string) => (answer += chunk));
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
  });

/** What is answered when it ends behind `text`. */
const heardOfCut = (socketPath: string, text: string): Promise<string> =>
  new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect({ path: socketPath, allowHalfOpen: true }, () => socket.write(text));
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      answer += chunk;
      socket.end();
    });
    socket.on('close', () => resolve(answer));
    socket.on('end', () => socket.end());
    socket.on('error', reject);
  });

const upgrade = (more: string): string =>
  `GET /v1/containers/shop%2Fweb.1/exec HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-protocol: v1.exec.hivemind\r\n${more}\r\n`;

describe('a connection that', () => {
  test.each([
    ['is no HTTP', 'hello\r\n\r\n', 400, 'HM-API-REQUEST'],
    // Fuzz seed 874813 of the API.
    [
      'names a host of too many digits',
      'PUT /v1/secrets/pw HTTP/1.1\r\nhost: 99999999999999999999\r\ncontent-length: 3\r\nconnection: close\r\n\r\none',
      400,
      'HM-API-REQUEST',
    ],
    ['names no host', 'GET /livez HTTP/1.1\r\nconnection: close\r\n\r\n', 400, 'HM-API-REQUEST'],
    [
      'names two lengths',
      'GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n',
      400,
      'HM-API-REQUEST',
    ],
    ['wants a tunnel', 'CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n', 404, 'HM-API-ROUTE'],
    ['expects too much', 'GET /livez HTTP/1.1\r\nhost: x\r\nexpect: wonders\r\n\r\n', 400, 'HM-API-REQUEST'],
    [
      'has large headers',
      `GET /livez HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(limits.apiHeaderBytes)}\r\n\r\n`,
      431,
      'HM-API-HEADERS',
    ],
    [
      'upgrades with a wrong key',
      upgrade('sec-websocket-version: 13\r\nsec-websocket-key: x\r\n'),
      400,
      'HM-API-REQUEST',
    ],
    [
      'upgrades to an old version',
      upgrade('sec-websocket-version: 1\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n'),
      400,
      'HM-API-REQUEST',
    ],
  ])('%s is refused with a code', async (_, text, status, code) => {
    const answer = await heard(rig.api.socketPath, text);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    const body = answer.slice(answer.indexOf('{'), answer.lastIndexOf('}') + 1);
    expect(problemView.parse(JSON.parse(body))).toMatchObject({ code, status });
  });
});

// Fuzz seed 593324 of the API: the second one would be read as the answer to the next request.
test.each(['HEAD /v1/networks', 'GET /v1/nothing', 'PUT /v1/apps/shop'])(
  '%s that was answered before its body broke off gets no second answer',
  async (line) => {
    for (const host of ['', 'host: x\r\n'])
      for (const rest of ['', 'zz\r\n']) {
        const answer = await heardOfCut(
          rig.api.socketPath,
          `${line} HTTP/1.1\r\n${host}content-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n${rest}`,
        );
        expect(answer.match(/^HTTP\/1\.1 /gm), `${host}${rest}${answer}`).toHaveLength(1);
      }
  },
);

test('what stands behind a request ends the connection behind its answer, not instead of it', async () => {
  const answer = await heard(rig.api.socketPath, 'GET /v1/apps HTTP/1.1\r\nhost: x\r\n\r\nzz\r\n\r\n');
  expect(answer.match(/^HTTP\/1\.1 \d+/gm)).toEqual(['HTTP/1.1 200']);
});

test('a body that does not arrive in its time is told so and cut off', async () => {
  const { setTimer, ...clock } = rig.node.clock;
  const hasty = (ms: number, due: () => void) => setTimer(ms === limits.apiBodyMs ? 50 : ms, due);
  const api = await serveApi(
    { ...rig.node, clock: { ...clock, setTimer: hasty } },
    {
      socketPath: join(rig.directory, 'hasty.sock'),
      address: { host: '127.0.0.1', port: 0 },
      tokenPath: join(rig.directory, 'token'),
      importDir: join(rig.directory, 'hasty-import'),
      logger: createLogger({ level: 'silent', node: 'n1' }),
    },
  );
  try {
    const head =
      'PUT /v1/apps/shop HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"spec"';
    const answer = await heard(api.socketPath, head);
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(answer).toContain('HM-API-SLOW');
  } finally {
    await api.close();
  }
});
