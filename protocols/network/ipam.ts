/**
 * Addresses of one block, one for each owner. Pure: the network manager keeps the table in the journal. A freed
 * address goes to the back of the queue, so that stale answers and connections do not meet a new owner.
 *
 * Invariant: no two owners hold one address; network, gateway and broadcast addresses are never given out.
 */
import { reason, type Reason } from '../errors.ts';

export interface Allocation {
  /** CIDR: `10.42.0.0/26`. */
  readonly block: string;
  readonly owners: Readonly<Record<string, string>>;
  /** Offset after the one given out last. */
  readonly cursor: number;
}

const blockBits = 26;

function numberOf(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

function textOf(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}

function parts(cidr: string): { base: number; size: number } {
  const [address = '', bits = ''] = cidr.split('/');
  const size = 2 ** (32 - Number(bits));
  return { base: Math.floor(numberOf(address) / size) * size, size };
}

export function emptyAllocation(block: string): Allocation {
  return { block, owners: {}, cursor: 2 };
}

/** The first host address: the bridge's own, the containers' gateway and name server. */
export function gatewayOf(block: string): string {
  return textOf(parts(block).base + 1);
}

/** Prefix length of a block: 26. */
export function prefixOf(block: string): number {
  return Number(block.split('/')[1]);
}

/** The same owner gets the same address. HM-NETWORK-ADDRESS when none is left. */
export function claim(
  allocation: Allocation,
  owner: string,
): { readonly allocation: Allocation; readonly address: string } | { readonly reason: Reason } {
  const held = allocation.owners[owner];
  if (held !== undefined) return { allocation, address: held };
  const { base, size } = parts(allocation.block);
  const used = new Set(Object.values(allocation.owners));
  for (let step = 0; step < size - 3; step++) {
    const offset = 2 + ((allocation.cursor - 2 + step) % (size - 3));
    const address = textOf(base + offset);
    if (used.has(address)) continue;
    return {
      allocation: { ...allocation, owners: { ...allocation.owners, [owner]: address }, cursor: offset + 1 },
      address,
    };
  }
  const text = `all ${size - 3} addresses of ${allocation.block} are in use`;
  return { reason: reason('HM-NETWORK-ADDRESS', text, { block: allocation.block, owner }) };
}

export function release(allocation: Allocation, owner: string): Allocation {
  const { [owner]: _, ...owners } = allocation.owners;
  return { ...allocation, owners };
}

/** The first block of the pool that is in no list; `undefined` when all are taken. */
export function firstFreeBlock(pool: string, taken: readonly string[]): string | undefined {
  const { base, size } = parts(pool);
  const step = 2 ** (32 - blockBits);
  for (let offset = 0; offset < size; offset += step) {
    const block = `${textOf(base + offset)}/${blockBits}`;
    if (!taken.includes(block)) return block;
  }
  return undefined;
}
