/**
 * What would drop packets of containers although our own table lets them pass: another table's FORWARD policy, as
 * Docker and firewalls set it. In nftables a packet must be accepted by every table. Pure: reads `nft -j list ruleset`.
 * It tells only; mending is the operator's choice, by `doctor`.
 */
import { overlap } from './cidr.ts';

export interface ForwardObstacle {
  readonly family: string;
  readonly table: string;
  readonly chain: string;
  /** The commands that let packets of the bridge pass there, as argument vectors … */
  readonly commands: readonly (readonly string[])[];
  /** … and as a person types them. */
  readonly mend: string;
}

interface Chain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly hook?: string;
  readonly type?: string;
  readonly policy?: string;
}

interface Rule {
  readonly family: string;
  readonly table: string;
  readonly chain: string;
  readonly expr?: readonly Readonly<Record<string, unknown>>[];
}

/** Chains that drop what they do not know, and have no rule that accepts this bridge's packets by name. */
export function forwardObstacles(ruleset: unknown, bridge: string): readonly ForwardObstacle[] {
  const rows = (ruleset as { nftables?: readonly { chain?: Chain; rule?: Rule }[] }).nftables ?? [];
  const rules = rows.flatMap(({ rule }) => (rule ? [rule] : []));
  return rows
    .flatMap(({ chain }) => (chain ? [chain] : []))
    .filter(({ hook, policy, family }) => hook === 'forward' && policy === 'drop' && carriesIpv4(family))
    .filter((chain) => !accepts(rules, chain, bridge))
    .map(({ family, table, name }) => {
      const commands = commandsFor(table, name, family, bridge);
      const mend = commands.map((words) => words.map(shellWord).join(' ')).join(' && ');
      return { family, table, chain: name, commands, mend };
    });
}

const carriesIpv4 = (family: string): boolean => family === 'ip' || family === 'inet';

/** Both directions must pass: by input name and by output name. Chains that are jumped to (DOCKER-USER) count. */
function accepts(rules: readonly Rule[], chain: Chain, bridge: string): boolean {
  const reached = new Set([chain.name]);
  for (const name of reached) {
    for (const rule of rulesOf(rules, chain, name)) {
      for (const part of rule.expr ?? []) {
        const target = (part['jump'] ?? part['goto']) as { target?: string } | undefined;
        if (target?.target !== undefined) reached.add(target.target);
      }
    }
  }
  const mine = [...reached].flatMap((name) => rulesOf(rules, chain, name));
  return ['iifname', 'oifname'].every((key) => mine.some((rule) => acceptsBy(rule, key, bridge)));
}

const rulesOf = (rules: readonly Rule[], { family, table }: Chain, chain: string): readonly Rule[] =>
  rules.filter((rule) => rule.family === family && rule.table === table && rule.chain === chain);

function acceptsBy(rule: Rule, key: string, bridge: string): boolean {
  const parts = rule.expr ?? [];
  if (!parts.some((part) => 'accept' in part)) return false;
  const matches = parts.flatMap((part) => ('match' in part ? [part['match'] as Match] : []));
  return matches.length === 1 && matches.every((match) => names(match, key, bridge));
}

interface Match {
  readonly op: string;
  readonly left?: { readonly meta?: { readonly key?: string } };
  readonly right?: unknown;
}

function names({ op, left, right }: Match, key: string, bridge: string): boolean {
  return op === '==' && left?.meta?.key === key && right === bridge;
}

function commandsFor(table: string, chain: string, family: string, bridge: string): string[][] {
  const iptables = table === 'filter' && family === 'ip';
  return (['iif', 'oif'] as const).map((side) =>
    iptables
      ? ['iptables', '-I', chain, side === 'iif' ? '-i' : '-o', bridge, '-j', 'ACCEPT']
      : ['nft', 'insert', 'rule', family, table, chain, `${side}name`, `"${bridge}"`, 'accept'],
  );
}

/** nft's own quotes must reach it. */
const shellWord = (word: string): string => (word.includes('"') ? `'${word}'` : word);

interface MetRoute {
  readonly block: string;
  readonly destination: string;
  readonly link: string;
}

/** Routes of others (`ip -json -4 route show`) that lead into one of these blocks; ours lead to our bridge. */
export function foreignRoutes(listed: string, own: string, blocks: readonly string[]): readonly MetRoute[] {
  const routes = JSON.parse(listed) as readonly { readonly dst: string; readonly dev?: string }[];
  return routes
    .filter(({ dst, dev }) => dst !== 'default' && dev !== own)
    .flatMap(({ dst, dev = 'nowhere' }) =>
      blocks
        .filter((block) => overlap(asBlock(dst), block))
        .map((block) => ({ block, destination: dst, link: dev })),
    );
}

/** `ip` writes a route to one host without its length. */
const asBlock = (destination: string): string =>
  destination.includes('/') ? destination : `${destination}/32`;
