/**
 * The cluster port against who may not enter: nothing that comes without a certificate of the cluster is heard by
 * anybody, and none of it stays.
 */
import { once } from 'node:events';
import { request } from 'node:https';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { CodedError } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import { HeapClock } from '../../../runtime/world/heap-clock.ts';
import { realClock } from '../../../runtime/world/real-clock.ts';
import type { TlsIdentity } from '../../../transport/secure/tls-identity.ts';
import { streamFrameBytes, type StreamConnection } from '../../../transport/stream-link.ts';
import { openWebSocketLink, type WebSocketLink } from '../../../transport/websocket/websocket-link.ts';
import {
  certificateMaker,
  type CertificateMaker,
  type NodeCertificate,
} from '../../kit/cluster/certificates.ts';
import { until } from '../../kit/until.ts';

const never = new AbortController().signal;
const week = 7 * 86_400_000;
let cluster: CertificateMaker;
let own: NodeCertificate;
let agent: NodeCertificate;
const links: WebSocketLink[] = [];

beforeAll(async () => {
  cluster = await certificateMaker();
  own = await cluster.node('n1', { role: 'server' });
  agent = await cluster.node('n2');
});

afterEach(async () => {
  for (const link of links.splice(0)) await link.close();
});

async function open(of = own, clock = realClock) {
  const link = await openWebSocketLink({ address: { host: '127.0.0.1', port: 0 }, tls: () => of.tls, clock });
  links.push(link);
  const met: StreamConnection[] = [];
  const heard: Uint8Array[] = [];
  const ended: string[] = [];
  link.accept((connection) => {
    met.push(connection);
    connection.hear({
      frame: (bytes) => void heard.push(bytes),
      drained: () => {},
      ended: ({ message }) => void ended.push(message),
    });
  });
  return { link, met, heard, ended, port: link.address.port };
}

/** A node of some cluster that dials this one; why it may not. */
async function refusalOf(who: NodeCertificate, link: WebSocketLink): Promise<string> {
  const theirs = await open(who);
  const dialled = theirs.link.dial({ id: own.id, address: link.address }, never);
  return dialled.then(
    () => 'connected',
    (thrown: CodedError) => `${thrown.reason.code} ${thrown.reason.message}`,
  );
}

async function gone(socket: Socket | TLSSocket): Promise<void> {
  socket.on('error', () => {});
  socket.resume();
  if (!socket.destroyed) await new Promise((resolve) => socket.once('close', resolve));
}

const upgrade = [
  'GET /v1/streams HTTP/1.1',
  'host: n1',
  'connection: upgrade',
  'upgrade: websocket',
  'sec-websocket-version: 13',
  'sec-websocket-protocol: hivemind.streams',
  'sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==',
].join('\r\n');

describe('who has no certificate of the cluster', () => {
  test.each([
    ['plain HTTP', 'GET / HTTP/1.1\r\nhost: n1\r\n\r\n', 'tls'],
    ['garbage', '\u0000\u0001\u0002 garbage', 'tls'],
  ] as const)('is cut off: %s', async (_, bytes, counted) => {
    const { link, met, port } = await open();
    const socket = connectTcp(port, '127.0.0.1');
    socket.write(bytes, 'latin1');
    await gone(socket);
    await until('it is counted', () => link.counts.refused[counted] === 1);
    expect(met).toEqual([]);
  });

  test.each([
    ['an upgrade', upgrade, 'certificate', '403'],
    ['another path', 'GET /v1/apps HTTP/1.1\r\nhost: n1', 'path', '404'],
    ['no HTTP', '\u0000\u0001\u0002', 'http', ''],
  ] as const)('is refused over TLS: %s', async (_, head, counted, status) => {
    const { link, met, port } = await open();
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
    let answer = '';
    socket.on('data', (bytes: Buffer) => (answer += bytes.toString()));
    socket.write(`${head}\r\n\r\n`);
    // What follows an upgrade that was refused is nobody's.
    socket.write(Buffer.from([0x82, 0x01, 0x00]));
    await gone(socket);
    expect(answer.split(' ')[1] ?? '').toBe(status);
    expect(link.counts.refused[counted]).toBe(1);
    expect(met).toEqual([]);
  });

  test('is refused with an older TLS', async () => {
    const { link, port } = await open();
    const { key, certificate: cert, authorities } = agent.tls;
    const ca = [...authorities];
    const socket = connectTls({ port, host: '127.0.0.1', key, cert, ca, maxVersion: 'TLSv1.2' });
    await gone(socket);
    expect(link.counts.refused['tls']).toBe(1);
  });

  test('is refused when another authority vouches, also under the same label', async () => {
    const { link, met } = await open();
    const others = await certificateMaker('decade');
    const same = await certificateMaker(cluster.label);
    expect(await refusalOf(await others.node('n2'), link)).toContain('HM-CLUSTER-FOREIGN');
    expect(await refusalOf(await same.node('n2'), link)).toContain('HM-CLUSTER-CERTIFICATE');
    expect(met).toEqual([]);
  });

  test.each([
    ['is over', -2 * week],
    ['is to come', 2 * week],
  ])('is refused, and told why, when the term of its certificate %s', async (_, offMs) => {
    const { link, met } = await open();
    const late = await cluster.node('n3', { now: realClock.now() + offMs });
    // Its own clock agrees with its certificate: the other end alone can refuse it.
    const its = await openWebSocketLink({
      address: { host: '127.0.0.1', port: 0 },
      tls: () => late.tls,
      clock: realClock,
    });
    links.push(its);
    const refused = its.dial({ id: own.id, address: link.address }, never);
    await expect(refused).rejects.toThrow(/HM-CLUSTER-CERTIFICATE.*n3/);
    expect(met).toEqual([]);
  });

  test('may ask on the paths that are open to it, and on no other', async () => {
    const { link, met, port } = await open();
    link.onRequest('/v1/join', (_, response) => void response.end('welcome'));
    const asked = (path: string) =>
      new Promise<string>((resolve, reject) => {
        const options = {
          port,
          host: '127.0.0.1',
          path,
          method: 'POST',
          rejectUnauthorized: false,
          agent: false,
        };
        const ask = request(options, (response) => {
          let text = '';
          response.on('data', (bytes: Buffer) => (text += bytes.toString()));
          response.on('end', () => resolve(`${response.statusCode} ${text}`));
        });
        ask.on('error', reject);
        ask.end('{}');
      });
    expect(await asked('/v1/join?x=1')).toBe('200 welcome');
    expect(await asked('/v1/join/')).toMatch(/^404 .*HM-API-ROUTE/);
    expect(met).toEqual([]);
  });

  test('who says nothing is cut off, and many of them leave room for others', async () => {
    const clock = new HeapClock(realClock.now());
    const { link, port } = await open(own, clock);
    const silent = Array.from({ length: limits.unprovenOfAddress + 6 }, () => connectTcp(port, '127.0.0.1'));
    const closed = silent.map(gone);
    await until('the surplus is cut off', () => link.counts.refused['crowded'] === 6);
    clock.step(limits.peerConnectMs);
    while (clock.step(1_000));
    await Promise.all(closed);
    expect(link.counts.refused['slow']).toBe(limits.unprovenOfAddress);
    const other = await open(agent);
    await other.link.dial({ id: own.id, address: link.address }, never);
  });
});

describe('who has a certificate', () => {
  async function socketOf(
    port: number,
    { key, certificate: cert, authorities }: TlsIdentity,
  ): Promise<WebSocket> {
    const socket = new WebSocket(`wss://127.0.0.1:${port}/v1/streams`, 'hivemind.streams', {
      key,
      cert,
      ca: [...authorities],
      checkServerIdentity: () => false,
    });
    socket.on('error', () => {});
    await once(socket, 'open');
    return socket;
  }

  test.each([
    ['text', (socket: WebSocket) => socket.send('{"hello":1}')],
    ['a frame that is too long', (socket: WebSocket) => socket.send(Buffer.alloc(streamFrameBytes + 1))],
    [
      'a message in very many pieces',
      (socket: WebSocket) => {
        for (let at = 0; at < 1_000; at += 1) socket.send(Buffer.alloc(1), { fin: false });
      },
    ],
  ])('is cut off after %s, and nothing of it is heard', async (_, send) => {
    const { heard, ended, port } = await open();
    const socket = await socketOf(port, agent.tls);
    send(socket);
    await once(socket, 'close');
    await until('it is told', () => ended.length === 1);
    expect(heard).toEqual([]);
  });

  test('gets no answers to pings: it could make this end write without reading', async () => {
    const { met, port } = await open();
    const socket = await socketOf(port, agent.tls);
    let pongs = 0;
    socket.on('pong', () => (pongs += 1));
    for (let at = 0; at < 100; at += 1) socket.ping('x'.repeat(100));
    socket.send(Buffer.from([1]));
    await until('it is there', () => met.length === 1);
    met[0]!.send(new Uint8Array([1]));
    await once(socket, 'message');
    expect(pongs).toBe(0);
    socket.close();
  });

  test('is another than the one at the other end says', async () => {
    const { met, port } = await open();
    await socketOf(port, agent.tls);
    await until('it is there', () => met.length === 1);
    expect(met[0]!.peer).toEqual({ id: agent.id, name: 'n2', role: 'agent' });
  });
});

describe('certificates', () => {
  test('are exchanged without a restart', async () => {
    let shows = own;
    const link = await openWebSocketLink({
      address: { host: '127.0.0.1', port: 0 },
      tls: () => shows.tls,
      clock: realClock,
    });
    links.push(link);
    link.accept((connection) => connection.hear({ frame: () => {}, drained: () => {}, ended: () => {} }));
    const serial = async (): Promise<string> => {
      const socket = connectTls({ port: link.address.port, host: '127.0.0.1', rejectUnauthorized: false });
      await once(socket, 'secureConnect');
      const { serialNumber } = socket.getPeerX509Certificate()!;
      socket.destroy();
      return serialNumber;
    };
    const before = await serial();
    shows = await cluster.renewed(own);
    link.renew();
    expect(await serial()).not.toBe(before);
    const other = await open(agent);
    expect((await other.link.dial({ id: own.id, address: link.address }, never)).peer.id).toBe(own.id);
  });

  test('a connection does not outlive the one it was made with', async () => {
    const clock = new HeapClock(realClock.now());
    const { link, met, ended } = await open(own, clock);
    const short = await cluster.node('n4', { now: realClock.now() - week + 120_000 });
    const other = await open(short);
    const connection = await other.link.dial({ id: own.id, address: link.address }, never);
    const heard: string[] = [];
    connection.hear({ frame: () => {}, drained: () => {}, ended: ({ code }) => void heard.push(code) });
    await until('it is there', () => met.length === 1);
    await clock.advance(60_000);
    expect(ended).toEqual([]);
    await clock.advance(120_000);
    await until('both ends hear of it', () => heard.length + ended.length === 2);
    expect(ended[0]).toContain('out of its term');
  });
});
