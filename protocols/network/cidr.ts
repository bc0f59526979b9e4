/** IPv4 addresses and blocks as text, and the arithmetic on them. Text is what the journal, the wire and people see. */

/** `10.42.0.1` → 170524673; `undefined` for anything else. */
export function parseAddress(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let number = 0;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    number = number * 256 + Number(part);
  }
  return number;
}

export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}

export interface Block {
  /** Its first address. */
  readonly base: number;
  /** How many addresses it has. */
  readonly size: number;
  /** Prefix length. */
  readonly prefix: number;
}

/** `10.42.0.0/26`; host bits are dropped. `undefined` for anything that is no block. */
export function parseBlock(text: string): Block | undefined {
  const match = /^([\d.]+)\/(\d{1,2})$/.exec(text);
  const address = parseAddress(match?.[1] ?? '');
  const prefix = Number(match?.[2]);
  if (address === undefined || !(prefix <= 32)) return undefined;
  const size = 2 ** (32 - prefix);
  return { base: Math.floor(address / size) * size, size, prefix };
}

/** For blocks that were checked at the door. */
export function blockOf(text: string): Block {
  const block = parseBlock(text);
  if (!block) throw new Error(`"${text}" is no block of addresses`);
  return block;
}

/** Prefix length of a checked block: 26. */
export function prefixOf(cidr: string): number {
  return blockOf(cidr).prefix;
}

/** Whether an address, as text, lies in a block. */
export function contains(cidr: string, address: string): boolean {
  const block = blockOf(cidr);
  const number = parseAddress(address);
  return number !== undefined && number >= block.base && number < block.base + block.size;
}

/** Of some blocks the one that an address lies in. */
export function holding<Held extends { readonly block: string }>(
  blocks: readonly Held[],
  address: string,
): Held | undefined {
  return blocks.find(({ block }) => contains(block, address));
}

/** Whether two blocks share an address. */
export function overlap(one: string, other: string): boolean {
  const a = blockOf(one);
  const b = blockOf(other);
  return a.base < b.base + b.size && b.base < a.base + a.size;
}
