/**
 * Addresses of a node's blocks, one for each owner. Pure: the network manager keeps the table in the journal. Of the
 * free addresses the one that was free longest is given out, so that stale answers and connections do not meet a new
 * owner; never used ones count as free for ever.
 *
 * Invariant: no two owners hold one address; network, gateway and broadcast addresses of a block are never given out.
 */
import { reason, type Reason } from '../../errors.ts';
import { blockOf, formatAddress, holding, overlap, parseAddress } from '../cidr.ts';

export interface Allocation {
  /** In the order in which the node claimed them; none overlaps another. */
  readonly blocks: readonly AllocatedBlock[];
  readonly owners: Readonly<Record<string, string>>;
  /** Addresses before the cursors that have no owner, longest free first. */
  readonly freed: readonly string[];
}

export interface AllocatedBlock {
  /** CIDR: `10.42.0.0/26`. */
  readonly block: string;
  /** Offset of its first address that was never given out: those from here on go first. */
  readonly cursor: number;
}

/** Blocks of a node: 61 containers each. */
const blockPrefix = 26;
/** Network and gateway stand first, broadcast last. */
const firstOffset = 2;

export function emptyAllocation(...blocks: readonly string[]): Allocation {
  return { blocks: blocks.map((block) => ({ block, cursor: firstOffset })), owners: {}, freed: [] };
}

export function withBlock(allocation: Allocation, block: string): Allocation {
  return { ...allocation, blocks: [...allocation.blocks, { block, cursor: firstOffset }] };
}

/**
 * From what is known after a restart. What lies beyond a block's known addresses counts as never used; gaps between
 * them as freed just now. An owner whose address is outside the blocks, or held by another already, is left out.
 */
export function rebuildAllocation(
  blocks: readonly string[],
  owners: Readonly<Record<string, string>>,
): Allocation {
  const kept: Record<string, string> = {};
  const held = new Set<string>();
  const empty = emptyAllocation(...blocks).blocks;
  for (const owner of Object.keys(owners).sort()) {
    const address = owners[owner] ?? '';
    const offset = offsetIn(holding(empty, address), address);
    if (offset === undefined || held.has(address)) continue;
    held.add(address);
    kept[owner] = address;
  }
  const freed: string[] = [];
  const known = empty.map(({ block }) => {
    const { base, size } = blockOf(block);
    let cursor = size - 1;
    while (cursor > firstOffset && !held.has(formatAddress(base + cursor - 1))) cursor -= 1;
    for (let offset = firstOffset; offset < cursor; offset++) {
      const address = formatAddress(base + offset);
      if (!held.has(address)) freed.push(address);
    }
    return { block, cursor };
  });
  return { blocks: known, owners: kept, freed };
}

/** Where it stands among the addresses of its block that may be given out. */
function offsetIn(held: AllocatedBlock | undefined, address: string): number | undefined {
  if (!held) return undefined;
  const { base, size } = blockOf(held.block);
  const offset = (parseAddress(address) ?? 0) - base;
  return offset < firstOffset || offset > size - 2 ? undefined : offset;
}

/** The first host address: the bridge's own, the containers' gateway and name server. */
export function gatewayOf(block: string): string {
  return formatAddress(blockOf(block).base + 1);
}

/** How many more owners there is an address for. */
export function addressesLeft({ blocks, freed }: Allocation): number {
  return blocks.reduce((sum, { block, cursor }) => sum + blockOf(block).size - 1 - cursor, freed.length);
}

/** The same owner gets the same address. HM-NETWORK-ADDRESS when none is left. */
export function claim(
  allocation: Allocation,
  owner: string,
): { readonly allocation: Allocation; readonly address: string } | { readonly reason: Reason } {
  const known = ownerAddress(allocation, owner);
  if (known !== undefined) return { allocation, address: known };
  const unused = allocation.blocks.find(({ block, cursor }) => cursor <= blockOf(block).size - 2);
  const [longest, ...freed] = allocation.freed;
  const address = unused ? formatAddress(blockOf(unused.block).base + unused.cursor) : longest;
  if (address === undefined) {
    const blocks = allocation.blocks.map(({ block }) => block).join(', ');
    const count = Object.keys(allocation.owners).length;
    const text = `all ${count} addresses of ${blocks} are in use`;
    return { reason: reason('HM-NETWORK-ADDRESS', text, { blocks, owner }) };
  }
  const owners = { ...allocation.owners, [owner]: address };
  if (!unused) return { allocation: { ...allocation, owners, freed }, address };
  const used = { ...unused, cursor: unused.cursor + 1 };
  const blocks = allocation.blocks.map((one) => (one === unused ? used : one));
  return { allocation: { ...allocation, owners, blocks }, address };
}

/** Only when the owner is gone or fenced: whoever asks next may get the address. */
export function release(allocation: Allocation, owner: string): Allocation {
  const address = ownerAddress(allocation, owner);
  if (address === undefined) return allocation;
  const { [owner]: _, ...owners } = allocation.owners;
  return { ...allocation, owners, freed: [...allocation.freed, address] };
}

/** An address that is in use: nothing when it has an owner already, or lies in no block. */
export function hold(allocation: Allocation, owner: string, address: string): Allocation {
  const block = holding(allocation.blocks, address);
  const offset = offsetIn(block, address);
  if (!block || offset === undefined || ownerOf(allocation, address) !== undefined) return allocation;
  const owners = { ...allocation.owners, [owner]: address };
  const freed = allocation.freed.filter((one) => one !== address);
  if (offset < block.cursor) return { ...allocation, owners, freed };
  const { base } = blockOf(block.block);
  for (let between = block.cursor; between < offset; between++) freed.push(formatAddress(base + between));
  const used = { ...block, cursor: offset + 1 };
  return { blocks: allocation.blocks.map((one) => (one === block ? used : one)), owners, freed };
}

/** The address of one is the other's from now on, who has none. */
export function passOn(allocation: Allocation, from: string, to: string): Allocation {
  const { [from]: address, ...owners } = allocation.owners;
  return address === undefined ? allocation : { ...allocation, owners: { ...owners, [to]: address } };
}

export function ownerOf({ owners }: Allocation, address: string): string | undefined {
  return Object.keys(owners).find((owner) => owners[owner] === address);
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
