/** The name server over real sockets on loopback addresses, with upstreams of the test's own. */
import { createSocket, type Socket } from 'node:dgram';
import { connect, createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import packet, { type DecodedPacket, type Packet } from 'dns-packet';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../../../../protocols/limits.ts';
import { createNameServer, type CountingNameServer } from '../../../../runtime/drivers/dns/server.ts';
import { HeapClock } from '../../../../runtime/world/heap-clock.ts';
import { seededRandom } from '../../../../runtime/world/seeded-random.ts';
import { newCall, refusal } from '../../../kit/port-call.ts';
import { until } from '../../../kit/until.ts';

const address = '127.0.0.1';
const zone = {
  names: [
    { app: 'shop', service: 'web', index: 1, address: '10.42.0.2' },
    { app: 'shop', service: 'web', index: 2, address: '10.42.0.3' },
    { app: 'shop', service: 'db', index: 1, address: '10.42.0.4' },
    ...Array.from({ length: 90 }, (_, n) => ({
      app: 'shop',
      service: 'many',
      index: n + 1,
      address: `10.42.1.${n}`,
    })),
  ],
  clients: [{ app: 'shop', address }],
};

let clock: HeapClock;
let server: CountingNameServer;
let port: number;
let client: Socket;
const opened: (Socket | Server)[] = [];

/** A port where both doors are free just now. */
async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((done) => probe.listen(0, address, () => done()));
  const { port: free } = probe.address() as AddressInfo;
  await new Promise((done) => probe.close(done));
  return free;
}

async function boundUdp(heard: (bytes: Buffer, reply: (bytes: Buffer) => void) => void): Promise<number> {
  const socket = createSocket('udp4');
  opened.push(socket);
  socket.on('message', (bytes, from) =>
    heard(bytes, (answer) => socket.send(answer, from.port, from.address)),
  );
  await new Promise<void>((done) => socket.bind(0, address, () => done()));
  return socket.address().port;
}

const listen = (upstreams: readonly string[] = []) => server.listen({ address, port, upstreams }, newCall());

beforeEach(async () => {
  clock = new HeapClock();
  server = createNameServer({ clock, random: seededRandom(1) });
  port = await freePort();
  client = createSocket('udp4');
  opened.push(client);
  await new Promise<void>((done) => client.bind(0, address, () => done()));
  await server.update(zone, newCall());
});
afterEach(async () => {
  await server.close({}, newCall());
  await Promise.all(opened.splice(0).map((one) => new Promise<void>((done) => one.close(() => done()))));
});

const question = (name: string, type: string, more: Partial<Packet> = {}): Buffer =>
  packet.encode({
    type: 'query',
    id: 4711,
    flags: packet.RECURSION_DESIRED,
    questions: [{ name, type: type as 'A', class: 'IN' }],
    ...more,
  });

async function askUdp(bytes: Buffer): Promise<DecodedPacket & { size: number }> {
  const answered = new Promise<Buffer>((done) => client.once('message', done));
  client.send(bytes, port, address);
  const answer = await answered;
  return { ...packet.decode(answer), size: answer.length };
}

function askTcp(...queries: Buffer[]): Promise<DecodedPacket[]> {
  return new Promise((resolve, reject) => {
    const stream = connect({ port, host: address });
    let buffered = Buffer.alloc(0);
    const answers: DecodedPacket[] = [];
    stream.on('error', reject);
    stream.on('data', (chunk) => {
      buffered = Buffer.concat([buffered, chunk as Buffer]);
      while (buffered.length >= 2 && buffered.length >= 2 + buffered.readUInt16BE(0)) {
        answers.push(packet.decode(buffered.subarray(2, 2 + buffered.readUInt16BE(0))));
        buffered = buffered.subarray(2 + buffered.readUInt16BE(0));
      }
      if (answers.length < queries.length) return;
      stream.destroy();
      resolve(answers);
    });
    const framed = queries.map((query) =>
      Buffer.concat([Buffer.from([query.length >> 8, query.length & 255]), query]),
    );
    stream.write(Buffer.concat(framed));
  });
}

const addressesIn = (answer: DecodedPacket): unknown[] =>
  (answer.answers ?? []).map((record) => ('data' in record ? record.data : undefined));
const rcode = (answer: DecodedPacket): number => (answer.flags ?? 0) & 15;

describe('its own zone', () => {
  it('is answered with the question, authority and a short life', async () => {
    await listen();
    const answer = await askUdp(question('dB.shop.hive.internal', 'A'));
    expect(answer).toMatchObject({ id: 4711, type: 'response', flag_aa: true, flag_rd: true, flag_ra: true });
    expect(answer.questions).toMatchObject([{ name: 'dB.shop.hive.internal', type: 'A' }]);
    expect(answer.answers).toMatchObject([
      { name: 'dB.shop.hive.internal', type: 'A', ttl: limits.dnsTtlS, data: '10.42.0.4' },
    ]);
  });

  it('says no with how long the no holds', async () => {
    await listen();
    const missing = await askUdp(question('cache.shop.hive.internal', 'A'));
    expect(rcode(missing)).toBe(3);
    expect(missing.authorities).toMatchObject([{ type: 'SOA', name: 'hive.internal', data: { minimum: 1 } }]);
    const empty = await askUdp(question('db', 'AAAA'));
    expect(rcode(empty)).toBe(0);
    expect(empty.answers).toEqual([]);
    expect(empty.authorities).toHaveLength(1);
    const pointer = await askUdp(question('4.0.42.10.in-addr.arpa', 'PTR'));
    expect(addressesIn(pointer)).toEqual(['1.db.shop.hive.internal']);
  });

  it('changes with the next update, at once', async () => {
    await listen();
    await server.update({ ...zone, names: [] }, newCall());
    expect(rcode(await askUdp(question('db.shop.hive.internal', 'A')))).toBe(3);
  });

  it('turns for a client that asks for A and AAAA in step', async () => {
    await listen();
    const first: unknown[] = [];
    for (let n = 0; n < 4; n++) {
      first.push(addressesIn(await askUdp(question('web', 'A')))[0]);
      await askUdp(question('web', 'AAAA'));
    }
    expect(first).toEqual(['10.42.0.2', '10.42.0.3', '10.42.0.2', '10.42.0.3']);
  });

  it('is cut for datagrams that cannot hold it, and whole by TCP', async () => {
    await listen();
    const plain = await askUdp(question('many', 'A'));
    expect(plain).toMatchObject({ flag_tc: true, answers: [], id: 4711 });
    const options = { type: 'OPT', name: '.', udpPayloadSize: 65_000, flags: 0, options: [] };
    const edns = await askUdp(question('many', 'A', { additionals: [options as never] }));
    expect(edns).toMatchObject({ flag_tc: true, answers: [] });
    expect(edns.additionals).toMatchObject([{ type: 'OPT', udpPayloadSize: 1_232 }]);
    const [whole, small] = await askTcp(question('many', 'A'), question('db', 'A'));
    expect(addressesIn(whole!)).toHaveLength(90);
    expect(addressesIn(small!)).toEqual(['10.42.0.4']);
  });

  it('fits larger datagrams where the asker takes them', async () => {
    await listen();
    await server.update({ ...zone, names: zone.names.slice(0, 20) }, newCall());
    const options = { type: 'OPT', name: '.', udpPayloadSize: 4_096, flags: 0, options: [] };
    expect(await askUdp(question('many.shop.hive.internal', 'A'))).toMatchObject({ flag_tc: true });
    const answer = await askUdp(
      question('many.shop.hive.internal', 'A', { additionals: [options as never] }),
    );
    expect(addressesIn(answer)).toHaveLength(17);
    expect(answer.size).toBeGreaterThan(512);
  });
});

describe('what is not a question', () => {
  it('gets the refusal that the protocol has for it', async () => {
    await listen();
    expect(rcode(await askUdp(question('db', 'A', { flags: 5 << 11 })))).toBe(4);
    const twice = [1, 2].map((n) => ({ name: `web${n}`, type: 'A' as const, class: 'IN' as const }));
    expect(rcode(await askUdp(question('db', 'A', { questions: twice })))).toBe(1);
    expect(
      rcode(
        await askUdp(
          question('db', 'A', { questions: [{ name: 'version.bind', type: 'TXT', class: 'CH' }] }),
        ),
      ),
    ).toBe(5);
  });

  it('is counted, and the server still answers', async () => {
    await listen();
    client.send(Buffer.from('no question'), port, address);
    client.send(question('db', 'A').subarray(0, 18), port, address);
    await until('both are counted', () => server.counts.malformed === 2);
    expect(addressesIn(await askUdp(question('db', 'A')))).toEqual(['10.42.0.4']);
  });
});

describe('names of others', () => {
  /** An upstream that answers 192.0.2.80 to everything, and counts. */
  const upstream = async (): Promise<{ at: string; asked: () => number }> => {
    let asked = 0;
    const at = await boundUdp((bytes, reply) => {
      asked += 1;
      const { id = 0, questions = [] } = packet.decode(bytes);
      const name = questions[0]?.name ?? '';
      reply(
        packet.encode({
          type: 'response',
          id,
          questions,
          answers: [{ name, type: 'A', ttl: 60, data: '192.0.2.80' }],
        }),
      );
    });
    return { at: `${address}#${at}`, asked: () => asked };
  };

  it('are asked upstream, and equal questions once', async () => {
    const { at, asked } = await upstream();
    await listen([at]);
    for (let n = 0; n < 3; n++) {
      const answer = await askUdp(question('example.org', 'A'));
      expect(answer.id).toBe(4711);
      expect(addressesIn(answer)).toEqual(['192.0.2.80']);
    }
    expect(asked()).toBe(1);
    await clock.advance(2_000);
    await askUdp(question('example.org', 'A'));
    expect(asked()).toBe(2);
    expect(server.counts).toMatchObject({ forwarded: 4, failed: 0 });
  });

  it("are asked of a container's own servers in place of the node's, and not of them by others", async () => {
    const [nodes, own] = [await upstream(), await upstream()];
    await listen([nodes.at]);
    await server.update({ ...zone, clients: [{ app: 'shop', address, dns: [own.at] }] }, newCall());
    await askUdp(question('example.org', 'A'));
    await askUdp(question('web', 'A'));
    expect([nodes.asked(), own.asked()]).toEqual([0, 1]);
    await server.update(zone, newCall());
    await askUdp(question('example.org', 'A'));
    expect([nodes.asked(), own.asked()]).toEqual([1, 1]);
  });

  it('are asked of the next upstream when the first is silent', async () => {
    let heard = 0;
    const silent = await boundUdp(() => (heard += 1));
    const { at } = await upstream();
    await listen([`${address}#${silent}`, at]);
    const answer = askUdp(question('example.org', 'A'));
    await until('the first was asked', () => heard === 1);
    await clock.advance(limits.dnsForwardMs / 2);
    expect(addressesIn(await answer)).toEqual(['192.0.2.80']);
    expect(clock.timers).toBe(0);
  });

  it('fail when nobody answers, and at once when there is nobody to ask', async () => {
    await listen();
    expect(rcode(await askUdp(question('example.org', 'A')))).toBe(2);
    let heard = 0;
    const silent = await boundUdp(() => (heard += 1));
    await listen([`${address}#${silent}`]);
    const answer = askUdp(question('example.org', 'A'));
    for (const asked of [1, 2]) {
      await until(`it was asked ${asked} times`, () => heard === asked);
      await clock.advance(limits.dnsForwardMs / 2);
    }
    expect(rcode(await answer)).toBe(2);
    expect(server.counts.failed).toBe(2);
  });

  it('are believed only from who was asked, and only what was asked', async () => {
    const stranger = createSocket('udp4');
    opened.push(stranger);
    let wrong = 0;
    const at = await boundUdp((bytes, reply) => {
      const { id = 0, questions = [] } = packet.decode(bytes);
      const lie = (name: string, type: 'query' | 'response') =>
        packet.encode({
          type,
          id,
          questions: [{ ...questions[0]!, name }],
          answers: [{ name, type: 'A', data: '203.0.113.6' }],
        });
      reply(lie('example.com', 'response'));
      reply(lie('example.org', 'query'));
      reply(Buffer.from([bytes[0]!, bytes[1]!, 0x80]));
      wrong += 1;
      reply(
        packet.encode({
          type: 'response',
          id,
          questions,
          answers: [{ name: 'example.org', type: 'A', data: '192.0.2.80' }],
        }),
      );
    });
    await listen([`${address}#${at}`]);
    expect(addressesIn(await askUdp(question('example.org', 'A')))).toEqual(['192.0.2.80']);
    expect(wrong).toBe(1);
  });

  it('go by TCP when they came by TCP', async () => {
    const whole = Array.from({ length: 60 }, (_, n) => ({
      name: 'big.example',
      type: 'A' as const,
      data: `192.0.2.${n}`,
    }));
    const streams = createServer((stream) => {
      stream.on('error', () => undefined);
      stream.on('data', (chunk) => {
        const { id = 0, questions = [] } = packet.decode((chunk as Buffer).subarray(2));
        const answer = packet.streamEncode({ type: 'response', id, questions, answers: whole });
        // In pieces, as networks do.
        stream.write(answer.subarray(0, 1));
        stream.write(answer.subarray(1));
      });
    });
    opened.push(streams);
    await new Promise<void>((done) => streams.listen(0, address, () => done()));
    await listen([`${address}#${(streams.address() as AddressInfo).port}`]);
    const [answer] = await askTcp(question('big.example', 'A'));
    expect(addressesIn(answer!)).toHaveLength(60);
  });

  it('wait in bounded number: the one too many fails at once', async () => {
    let heard = 0;
    const silent = await boundUdp(() => (heard += 1));
    await listen([`${address}#${silent}`]);
    const answered: number[] = [];
    client.on('message', (bytes) => answered.push(packet.decode(bytes).id ?? 0));
    for (let sent = 0; sent < limits.dnsForwards; sent += 50) {
      for (let n = sent; n < sent + 50; n++)
        client.send(question(`n${n}.example`, 'A', { id: n }), port, address);
      await until('these are waiting', () => server.counts.forwarded === sent + 50);
    }
    client.send(question('one.too.many', 'A', { id: 50_000 }), port, address);
    await until('it has failed', () => answered.length > 0);
    expect(answered).toEqual([50_000]);
    expect(server.counts.failed).toBe(1);
  });
});

describe('its doors', () => {
  it('stay open through a repeated listen, move with another, and close without a trace', async () => {
    await listen();
    await listen();
    expect(addressesIn(await askUdp(question('db', 'A')))).toEqual(['10.42.0.4']);
    const other = await freePort();
    await server.listen({ address, port: other, upstreams: [] }, newCall());
    const before = port;
    port = other;
    expect(addressesIn(await askUdp(question('db', 'A')))).toEqual(['10.42.0.4']);
    await server.close({}, newCall());
    await server.close({}, newCall());
    for (const free of [before, other]) {
      const probe = createServer();
      opened.push(probe);
      await new Promise<void>((done, failed) =>
        probe.on('error', failed).listen(free, address, () => done()),
      );
    }
  });

  it.each(['udp', 'tcp'] as const)('say who stands in the way: %s', async (protocol) => {
    if (protocol === 'udp') {
      const socket = createSocket('udp4');
      opened.push(socket);
      await new Promise<void>((done) => socket.bind(port, address, () => done()));
    } else {
      const taken = createServer();
      opened.push(taken);
      await new Promise<void>((done) => taken.listen(port, address, () => done()));
    }
    const because = await refusal(listen());
    expect(because).toMatchObject({ code: 'HM-DNS-LISTEN', evidence: { address, port } });
    await Promise.all(opened.splice(1).map((one) => new Promise<void>((done) => one.close(() => done()))));
    await listen();
    expect(addressesIn(await askUdp(question('db', 'A')))).toEqual(['10.42.0.4']);
  });
});
