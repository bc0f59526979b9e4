/**
 * What a desk's bridge does to packets between nodes: dropped by pair and direction, or by chance. Only IP is dropped, so
 * that a cut in one direction is one: with ARP gone too, the other would find nobody either. The host reaches all nodes
 * all the while. What is set stands in the kernel alone, in one table.
 */
import { may, must } from './commands.ts';
import { linksOf, type DeskName, type DeskNode } from './names.ts';

export interface Cut {
  readonly from: string;
  readonly to: string;
  /** Packets that it dropped so far. */
  readonly dropped: number;
}

export interface Faults {
  /** By names of nodes. */
  readonly cuts: readonly Cut[];
  /** Of a hundred packets, and how many that were so far. */
  readonly loss?: { readonly percent: number; readonly dropped: number };
}

/** A chance in so many parts: a hundredth of a percent. */
const parts = 10_000;

const table = (desk: DeskName): string => `bridge ${linksOf(desk)}`;
const nft = (what: string, script: string): Promise<string> => must(what, ['nft', '-f', '-'], script);

/** The table without a fault in it; what was dropped before is forgotten. */
export async function healAll(desk: DeskName): Promise<void> {
  const name = table(desk);
  await nft(
    'setting up the table of faults',
    `add table ${name}
delete table ${name}
table ${name} {
  set cut { type ifname . ifname; counter; }
  chain lose { }
  chain forward {
    type filter hook forward priority 0; policy accept;
    ether type != { ip, ip6 } accept
    iifname . oifname @cut drop
    jump lose
  }
}
`,
  );
}

/** Nothing of `from` reaches `to` any more. */
export async function cutLinks(
  desk: DeskName,
  from: readonly DeskNode[],
  to: readonly DeskNode[],
): Promise<void> {
  const pairs = from.flatMap((one) =>
    to.filter((other) => other !== one).map((other) => `"${one.link}" . "${other.link}"`),
  );
  if (pairs.length === 0) return;
  await nft('cutting', `add element ${table(desk)} cut { ${pairs.join(', ')} }\n`);
}

/** Of every hundred packets between nodes so many are lost; 0 ends it. */
export async function losePackets(desk: DeskName, percent: number): Promise<void> {
  const bound = Math.round((percent / 100) * parts);
  const rule =
    bound === 0 ? '' : `add rule ${table(desk)} lose numgen random mod ${parts} < ${bound} counter drop\n`;
  await nft('losing packets', `flush chain ${table(desk)} lose\n${rule}`);
}

export async function removeFaults(desk: DeskName): Promise<void> {
  await nft('removing the table of faults', `add table ${table(desk)}\ndelete table ${table(desk)}\n`);
}

interface Listed {
  readonly nftables: readonly {
    readonly set?: { readonly name: string; readonly elem?: readonly CutElement[] };
    readonly rule?: { readonly chain: string; readonly expr: readonly Expression[] };
  }[];
}
interface CutElement {
  readonly elem: {
    readonly val: { readonly concat: readonly string[] };
    readonly counter?: { readonly packets: number };
  };
}
interface Expression {
  readonly match?: { readonly right: unknown };
  readonly counter?: { readonly packets: number };
}

/** What is set now; nothing where there is no table. */
export async function readFaults(desk: DeskName, nodes: readonly DeskNode[]): Promise<Faults> {
  const text = await may(['nft', '-j', 'list', 'table', 'bridge', linksOf(desk)]);
  if (text === undefined) return { cuts: [] };
  const { nftables } = JSON.parse(text) as Listed;
  const nameOf = (link: string): string => nodes.find((node) => node.link === link)?.name ?? link;
  const elements = nftables.find(({ set }) => set?.name === 'cut')?.set?.elem ?? [];
  const cuts = elements.map(({ elem: { val, counter } }) => ({
    from: nameOf(val.concat[0]!),
    to: nameOf(val.concat[1]!),
    dropped: counter?.packets ?? 0,
  }));
  const rule = nftables.find((entry) => entry.rule?.chain === 'lose')?.rule;
  if (!rule) return { cuts };
  const bound = rule.expr.find(({ match }) => match)?.match?.right;
  const dropped = rule.expr.find(({ counter }) => counter)?.counter?.packets ?? 0;
  return { cuts, loss: { percent: (Number(bound) / parts) * 100, dropped } };
}
