/** The Linux driver without a namespace of its own reads this machine's tables: it only looks, so that anybody may run it. */
import { createSocket } from 'node:dgram';
import { createServer, type AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { createLinuxNetwork } from '../../../../runtime/drivers/network/linux/driver.ts';
import { realClock } from '../../../kit/containerd.ts';
import { newCall } from '../../../kit/port-call.ts';

it.skipIf(process.platform !== 'linux')('finds what listens here, by protocol and address', async () => {
  const server = createServer();
  const socket = createSocket('udp4');
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', () => done()));
  await new Promise<void>((done) => socket.bind(0, '127.0.0.1', () => done()));
  const port = (hostAddress: string, hostPort: number, protocol: 'tcp' | 'udp') => ({
    hostAddress,
    hostPort,
    protocol,
  });
  const tcp = port('0.0.0.0', (server.address() as AddressInfo).port, 'tcp');
  const udp = port('127.0.0.1', socket.address().port, 'udp');
  const elsewhere = { ...udp, hostAddress: '127.0.0.2' };
  const network = createLinuxNetwork({ clock: realClock, tag: 'zz' });
  expect(await network.taken({ ports: [tcp, udp, elsewhere] }, newCall())).toEqual({ taken: [tcp, udp] });
  await new Promise((done) => server.close(done));
  await new Promise<void>((done) => void socket.close(() => done()));
  expect(await network.taken({ ports: [tcp, udp] }, newCall())).toEqual({ taken: [] });
});
