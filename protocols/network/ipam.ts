/**
 * Addresses of one block, one for each owner. Pure: the network manager keeps the table in the journal. Of the free
 * addresses the one that was free longest is given out, so that stale answers and connections do not meet a new owner.
 *
 * Invariant: no two owners hold one address; network, gateway and broadcast addresses are never given out.
 */
import { reason, type Reason } from '../errors.ts';
import { blockOf, formatAddress, overlap, parseAddress } from './cidr.ts';

export interface Allocation {
  /** CIDR: `10.42.0.0/26`. */
  readonly block: string;
  readonly owners: Readonly<Record<string, string>>;
  /** Offset of the first address that was never given out: those from here on go first. */
  readonly cursor: number;
  /** Addresses before the cursor that have no owner, longest free first. */
  readonly freed: readonly string[];
}

/** Blocks of a node: 61 containers. */
const blockPrefix = 26;
/** Network and gateway stand first, broadcast last. */
const firstOffset = 2;

export function emptyAllocation(block: string): Allocation {
  return { block, owners: {}, cursor: firstOffset, freed: [] };
}

/**
 * From what is known after a restart. What lies beyond the known addresses counts as never used; gaps between them
 * as freed just now. An owner whose address is outside the block, or held by another already, is left out.
 */
export function rebuildAllocation(block: string, owners: Readonly<Record<string, string>>): Allocation {
  const { base, size } = blockOf(block);
  const kept: Record<string, string> = {};
  const held = new Set<number>();
  for (const owner of Object.keys(owners).sort()) {
    const offset = (parseAddress(owners[owner] ?? '') ?? 0) - base;
    if (offset < firstOffset || offset > size - 2 || held.has(offset)) continue;
    held.add(offset);
    kept[owner] = formatAddress(base + offset);
  }
  const cursor = Math.max(firstOffset - 1, ...held) + 1;
  const freed: string[] = [];
  for (let offset = firstOffset; offset < cursor; offset++) {
    if (!held.has(offset)) freed.push(formatAddress(base + offset));
  }
  return { block, owners: kept, cursor, freed };
}

/** The first host address: the bridge's own, the containers' gateway and name server. */
export function gatewayOf(block: string): string {
  return formatAddress(blockOf(block).base + 1);
}

/** The same owner gets the same address. HM-NETWORK-ADDRESS when none is left. */
export function claim(
  allocation: Allocation,
  owner: string,
): { readonly allocation: Allocation; readonly address: string } | { readonly reason: Reason } {
  const held = ownerAddress(allocation, owner);
  if (held !== undefined) return { allocation, address: held };
  const { base, size } = blockOf(allocation.block);
  const [longest, ...freed] = allocation.freed;
  const unused = allocation.cursor <= size - 2;
  const address = unused ? formatAddress(base + allocation.cursor) : longest;
  if (address === undefined) {
    const text = `all ${Math.max(0, size - 3)} addresses of ${allocation.block} are in use`;
    return { reason: reason('HM-NETWORK-ADDRESS', text, { block: allocation.block, owner }) };
  }
  const owners = { ...allocation.owners, [owner]: address };
  const next = unused
    ? { ...allocation, owners, cursor: allocation.cursor + 1 }
    : { ...allocation, owners, freed };
  return { allocation: next, address };
}

/** Only when the owner is gone or fenced: whoever asks next may get the address. */
export function release(allocation: Allocation, owner: string): Allocation {
  const address = ownerAddress(allocation, owner);
  if (address === undefined) return allocation;
  const { [owner]: _, ...owners } = allocation.owners;
  return { ...allocation, owners, freed: [...allocation.freed, address] };
}

function ownerAddress(allocation: Allocation, owner: string): string | undefined {
  return Object.hasOwn(allocation.owners, owner) ? allocation.owners[owner] : undefined;
}

/** The first block of the pool that touches none of the taken ones; `undefined` when all are taken. */
export function firstFreeBlock(pool: string, taken: readonly string[]): string | undefined {
  const { base, size } = blockOf(pool);
  const step = 2 ** (32 - blockPrefix);
  for (let offset = 0; offset + step <= size; offset += step) {
    const block = `${formatAddress(base + offset)}/${blockPrefix}`;
    if (!taken.some((other) => overlap(block, other))) return block;
  }
  return undefined;
}
