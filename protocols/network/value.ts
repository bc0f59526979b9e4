/** What the network manager knows, and where it stands in the journal. Read next: `blocks.ts`, `giving/addresses.ts`, `manager.ts`. */
import type { SlotName } from '../apps/model.ts';
import type { Reason } from '../errors.ts';
import type { Allocation } from './giving/ipam.ts';
import type { Attachment } from './model.ts';

export interface NetworkSettings {
  readonly bridge: string;
  readonly tag: string;
  readonly pool: string;
  readonly mtu: number;
  readonly dnsAddress?: string;
  readonly dnsPort: number;
  readonly upstreams: readonly string[];
}

export interface AddressClaim {
  readonly slot: SlotName;
  /** Of the container that it is for, in the runtime. */
  readonly id: string;
  /** Who asked, and is answered. */
  readonly to: string;
}

export interface NetworkValue {
  readonly node: string;
  readonly settings: NetworkSettings;
  readonly calls: number;
  /** The node's own in the order of claiming, as the journal has them. The first one's gateway is the name server. */
  readonly blocks: readonly string[];
  /** Being claimed: not in the journal yet. */
  readonly claiming: readonly string[];
  /** Of those of the blocks that the bridge is known to have. */
  readonly allocation: Allocation;
  /** What stood on the machine when it was looked at last. */
  readonly links: readonly Attachment[];
  /** Claims whose journal write is under way, by write id. */
  readonly pending: Readonly<Record<string, AddressClaim & { readonly address: string }>>;
  /** Slots whose address is theirs, but not known to be in the journal: written again before anyone uses it. */
  readonly unkept: Readonly<Record<SlotName, true>>;
  /** Claims that found all blocks full: answered with the next block, one a slot. */
  readonly waiting: readonly AddressClaim[];
  /** Why the last attempt to get a further block failed. */
  readonly shortage?: Reason;
  /** Why the store is not followed: nothing is claimed in it. */
  readonly doubt?: Reason;
  readonly reason?: Reason;
}

export const blocksEntry = 'network/blocks';
const addressEntries = 'address/';
export const addressEntry = (slot: SlotName): string => `${addressEntries}${slot}`;

/** The addresses of slots, by slot, among all entries of the journal. */
export function addressesIn(entries: Readonly<Record<string, unknown>>): Readonly<Record<SlotName, string>> {
  const owners: Record<string, string> = {};
  for (const [key, address] of Object.entries(entries)) {
    if (key.startsWith(addressEntries)) owners[key.slice(addressEntries.length)] = address as string;
  }
  return owners;
}
