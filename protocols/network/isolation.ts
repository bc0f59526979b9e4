/**
 * Who reaches whom among a node's containers, as parts of its nftables tables: each network is a set of addresses,
 * each combination of networks a chain that accepts their members, and a map leads from the sender to its chain. A
 * packet costs one look-up and as many more as its sender has networks.
 *
 * The same parts stand twice: packets between two containers of one block never leave the bridge (family `bridge`);
 * between blocks, to static addresses and by published ports they are routed (family `ip`). Pure.
 */
import { hashText } from '../hash.ts';
import type { JoinedNetwork, Member } from './model.ts';
import { isEnclosed, openNetwork } from './networks.ts';

export const families = ['ip', 'bridge'] as const;

const short = (text: string): string => hashText(text).slice(0, 10);
const setName = (id: string): string => (id === openNetwork ? 'net_open' : `net_${short(id)}`);
const idsOf = (networks: readonly JoinedNetwork[]): readonly string[] =>
  [...new Set(networks.map(({ id }) => id))].sort();
const chainOf = (networks: readonly JoinedNetwork[]): string =>
  `from_${short(idsOf(networks).map(setName).join(' '))}`;
const fixedOf = ({ networks }: Member): readonly string[] => networks.flatMap(({ address }) => address ?? []);

/** Every address of a member leads to its chain. */
function sourcesOf(member: Member): readonly string[] {
  return [member.address, ...fixedOf(member)].map(
    (address) => `${address} : goto ${chainOf(member.networks)}`,
  );
}

/** By set: a static address belongs to its own network alone. */
function placesOf(member: Member): readonly (readonly [set: string, address: string])[] {
  const { address, networks } = member;
  const own = networks.flatMap(({ id, address: fixed }) =>
    [address, ...(fixed === undefined ? [] : [fixed])].map((one) => [setName(id), one] as const),
  );
  const all = [address, ...fixedOf(member)];
  const closed = networks.some(({ id }) => id === openNetwork) ? [] : all;
  return [
    ...own,
    ...closed.map((one) => ['closed', one] as const),
    ...(isEnclosed(networks) ? all : []).map((one) => ['enclosed', one] as const),
    ...fixedOf(member).map((one) => ['fixed', one] as const),
  ];
}

const alwaysThere = ['closed', 'enclosed', 'fixed', setName(openNetwork)];

/** What `rulesetOf` checks before any of it becomes part of a rule. */
export function addressesOf(member: Member): readonly string[] {
  return [member.address, ...fixedOf(member)];
}

export interface Part {
  readonly kind: 'set' | 'map' | 'chain';
  readonly name: string;
  readonly lines: readonly string[];
}

/** Sets, map and chains of all members, in an order that depends on nothing but them. */
export function partsOf(members: readonly Member[]): readonly Part[] {
  const sets = new Map<string, Set<string>>(alwaysThere.map((name) => [name, new Set<string>()]));
  const chains = new Map<string, readonly string[]>();
  const sources = new Set<string>();
  for (const member of members) {
    for (const [set, address] of placesOf(member))
      sets.set(set, (sets.get(set) ?? new Set<string>()).add(address));
    chains.set(chainOf(member.networks), rulesOf(member.networks));
    for (const source of sourcesOf(member)) sources.add(source);
  }
  const byName = <Value>(a: readonly [string, Value], b: readonly [string, Value]): number =>
    a[0] < b[0] ? -1 : 1;
  return [
    ...[...sets].sort(byName).map(([name, held]): Part => {
      return { kind: 'set', name, lines: ['type ipv4_addr;', ...elements(held)] };
    }),
    ...[...chains].sort(byName).map(([name, lines]): Part => ({ kind: 'chain', name, lines })),
    { kind: 'map', name: 'sources', lines: ['type ipv4_addr : verdict;', ...elements(sources)] },
  ];
}

const elements = (held: ReadonlySet<string>): readonly string[] =>
  held.size === 0 ? [] : [`elements = { ${[...held].sort().join(', ')} }`];

const rulesOf = (networks: readonly JoinedNetwork[]): readonly string[] => [
  ...idsOf(networks).map((id) => `ip daddr @${setName(id)} accept`),
  'drop',
];

/**
 * Commands that add members to tables that stand, also to those of an earlier life of the daemon. nft refuses all of
 * them when one of the addresses leads to another chain already.
 */
export function joining(table: string, members: readonly Member[]): string {
  const lines = families.flatMap((family) => {
    const at = `${family} ${table}`;
    return members.flatMap((member) => [
      ...placesOf(member).flatMap(([set, address]) => [
        `add set ${at} ${set} { type ipv4_addr; }`,
        `add element ${at} ${set} { ${address} }`,
      ]),
      `add chain ${at} ${chainOf(member.networks)}`,
      `flush chain ${at} ${chainOf(member.networks)}`,
      ...rulesOf(member.networks).map((rule) => `add rule ${at} ${chainOf(member.networks)} ${rule}`),
      `add map ${at} sources { type ipv4_addr : verdict; }`,
      ...sourcesOf(member).map((source) => `add element ${at} sources { ${source} }`),
    ]);
  });
  return `${lines.join('\n')}\n`;
}

/** Takes the addresses out of the map again: `joining` can lead them elsewhere then. nft refuses it for unknown ones. */
export function leaving(table: string, address: string): string {
  return `${families.map((family) => `delete element ${family} ${table} sources { ${address} }`).join('\n')}\n`;
}
