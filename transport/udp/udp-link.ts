/** Sealed datagrams over UDP. */
import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { once } from 'node:events';
import { coded } from '../../protocols/errors.ts';
import type { MemberAddress } from '../../protocols/membership/model.ts';
import type { DatagramLink, ReceivedDatagram } from '../datagram-link.ts';
import { SealedLink } from '../sealed-link.ts';
import type { SealedDatagrams } from '../secure/sealed-datagrams.ts';

/** Room for a burst of a thousand members while the loop is busy; the kernel may grant less. */
const socketBytes = 4 * 1_048_576;

export interface UdpLinkOptions {
  /** An address of this machine; port 0 takes a free one. */
  readonly address: MemberAddress;
  readonly seal: SealedDatagrams;
  readonly receive: (datagram: ReceivedDatagram) => void;
}

/** Throws HM-CLUSTER-LISTEN when the address cannot be listened on. */
export async function openUdpLink({ address, seal, receive }: UdpLinkOptions): Promise<DatagramLink> {
  const socket = createSocket({ type: isIPv6(address.host) ? 'udp6' : 'udp4' });
  await bound(socket, address);
  const { port } = socket.address();
  const link: SealedLink = new SealedLink(
    {
      address: { host: address.host, port },
      carry: (to, bytes, failed) => {
        try {
          socket.send(bytes, to.port, to.host, (error) => {
            if (error) failed();
          });
        } catch {
          // Port 0, or a host that is no address.
          failed();
        }
      },
      close: async () => {
        socket.close();
        await once(socket, 'close');
      },
    },
    seal,
    receive,
  );
  socket.on('message', (bytes, { address: host, port: from }) => link.arrived({ host, port: from }, bytes));
  // An ICMP answer to something that was sent: that peer is not there, which probes find out.
  socket.on('error', () => (link.counts.failed += 1));
  return link;
}

async function bound(socket: Socket, { host, port }: MemberAddress): Promise<void> {
  try {
    socket.bind({ address: host, port, exclusive: true });
    await once(socket, 'listening');
  } catch (error) {
    socket.close();
    const { code = String(error) } = error as NodeJS.ErrnoException;
    throw coded('HM-CLUSTER-LISTEN', `cannot listen on UDP ${host} port ${port}: ${code}`);
  }
  try {
    socket.setRecvBufferSize(socketBytes);
    socket.setSendBufferSize(socketBytes);
  } catch {
    // The kernel's own sizes serve too.
  }
}
