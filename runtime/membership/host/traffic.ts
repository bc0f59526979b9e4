/** What passed as datagrams: packets as the core knows them, bytes and refusals as the link does. */
import type { Swim } from '../../../protocols/membership/swim.ts';
import type { DatagramTraffic } from '../../../protocols/membership/views/view.ts';
import { noDatagrams } from '../../../transport/datagram-link.ts';

/** `link`: nothing before it is open. */
export function trafficOf(
  { counts: { sentOf, receivedOf, refused }, condition: { news: waiting, dropped } }: Swim,
  link = noDatagrams(),
): DatagramTraffic {
  const kinds = Object.entries(sentOf).map(
    ([kind, sent]) => [kind, { sent, received: receivedOf[kind as keyof typeof receivedOf] }] as const,
  );
  const { sentBytes, receivedBytes, failed, tooLong } = link;
  return {
    kinds: Object.fromEntries(kinds),
    ...{ sentBytes, receivedBytes, failed: failed + tooLong },
    refused: { ...link.refused, 'not-in-form': refused },
    news: { waiting, dropped },
  };
}
