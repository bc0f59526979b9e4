/** The name server with real sockets, on a loopback address, under the name server's conformance suite. */
import { createSocket } from 'node:dgram';
import packet from 'dns-packet';
import { createNameServer } from '../../../runtime/drivers/dns/server.ts';
import { seededRandom } from '../../../runtime/world/seeded-random.ts';
import { realClock } from '../../kit/containerd.ts';
import { newCall } from '../../kit/port-call.ts';
import { nameServerConformance } from './suite.ts';

const address = '127.0.0.1';

async function bound(port: number) {
  const socket = createSocket('udp4');
  await new Promise<void>((done, failed) => {
    socket.once('error', failed);
    socket.bind(port, address, () => done());
  });
  return { socket, close: () => new Promise<void>((done) => void socket.close(() => done())) };
}

function shown(bytes: Buffer): string {
  const { answers = [], flags = 0 } = packet.decode(bytes);
  if ((flags & 15) === 3) return 'nxdomain';
  const held = answers.flatMap((answer) =>
    answer.type === 'A' || answer.type === 'PTR' ? [answer.data] : [],
  );
  return held.length > 0 ? held.join(' ') : 'nodata';
}

nameServerConformance('sockets', async () => {
  const names = createNameServer({ clock: realClock, random: seededRandom(1) });
  const probe = await bound(0);
  const { port } = probe.socket.address();
  await probe.close();
  return {
    names,
    address,
    port,
    client: address,
    ask: async (name, type) => {
      const { socket, close } = await bound(0);
      const heard = new Promise<string>((resolve) => {
        // Connected: a port where nobody listens is refused by the kernel.
        socket.on('error', () => resolve('nobody'));
        socket.on('message', (bytes) => resolve(shown(bytes)));
      });
      await new Promise<void>((done) => socket.connect(port, address, () => done()));
      socket.send(packet.encode({ type: 'query', id: 1, questions: [{ name, type: type as 'A' }] }));
      const answer = await heard;
      await close();
      return answer;
    },
    occupy: async () => (await bound(port)).close,
    close: async () => {
      await names.close({}, newCall());
    },
  };
});
