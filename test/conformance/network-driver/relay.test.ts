/** Real connections and datagrams by published ports at IPv6 addresses, on the loopback of this machine. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { networkInterfaces } from 'node:os';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import type { Publication } from '../../../protocols/network/model.ts';
import { Relay, type Backend } from '../../../runtime/drivers/network/relay/relay.ts';
import { realClock } from '../../kit/containerd.ts';
import { until } from '../../kit/until.ts';

const missing = Object.values(networkInterfaces()).some((held) => held?.some((one) => one.address === '::1'))
  ? ''
  : ' (skipped: no IPv6)';

describe.skipIf(missing)(`published ports at IPv6 addresses${missing}`, () => {
  const relay = new Relay(realClock);
  const ends: (() => void)[] = [];
  afterEach(() => {
    relay.close();
    for (const end of ends.splice(0)) end();
  });

  const listen = async (server: Server, host: string, port = 0): Promise<Backend> => {
    server.listen({ host, port });
    await once(server, 'listening');
    ends.push(() => server.close());
    return { address: host, port: (server.address() as AddressInfo).port };
  };
  /** Says its name, then back what it hears, until the caller has said all. */
  const echo = (name: string): Promise<Backend> =>
    listen(
      createServer({ allowHalfOpen: true }, (caller) => {
        caller.on('error', () => undefined);
        caller.write(`${name}\n`);
        caller.pipe(caller);
      }),
      '127.0.0.1',
    );
  /** Of IPv6, that nobody has. */
  const freePort = async (): Promise<number> => {
    const server = createServer();
    const { port } = await listen(server, '::');
    server.close();
    await once(server, 'close');
    return port;
  };
  const wish = (
    hostAddress: string,
    hostPort: number,
    protocol: 'tcp' | 'udp',
    ...backends: Backend[]
  ): Publication => ({ port: { hostAddress, hostPort, containerPort: 80, protocol }, backends });

  const caller = (port: number, host = '::1') => {
    const socket = connect({ host, port, allowHalfOpen: true });
    ends.push(() => socket.destroy());
    return socket;
  };
  const ask = async (port: number, said = '', host = '::1'): Promise<string> => {
    const socket = caller(port, host);
    socket.end(said);
    return text(socket).catch((error: NodeJS.ErrnoException) => error.code ?? '');
  };

  it.each(['0.0.0.0', '::', '::1'])('passes a connection on that comes by %s, both ways', async (address) => {
    const port = await freePort();
    await relay.set([wish(address, port, 'tcp', await echo('one'))]);
    expect(await ask(port, 'hello')).toBe('one\nhello');
    const much = 'x'.repeat(4_000_000);
    expect(await ask(port, much)).toBe(`one\n${much}`);
  });

  it('leaves IPv4 to others: a port of IPv4 alone, and the same port of all addresses', async () => {
    const port = await freePort();
    await relay.set([
      wish('127.0.0.1', port, 'tcp', await echo('one')),
      wish('::1', port, 'udp', { address: '127.0.0.1', port: 9 }),
    ]);
    expect(await ask(port)).toBe('ECONNREFUSED');
    await relay.set([wish('0.0.0.0', port, 'tcp', await echo('one'))]);
    expect(await ask(port)).toBe('one\n');
    expect(await ask(port, '', '127.0.0.1')).toBe('ECONNREFUSED');
  });

  it('spreads over the backends, leads new connections to those of now, and keeps those of before', async () => {
    const port = await freePort();
    const [one, two, three] = await Promise.all(['one', 'two', 'three'].map(echo));
    await relay.set([wish('::1', port, 'tcp', one!, two!)]);
    const said = await Promise.all(Array.from({ length: 4 }, () => ask(port)));
    expect([...new Set(said)].sort()).toEqual(['one\n', 'two\n']);
    const long = caller(port);
    const [before] = (await once(long, 'data')) as [Buffer];
    await relay.set([wish('::1', port, 'tcp', three!)]);
    expect(await ask(port)).toBe('three\n');
    await relay.set([]);
    long.write('still');
    const [after] = (await once(long, 'data')) as [Buffer];
    expect([before.toString(), after.toString()]).toEqual(['one\n', 'still']);
  });

  it('refuses at once what has no backend, what is not wished, and what its backend refuses', async () => {
    const port = await freePort();
    await relay.set([wish('::1', port, 'tcp')]);
    expect(await ask(port)).toBe('ECONNREFUSED');
    await relay.set([wish('::1', port, 'tcp', { address: '127.0.0.1', port: await freePort() })]);
    expect(await ask(port)).toBe('ECONNRESET');
    await relay.set([]);
    expect(await ask(port)).toBe('ECONNREFUSED');
  });

  it('tries again where somebody else listened, and knows its own sockets', async () => {
    const port = await freePort();
    const foreign = createServer((socket) => socket.end('foreign'));
    await listen(foreign, '::1', port);
    const place = { protocol: 'tcp', address: '::1', port } as const;
    await relay.set([wish('::1', port, 'tcp', await echo('one'))]);
    expect([await ask(port), relay.holds(place)]).toEqual(['foreign', false]);
    foreign.close();
    await once(foreign, 'close');
    await relay.look();
    expect([await ask(port), relay.holds(place)]).toEqual(['one\n', true]);
    expect(relay.holds({ ...place, protocol: 'udp' })).toBe(false);
  });

  it('passes datagrams on, to the backend of now', async () => {
    const port = await freePort();
    const named = async (name: string): Promise<Backend> => {
      const socket = createSocket('udp4', (bytes, from) =>
        socket.send(`${name} ${bytes.toString()}`, from.port, from.address),
      );
      socket.bind(0, '127.0.0.1');
      await once(socket, 'listening');
      ends.push(() => socket.close());
      return { address: '127.0.0.1', port: socket.address().port };
    };
    const client = createSocket('udp6');
    ends.push(() => client.close());
    const said = async (words: string): Promise<string> => {
      const heard = once(client, 'message') as Promise<[Buffer]>;
      client.send(words, port, '::1');
      return (await heard)[0].toString();
    };
    const [one, two] = [await named('one'), await named('two')];
    await relay.set([wish('0.0.0.0', port, 'udp', one)]);
    expect([await said('a'), await said('b')]).toEqual(['one a', 'one b']);
    await relay.set([wish('0.0.0.0', port, 'udp', two)]);
    expect([await said('c'), await said('d')]).toEqual(['two c', 'two d']);
  });

  it('ends everything when it is closed', async () => {
    const port = await freePort();
    await relay.set([wish('::1', port, 'tcp', await echo('one'))]);
    const long = caller(port);
    await once(long, 'data');
    relay.close();
    await once(long, 'end');
    expect(await ask(port)).toBe('ECONNREFUSED');
    await until('no passage is left', () => relay.counts.open === 0);
  });
});
