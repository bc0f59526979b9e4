/** Endpoints as rows. Read when asked for. */
import { portText } from '../../../protocols/observed/endpoints.ts';
import type { ShownEndpoint } from '../../observed/endpoint-view.ts';
import type { Cli } from '../cli.ts';
import { printListing, type Listing } from '../output/listing.ts';
import { age } from '../output/units.ts';
import { loadKnown, mustBeNode, resolveTarget, slotsOf } from '../targets.ts';

export const listEndpoints = (
  cli: Cli,
  target: string | undefined,
  node: string | undefined,
): Promise<number> => printListing(cli, listing(cli), () => load(cli, target, node));

async function load(
  cli: Cli,
  target: string | undefined,
  node: string | undefined,
): Promise<readonly ShownEndpoint[]> {
  const client = await cli.client();
  const { endpoints } = await client.get<{ endpoints: readonly ShownEndpoint[] }>('/v1/endpoints');
  const rows = node === undefined ? endpoints : endpoints.filter((row) => row.node === node);
  if (node !== undefined && rows.length === 0) await mustBeNode(cli, node);
  if (target === undefined) return rows;
  const known = await loadKnown(cli);
  const wanted = new Set(slotsOf(resolveTarget(target, known), known));
  return rows.filter(({ slot }) => wanted.has(slot));
}

/** Of a node that does not answer: that all of it may be so no more. */
function lastSaid({ node, nodeStatus, observedAt, usable }: ShownEndpoint, now: number): string | undefined {
  if (nodeStatus === undefined) return undefined;
  const before = observedAt === undefined ? '' : ` ${age(now - observedAt)} ago`;
  const last = usable ? '; used all the same: its service has none of a node that is well' : '';
  return `${node} is ${nodeStatus}: so it was${before}${last}`;
}

const listing = (cli: Cli): Listing<ShownEndpoint> => ({
  name: ({ slot, node }) => `${slot}@${node}`,
  note: (row) => lastSaid(row, cli.now()),
  // Each answer is as of a little later.
  news: (row) => ({ ...row, observedAt: undefined }),
  empty: 'No endpoints: nothing that has an address runs. Next: hivemind ps',
  fields: [
    ...(['slot', 'app', 'service', 'node', 'address', 'ports', 'ready', 'usable'] as const),
    ...(['placement', 'run', 'since', 'observedAt', 'nodeStatus'] as const),
  ],
  columns: [
    { title: 'SLOT', cell: ({ slot }) => slot },
    { title: 'ADDRESS', cell: ({ address }) => address },
    { title: 'PORTS', cell: ({ ports }) => ports.map(portText).join(',') || '-' },
    {
      title: 'READY',
      cell: ({ ready }) => (ready ? 'yes' : 'no'),
      tone: ({ ready }) => (ready ? 'good' : 'bad'),
    },
    {
      title: 'USED',
      cell: ({ usable }) => (usable ? 'yes' : 'no'),
      tone: ({ usable }) => (usable ? 'good' : 'bad'),
    },
    {
      title: 'NODE',
      cell: ({ node, nodeStatus }) => (nodeStatus === undefined ? node : `${node} (${nodeStatus})`),
      tone: ({ nodeStatus }) => (nodeStatus === undefined ? 'plain' : 'bad'),
    },
    { title: 'RUN', cell: ({ placement, run }) => `${placement}.${run}`, wide: true },
    {
      title: 'AS OF',
      cell: ({ observedAt }) => (observedAt === undefined ? 'now' : `${age(cli.now() - observedAt)} ago`),
      when: (rows) => rows.some(({ observedAt }) => observedAt !== undefined),
    },
    { title: 'SINCE', cell: ({ since }) => age(cli.now() - since) },
  ],
});
