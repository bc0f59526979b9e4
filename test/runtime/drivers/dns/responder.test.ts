/** Whatever bytes arrive: the responder never throws, answers at most once, and what it says can be read. */
import packet from 'dns-packet';
import { expect, it } from 'vitest';
import { createForwarder } from '../../../../runtime/drivers/dns/forwarder.ts';
import { Responder } from '../../../../runtime/drivers/dns/responder.ts';
import { HeapClock } from '../../../../runtime/world/heap-clock.ts';
import { seededRandom } from '../../../../runtime/world/seeded-random.ts';

const client = '10.42.0.2';
const options = { type: 'OPT', name: '.', udpPayloadSize: 4_096, flags: 0, options: [] } as never;
const ask = (name: string, type: 'A' | 'AAAA' | 'PTR', more: object = {}) =>
  packet.encode({ type: 'query', id: 7, questions: [{ name, type }], ...more });

const seeds = [
  ask('db.shop.hive.internal', 'A'),
  ask('web', 'AAAA', { additionals: [options] }),
  ask('3.0.42.10.in-addr.arpa', 'PTR'),
  packet.encode({
    type: 'query',
    id: 1,
    questions: [
      { name: 'x', type: 'A' },
      { name: 'y.z', type: 'SRV' },
    ],
  }),
  packet.encode({ type: 'response', id: 1, answers: [{ type: 'TXT', name: 'x', data: 'y' }] }),
];

it('100,000 mutated packets', () => {
  const random = seededRandom(42);
  const pick = (below: number) => Math.floor(random.next() * below);
  const responder = new Responder();
  responder.update({
    names: [{ app: 'shop', service: 'db', index: 1, address: '10.42.0.3' }],
    clients: [{ app: 'shop', address: client }],
  });
  const forwarder = createForwarder({ clock: new HeapClock(), random, upstreams: [] });
  let unreadable = 0;
  for (let n = 0; n < 100_000; n++) {
    const bytes = Buffer.from(seeds[n % seeds.length]!);
    for (let flips = pick(7); flips > 0; flips--) bytes[pick(bytes.length)] = pick(256);
    const packetBytes = pick(4) === 0 ? bytes.subarray(0, pick(bytes.length + 1)) : bytes;
    let answers = 0;
    responder.handle(
      packetBytes,
      client,
      'udp',
      () => forwarder,
      (answer) => {
        answers += 1;
        if (
          packet.decode(answer).type !== 'response' ||
          answer.readUInt16BE(0) !== packetBytes.readUInt16BE(0)
        )
          unreadable += 1;
      },
    );
    if (answers > 1) throw new Error(`packet ${n} was answered ${answers} times`);
  }
  expect(unreadable).toBe(0);
  const { answered, forwarded, malformed } = responder.counts;
  for (const count of [answered, forwarded, malformed]) expect(count).toBeGreaterThan(5_000);
});

it('is not caught in names that point at themselves', () => {
  const responder = new Responder();
  const forwarder = createForwarder({ clock: new HeapClock(), random: seededRandom(1), upstreams: [] });
  const loop = Buffer.from([0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 0x0c, 0, 1, 0, 1]);
  responder.handle(
    loop,
    client,
    'udp',
    () => forwarder,
    () => expect.unreachable(),
  );
  expect(responder.counts.malformed).toBe(1);
});
