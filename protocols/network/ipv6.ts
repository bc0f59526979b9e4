/** IPv6 addresses as text, each in the one form that the kernel writes (RFC 5952). Containers have none. */
import { formatAddress, parseAddress } from './cidr.ts';

/** Eight groups of sixteen bits; an IPv4 tail is allowed, a zone is not. `undefined` for anything else. */
export function parseIpv6(text: string): readonly number[] | undefined {
  const halves = text.split('::');
  if (halves.length > 2 || !/^[0-9a-f:.]{2,45}$/i.test(text)) return undefined;
  const read = halves.map((half, at) => groupsOf(half, at === halves.length - 1));
  const [head, tail = []] = read;
  if (!head || read.includes(undefined)) return undefined;
  const named = head.length + tail.length;
  if (halves.length === 1) return named === 8 ? head : undefined;
  return named < 8 ? [...head, ...Array<number>(8 - named).fill(0), ...tail] : undefined;
}

function groupsOf(half: string, last: boolean): readonly number[] | undefined {
  if (half === '') return [];
  const groups: number[] = [];
  for (const [at, part] of half.split(':').entries()) {
    const ipv4 = last && at === half.split(':').length - 1 ? parseAddress(part) : undefined;
    if (ipv4 !== undefined) groups.push(Math.floor(ipv4 / 65_536), ipv4 % 65_536);
    else if (/^[0-9a-f]{1,4}$/i.test(part)) groups.push(Number.parseInt(part, 16));
    else return undefined;
  }
  return groups;
}

export function formatIpv6(groups: readonly number[]): string {
  const run = longestZeros(groups);
  const hex = (some: readonly number[]): string => some.map((group) => group.toString(16)).join(':');
  if (run.length < 2) return hex(groups);
  return `${hex(groups.slice(0, run.start))}::${hex(groups.slice(run.start + run.length))}`;
}

function longestZeros(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start++) {
    let length = 0;
    while (groups[start + length] === 0) length += 1;
    if (length > best.length) best = { start, length };
  }
  return best;
}

/** An address of either family as the kernel writes it; the text itself when it is none. */
export function plainAddress(text: string): string {
  const groups = text.includes(':') ? parseIpv6(text) : undefined;
  if (groups) return formatIpv6(groups);
  const number = parseAddress(text);
  return number === undefined ? text : formatAddress(number);
}

export const isIpv6Text = (address: string): boolean => address.includes(':');

/** Why nobody can listen there, in words that follow the address. */
export function unfitAddress(address: string): string | undefined {
  const groups = parseIpv6(address);
  if (!groups) return undefined;
  const [first = 0] = groups;
  if ((first & 0xffc0) === 0xfe80) return 'belongs to one link, which a port cannot name';
  if ((first & 0xff00) === 0xff00) return 'is the address of a group';
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff)
    return 'is an IPv4 address in the form of IPv6';
  return undefined;
}

/** Whether a port of one address would be one of the other as well: `0.0.0.0` is every address, `::` every IPv6 one. */
export function addressesMeet(one: string, other: string): boolean {
  if (one === other || one === '0.0.0.0' || other === '0.0.0.0') return true;
  return isIpv6Text(one) && isIpv6Text(other) && (one === '::' || other === '::');
}

/** Which of these addresses a machine with those does not have. */
export function lackedAddresses(wanted: readonly string[], held: readonly string[]): readonly string[] {
  return [...new Set(wanted)].filter(
    (address) =>
      address !== '0.0.0.0' && address !== '::' && !address.startsWith('127.') && !held.includes(address),
  );
}
