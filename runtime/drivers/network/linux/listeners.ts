/**
 * Who listens on this machine, from `/proc/net/{tcp,tcp6,udp,udp6}`. Our own published ports are rules, not sockets:
 * they do not show here. Pure.
 */
import { formatAddress, parseAddress } from '../../../../protocols/network/cidr.ts';

export interface Listener {
  readonly protocol: 'tcp' | 'udp';
  /** IPv4 text; `undefined` for every address, and for `::`, which on Linux takes IPv4 in as well. */
  readonly address: string | undefined;
  readonly port: number;
}

const listening = '0A';
const bound = '07';

/** One table; lines that are none are passed over. */
export function parseListeners(protocol: 'tcp' | 'udp', table: string): readonly Listener[] {
  const found: Listener[] = [];
  for (const line of table.split('\n')) {
    const [, local = '', , state] = line.trim().split(/\s+/);
    if (state !== (protocol === 'tcp' ? listening : bound)) continue;
    const [address = '', port = ''] = local.split(':');
    const reached = addressOf(address);
    if (reached) found.push({ protocol, ...reached, port: Number.parseInt(port, 16) });
  }
  return found;
}

/** `undefined` for one address of IPv6. Words of 32 bits, each with its bytes in the machine's order: little-endian on every machine that we serve. */
function addressOf(hex: string): Pick<Listener, 'address'> | undefined {
  const start = hex.slice(0, -8);
  const last = hex.slice(-8).match(/../g) ?? [];
  const number = Number.parseInt(last.reverse().join(''), 16);
  const mapped = start === '0000000000000000FFFF0000';
  if (start === '' || mapped) return { address: number === 0 ? undefined : formatAddress(number) };
  return /^0+$/.test(hex) ? { address: undefined } : undefined;
}

/** Whether a published port and a listener want the same. A port of all addresses would cover up every listener on it. */
export function collides(
  wanted: { readonly hostAddress: string; readonly hostPort: number; readonly protocol: 'tcp' | 'udp' },
  listener: Listener,
): boolean {
  if (wanted.hostPort !== listener.port || wanted.protocol !== listener.protocol) return false;
  const everywhere = parseAddress(wanted.hostAddress) === 0;
  return everywhere || listener.address === undefined || listener.address === wanted.hostAddress;
}
