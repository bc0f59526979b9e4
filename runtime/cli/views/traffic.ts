/** What passed between a node and the others, as rows. Read when asked for. */
import type { TrafficRow } from '../../api/schemas/nodes.ts';
import type { Cli } from '../cli.ts';
import { printListing, type Listing } from '../output/listing.ts';
import { bytes } from '../output/units.ts';

export const listTraffic = (cli: Cli): Promise<number> =>
  printListing(cli, listing, async () => {
    const client = await cli.client();
    return (await client.get<{ traffic: readonly TrafficRow[] }>('/v1/cluster/traffic')).traffic;
  });

const counted = (count: number | undefined): string => (count === undefined ? '-' : String(count));
const sized = (count: number | undefined): string => (count === undefined ? '-' : bytes(count));

const listing: Listing<TrafficRow> = {
  name: ({ type }) => type,
  fields: [
    ...(['plane', 'type', 'sent', 'answered', 'refused', 'timedOut', 'letGo', 'failed'] as const),
    ...(['received', 'given', 'denied', 'bytesSent', 'bytesReceived'] as const),
  ],
  empty: 'Nothing passed: this node is the only one.',
  columns: [
    { title: 'TYPE', cell: ({ type }) => type },
    { title: 'PLANE', cell: ({ plane }) => plane },
    { title: 'SENT', cell: ({ sent }) => String(sent) },
    { title: 'ANSWERED', cell: ({ answered }) => counted(answered) },
    { title: 'REFUSED', cell: ({ refused }) => counted(refused) },
    { title: 'TIMED OUT', cell: ({ timedOut }) => counted(timedOut) },
    { title: 'LET GO', cell: ({ letGo }) => counted(letGo), wide: true },
    { title: 'FAILED', cell: ({ failed }) => counted(failed) },
    { title: 'RECEIVED', cell: ({ received }) => String(received) },
    { title: 'GIVEN', cell: ({ given }) => counted(given) },
    { title: 'DENIED', cell: ({ denied }) => counted(denied) },
    { title: 'BYTES OUT', cell: ({ bytesSent }) => sized(bytesSent) },
    { title: 'BYTES IN', cell: ({ bytesReceived }) => sized(bytesReceived) },
  ],
};
