/**
 * Who listens on this machine, from `/proc/net/{tcp,tcp6,udp,udp6}`. Our own published ports at IPv4 addresses are
 * rules, not sockets: they do not show here. Pure.
 */
import { formatAddress } from '../../../../protocols/network/cidr.ts';
import { formatIpv6, isIpv6Text } from '../../../../protocols/network/ipv6.ts';

export interface Listener {
  readonly protocol: 'tcp' | 'udp';
  /** As the kernel writes it. `::` takes IPv4 in as well, unless its owner says otherwise, which nobody else can see. */
  readonly address: string;
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
    found.push({ protocol, address: addressOf(address), port: Number.parseInt(port, 16) });
  }
  return found;
}

/** Words of 32 bits, each with its bytes in the machine's order: little-endian on every machine that we serve. */
function addressOf(hex: string): string {
  const words = (hex.match(/.{8}/g) ?? []).map((word) =>
    Number.parseInt(word.match(/../g)!.reverse().join(''), 16),
  );
  const last = words.at(-1) ?? 0;
  const mapped = hex.startsWith('0000000000000000FFFF0000');
  if (words.length < 4 || mapped) return formatAddress(last);
  return formatIpv6(words.flatMap((word) => [Math.floor(word / 65_536), word % 65_536]));
}

/** Whether a published port and a listener want the same. A port of all addresses would cover up every IPv4 listener on it. */
export function collides(
  wanted: { readonly hostAddress: string; readonly hostPort: number; readonly protocol: 'tcp' | 'udp' },
  { address, port, protocol }: Listener,
): boolean {
  if (wanted.hostPort !== port || wanted.protocol !== protocol) return false;
  const { hostAddress } = wanted;
  if (address === '::' || address === hostAddress) return true;
  if (isIpv6Text(hostAddress) !== isIpv6Text(address)) return false;
  return address === '0.0.0.0' || hostAddress === '0.0.0.0' || hostAddress === '::';
}
