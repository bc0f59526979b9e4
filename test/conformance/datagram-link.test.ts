/** Every datagram link under one suite: UDP over the loopback, and the network in memory, with each cipher. */
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import type { MemberAddress } from '../../protocols/membership/model.ts';
import { packetBytes } from '../../protocols/membership/packets.ts';
import { simulatedCipher } from '../../runtime/simulation/membership/cipher.ts';
import { HeapClock } from '../../runtime/world/heap-clock.ts';
import { seededRandom } from '../../runtime/world/seeded-random.ts';
import { datagramBytes, type DatagramLink, type ReceivedDatagram } from '../../transport/datagram-link.ts';
import { MemoryDatagrams } from '../../transport/memory/datagrams.ts';
import { openMemoryLink } from '../../transport/memory/memory-link.ts';
import { aesGcm } from '../../transport/secure/aes-gcm.ts';
import { KeyRing, ringKey } from '../../transport/secure/key-ring.ts';
import { SealedDatagrams } from '../../transport/secure/sealed-datagrams.ts';
import { openUdpLink } from '../../transport/udp/udp-link.ts';
import { until } from '../kit/until.ts';

const key = (fill: number) => ringKey(new Uint8Array(32).fill(fill));
const idOf = (digit: string): string => digit.repeat(32);

interface Arm {
  open(seal: SealedDatagrams, receive: (datagram: ReceivedDatagram) => void): Promise<DatagramLink>;
  /** Bytes that no link sealed. */
  throwAt(address: MemberAddress, bytes: Uint8Array): Promise<void>;
  /** Lets what was sent arrive. */
  settle(done: () => boolean): Promise<void>;
}

function memory(): Arm {
  const clock = new HeapClock();
  const network = new MemoryDatagrams(clock, seededRandom(1));
  let port = 0;
  return {
    open: async (seal, receive) =>
      openMemoryLink({ network, address: { host: '10.0.0.1', port: ++port }, seal, receive }),
    throwAt: async (to, bytes) => network.send('10.0.0.9 1', `${to.host} ${to.port}`, bytes),
    settle: async () => {
      while (clock.step());
    },
  };
}

function udp(): Arm {
  return {
    open: (seal, receive) => openUdpLink({ address: { host: '127.0.0.1', port: 0 }, seal, receive }),
    throwAt: async (to, bytes) => {
      const { createSocket } = await import('node:dgram');
      const socket = createSocket('udp4');
      await new Promise((sent) => socket.send(bytes, to.port, to.host, sent));
      socket.close();
    },
    settle: async (done) => {
      await until('what was sent has arrived', done);
    },
  };
}

describe.each([
  ['in memory', memory, aesGcm],
  ['in memory, by a checksum', memory, simulatedCipher],
  ['over UDP', udp, aesGcm],
  ['over UDP, by a checksum', udp, simulatedCipher],
] as const)('a datagram link %s', (_, arm, cipher) => {
  const opened: DatagramLink[] = [];
  afterEach(async () => {
    for (const link of opened.splice(0)) await link.close();
  });

  async function pair(ringOfB = new KeyRing([key(1)])) {
    const way = arm();
    const heard: ReceivedDatagram[] = [];
    const party = async (digit: string, ring: KeyRing, receive: (datagram: ReceivedDatagram) => void) => {
      const seal = new SealedDatagrams({ cipher, ring, label: 'shop', id: idOf(digit), boot: 3 });
      const link = await way.open(seal, receive);
      opened.push(link);
      return link;
    };
    const a = await party('a', new KeyRing([key(1)]), () => {});
    const b = await party('b', ringOfB, (datagram) => heard.push(datagram));
    return { a, b, heard, way };
  }

  test('carries bytes, and says who sent them from where', async () => {
    const { a, b, heard, way } = await pair();
    a.send(b.address, Uint8Array.of(1, 2, 3));
    await way.settle(() => heard.length === 1);
    expect(heard).toEqual([{ id: idOf('a'), boot: 3, address: a.address, bytes: Buffer.of(1, 2, 3) }]);
    expect(a.counts).toMatchObject({ sent: 1, failed: 0 });
    expect(b.counts).toMatchObject({ received: 1, receivedBytes: a.counts.sentBytes });
  });

  test('carries the longest packet, and nothing longer', async () => {
    const { a, b, heard, way } = await pair();
    a.send(b.address, new Uint8Array(datagramBytes));
    a.send(b.address, new Uint8Array(packetBytes).fill(7));
    await way.settle(() => heard.length === 1);
    expect(heard[0]!.bytes).toHaveLength(packetBytes);
    expect(a.counts).toMatchObject({ tooLong: 1, sent: 1 });
  });

  test('counts what is not from the cluster, and hands on none of it', async () => {
    const { a, b, heard, way } = await pair(new KeyRing([key(2)]));
    a.send(b.address, Uint8Array.of(1));
    await way.throwAt(b.address, new Uint8Array(100));
    await way.throwAt(b.address, new Uint8Array(0));
    await way.settle(() => b.counts.received === 3);
    expect(heard).toEqual([]);
    expect(b.counts.refused).toMatchObject({ 'unknown-key': 1, malformed: 2 });
  });

  test('exchanges its keys while it is in use', async () => {
    const { a, b, heard, way } = await pair(new KeyRing([key(2), key(1)]));
    a.send(b.address, Uint8Array.of(1));
    a.rotate(new KeyRing([key(2), key(1)]));
    a.send(b.address, Uint8Array.of(2));
    await way.settle(() => heard.length === 2);
    b.rotate(new KeyRing([key(2)]));
    a.send(b.address, Uint8Array.of(3));
    await way.settle(() => heard.length === 3);
    expect(b.counts.refused).toMatchObject({ 'unknown-key': 0, 'not-authentic': 0 });
  });

  test('sends to nobody, to nonsense and after it was closed without a word', async () => {
    const { a, b, heard, way } = await pair();
    const { address } = b;
    await b.close();
    a.send(address, Uint8Array.of(1));
    a.send({ host: '127.0.0.1', port: 0 }, Uint8Array.of(1));
    a.send({ host: 'not an address', port: 1 }, Uint8Array.of(1));
    await a.close();
    a.send(address, Uint8Array.of(2));
    await way.settle(() => true);
    expect(heard).toEqual([]);
    expect(a.counts.sent).toBe(3);
    opened.length = 0;
  });

  test('is not moved by bytes of any kind', async () => {
    const { a, b, heard, way } = await pair();
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 1_400 }), async (bytes) => {
        const before = b.counts.received;
        await way.throwAt(b.address, bytes);
        await way.settle(() => b.counts.received === before + 1);
      }),
      { numRuns: 100 },
    );
    expect(heard).toEqual([]);
    a.send(b.address, Uint8Array.of(1));
    await way.settle(() => heard.length === 1);
  });
});

test('an address that is taken, or not of this machine, is said', async () => {
  const seal = new SealedDatagrams({
    cipher: aesGcm,
    ring: new KeyRing([key(1)]),
    label: 'shop',
    id: idOf('a'),
    boot: 1,
  });
  const first = await openUdpLink({ address: { host: '127.0.0.1', port: 0 }, seal, receive: () => {} });
  for (const address of [first.address, { host: '192.0.2.1', port: 0 }]) {
    await expect(openUdpLink({ address, seal, receive: () => {} })).rejects.toMatchObject({
      reason: { code: 'HM-CLUSTER-LISTEN' },
    });
  }
  await first.close();
});
