/** Figures of what passes between this node and the others. Labels are closed lists: message types, kinds of packets, outcomes. */
import type { DatagramTraffic } from '../../../protocols/membership/views/view.ts';
import type { PeerCondition, TypeCounts } from '../../../protocols/wire/calls.ts';
import type { ClusterHandle } from '../../cluster/handle.ts';
import { counter, gauge, type Family, type Sample } from './text.ts';

/** `or`: the value, or what stands in for it when that part does not answer. */
export async function ofPeers(
  { calls, membership }: ClusterHandle,
  or: <Value>(part: 'datagrams', value: Promise<Value>, fallback: Value) => Promise<Value>,
): Promise<readonly Family[]> {
  const traffic = await or<DatagramTraffic | undefined>('datagrams', membership.traffic(), undefined);
  return [
    ...ofTypes(calls.traffic()),
    ...ofConnections(calls.conditions()),
    ...(traffic ? ofDatagrams(traffic) : []),
  ];
}

type Types = Readonly<Record<string, TypeCounts>>;

function ofTypes(types: Types): readonly Family[] {
  const by = (count: keyof TypeCounts): readonly Sample[] =>
    Object.entries(types).map(([type, counts]) => ({ labels: { type }, value: counts[count] }));
  const outcomes = (names: Readonly<Partial<Record<keyof TypeCounts, string>>>): readonly Sample[] =>
    Object.entries(types).flatMap(([type, counts]) =>
      Object.entries(names).map(([count, outcome]) => ({
        labels: { type, outcome },
        value: counts[count as keyof TypeCounts],
      })),
    );
  return [
    counter('hivemind_peer_messages_sent_total', 'Messages to other nodes over streams.', by('sent')),
    counter('hivemind_peer_messages_received_total', 'Messages of other nodes.', by('received')),
    counter(
      'hivemind_peer_calls_total',
      'Questions to other nodes, by how they ended.',
      outcomes({
        ...{ answered: 'answered', refused: 'refused', timedOut: 'timed_out' },
        ...{ letGo: 'let_go', failed: 'failed' },
      }),
    ),
    counter(
      'hivemind_peer_requests_total',
      'Questions of other nodes, by how they ended here.',
      outcomes({ given: 'answered', denied: 'refused' }),
    ),
    counter('hivemind_peer_sent_bytes_total', 'Bodies to other nodes over streams.', by('bytesSent')),
    counter('hivemind_peer_received_bytes_total', 'Bodies of other nodes.', by('bytesReceived')),
  ];
}

function ofConnections(conditions: readonly PeerCondition[]): readonly Family[] {
  const open = conditions.filter((one) => one.open);
  const idle = open.filter((one) => one.idle).length;
  const sum = (count: 'queuedFrames' | 'queuedBytes' | 'asking' | 'answering'): number =>
    conditions.reduce((total, condition) => total + condition[count], 0);
  const most = conditions.reduce((greatest, { queuedBytes }) => Math.max(greatest, queuedBytes), 0);
  return [
    gauge('hivemind_peer_connections', 'Streams to other nodes; idle: nothing is under way over it.', [
      { labels: { state: 'busy' }, value: open.length - idle },
      { labels: { state: 'idle' }, value: idle },
    ]),
    gauge('hivemind_peer_queue_frames', 'Frames that wait to be sent.', sum('queuedFrames')),
    gauge('hivemind_peer_queue_bytes', 'Bytes that wait to be sent.', sum('queuedBytes')),
    gauge('hivemind_peer_queue_longest_bytes', 'Bytes that wait for the slowest node.', most),
    gauge('hivemind_peer_calls_open', 'Questions to other nodes without an answer so far.', sum('asking')),
    gauge('hivemind_peer_requests_open', 'Questions of other nodes being answered.', sum('answering')),
  ];
}

function ofDatagrams({
  kinds,
  sentBytes,
  receivedBytes,
  failed,
  refused,
  news,
}: DatagramTraffic): readonly Family[] {
  const by = (way: 'sent' | 'received'): readonly Sample[] =>
    Object.entries(kinds).map(([kind, counts]) => ({ labels: { kind }, value: counts[way] }));
  const reasons = Object.entries(refused).map(([reason, value]) => ({ labels: { reason }, value }));
  return [
    counter('hivemind_datagrams_sent_total', 'Packets of gossip to other nodes.', by('sent')),
    counter('hivemind_datagrams_received_total', 'Packets of gossip of other nodes.', by('received')),
    counter('hivemind_datagrams_failed_total', 'Datagrams that the system did not take.', failed),
    counter('hivemind_datagrams_refused_total', 'Datagrams that changed nothing, by why.', reasons),
    gauge('hivemind_gossip_waiting', 'Pieces of news that wait to be passed on.', news.waiting),
    counter('hivemind_gossip_dropped_total', 'Pieces of news that found no room to wait.', news.dropped),
    counter('hivemind_datagram_sent_bytes_total', 'Sealed bytes of datagrams sent.', sentBytes),
    counter('hivemind_datagram_received_bytes_total', 'Bytes of datagrams that came.', receivedBytes),
  ];
}
