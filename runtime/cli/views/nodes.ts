/** Nodes in every form that they are asked for in: lists, one, and why one is not as wished. Read when asked for. */
import type { Reason } from '../../../protocols/errors.ts';
import type { Cli } from '../cli.ts';
import type { NodeRow } from '../connection/answers.ts';
import { printListing, printOne, type Listing } from '../output/listing.ts';
import { paint } from '../output/style.ts';
import { age, elapsed } from '../output/units.ts';
import { asOf, diskText, loadText, memoryText, reservedText, slotsText } from './node-machine.ts';
import {
  accusersText,
  describeNode,
  isWell,
  planesText,
  planeSays,
  reasonOfNode,
  roundTrip,
  standing,
} from './node-text.ts';

export const listNodes = (cli: Cli): Promise<number> => printListing(cli, nodes(cli), () => load(cli));

export const listTrips = (cli: Cli): Promise<number> =>
  printListing(cli, trips(cli), async () => (await load(cli)).filter(({ member }) => member?.self === false));

export async function showNode(cli: Cli, name: string): Promise<number> {
  const row = await (await cli.client()).get<NodeRow>(`/v1/nodes/${encodeURIComponent(name)}`);
  await printOne(cli, row, row.name, () => describeNode(row, cli.now()));
  return 0;
}

/** As the node that answers sees it. */
export async function whyNode(cli: Cli, node: NodeRow): Promise<number> {
  const because = reasonOfNode(node);
  const said = { target: node.name, reasons: because ? [because] : [], node };
  await printOne(cli, said, node.name, () => explainNode(cli, node, because));
  return 0;
}

/** A node: how it stands, who says so and since when, and what each plane says. */
function explainNode(cli: Cli, node: NodeRow, because: Reason | undefined): string[] {
  const ink = paint(cli.colored(cli.process.stdout));
  const now = cli.now();
  const { name, member } = node;
  const since = member ? `, for ${elapsed(Math.max(0, now - member.since))}` : '';
  if (node.state === 'left' && member)
    return [`${ink.good('✓')} ${name} has left, ${elapsed(Math.max(0, now - member.since))} ago`];
  const head = because ? `${ink.bad('✗')} ${because.message}  ${ink.faint(because.code)}` : undefined;
  return [
    `${head ?? `${ink.good('✓')} ${name} is ${standing(node)}`}${since}`,
    ...accusersText(node, now),
    ...planesText(node, now),
    ...(because ? [`  next  ${nextOf(because)}`] : []),
  ];
}

/** What lists lead to is shown here already. */
const nextOf = ({ code, hint }: Reason): string =>
  code === 'HM-MEMBER-SUSPECTED'
    ? 'Look at its machine and the network between. It is declared dead unless it answers within seconds.'
    : hint;

async function load(cli: Cli): Promise<readonly NodeRow[]> {
  return (await (await cli.client()).get<{ nodes: readonly NodeRow[] }>('/v1/nodes')).nodes;
}

const fields = [
  'name',
  'state',
  'role',
  'leader',
  'boot',
  'version',
  'member',
  'connection',
  'apiAddress',
  'machine',
  'slots',
  'running',
  'reserved',
  'runtime',
  'observed',
] as const;

const some =
  (has: (row: NodeRow) => boolean) =>
  (rows: readonly NodeRow[]): boolean =>
    rows.some(has);

const nodes = (cli: Cli): Listing<NodeRow> => ({
  name: ({ name }) => name,
  fields,
  empty: 'No nodes.',
  note: (row) => (isWell(row) ? undefined : reasonOfNode(row)?.hint),
  columns: [
    { title: 'NODE', cell: ({ name, member }) => (member?.self ? `${name} *` : name) },
    { title: 'STATUS', cell: standing, tone: (row) => (isWell(row) ? 'good' : 'bad') },
    { title: 'ROLE', cell: ({ role, leader }) => (leader ? `${role}, leads` : role) },
    { title: 'SINCE', cell: (row) => age(cli.now() - (row.member?.since ?? row.startedAt ?? cli.now())) },
    { title: 'ADDRESS', cell: ({ member }) => member?.address ?? '-' },
    { title: 'SLOTS', cell: slotsText, when: some(({ slots }) => slots !== undefined) },
    { title: 'LOAD', cell: loadText, when: some(({ machine }) => machine !== undefined) },
    { title: 'MEMORY', cell: memoryText, when: some(({ machine }) => machine !== undefined) },
    { title: 'DISK', cell: diskText, wide: true },
    { title: 'RESERVED', cell: reservedText, wide: true },
    {
      title: 'AS OF',
      cell: (row) => asOf(row, cli.now()),
      when: some(({ observed }) => observed !== undefined),
    },
    { title: 'ZONE', cell: ({ member }) => member?.zone || '-', wide: true },
    { title: 'BOOT', cell: ({ boot }) => String(boot), wide: true },
    { title: 'VERSION', cell: ({ version }) => version ?? '-', wide: true },
    { title: 'ID', cell: ({ member }) => member?.id ?? '-', wide: true },
  ],
});

const trips = (cli: Cli): Listing<NodeRow> => ({
  name: ({ name }) => name,
  fields,
  empty: 'This node is the only one.',
  columns: [
    { title: 'NODE', cell: ({ name }) => name },
    { title: 'DATAGRAMS', cell: ({ member }) => roundTrip(member!.planes.datagram) },
    { title: 'STREAMS', cell: ({ member }) => roundTrip(member!.planes.stream) },
    { title: 'OVER DATAGRAMS', cell: ({ member }) => planeSays(member!.planes.datagram, cli.now()) },
    { title: 'OVER STREAMS', cell: ({ member }) => planeSays(member!.planes.stream, cli.now()) },
  ],
});
