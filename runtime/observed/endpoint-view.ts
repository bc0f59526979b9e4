/** The endpoints of all services on all nodes, as this node knows them: ready or not, how old, and which of them may be used. */
import { parseSlotName } from '../../protocols/apps/model.ts';
import type { SlotStatus } from '../../protocols/apps/status.ts';
import { usable, type Seen } from '../../protocols/observed/balancing.ts';
import { endpointOf, type EndpointRecord } from '../../protocols/observed/endpoints.ts';
import { observedAt, type ObservedNode } from '../../protocols/observed/report.ts';
import type { NodeHandle } from '../node-handle.ts';
import { heardBy, knownNodes, othersOf } from './cluster-view.ts';

/** An endpoint of any node. */
export interface ShownEndpoint extends EndpointRecord {
  readonly app: string;
  readonly service: string;
  readonly node: string;
  /** May be used: ready, of a node that is well, or else among the last of its service. */
  readonly usable: boolean;
  /** Of another node: as of when it was so, ms since 1970. */
  readonly observedAt?: number;
  /** Of a node that is not well. */
  readonly nodeStatus?: 'suspected' | 'stalled' | 'dead' | 'left';
}

type Shown = Omit<ShownEndpoint, 'usable'>;

interface Row extends Seen {
  readonly shown: Shown;
}

/** `slots`: those of this node, as they are now. */
export async function everyonesEndpoints(
  node: NodeHandle,
  slots: readonly SlotStatus[],
): Promise<readonly ShownEndpoint[]> {
  const [known, heard] = await Promise.all([knownNodes(node), heardBy(node)]);
  const own = known.find(({ self }) => self)?.records?.endpoints ?? [];
  const rows = [
    ...ownRows(node.name, slots, own),
    ...othersOf(known).flatMap((other) => rowsOf(other, heard)),
  ];
  const byService = new Map<string, Row[]>();
  for (const row of rows) {
    const { app, service } = row.shown;
    const key = `${app}/${service}`;
    byService.set(key, [...(byService.get(key) ?? []), row]);
  }
  const used = new Set([...byService.values()].flatMap(usable));
  return rows.map((row) => ({ ...row.shown, usable: used.has(row) }));
}

function ownRows(
  node: string,
  slots: readonly SlotStatus[],
  told: readonly EndpointRecord[],
): readonly Row[] {
  const before = new Map(told.map((endpoint) => [endpoint.slot, endpoint]));
  return slots.flatMap((status) => {
    const endpoint = endpointOf(status, before.get(status.slot));
    return endpoint ? [rowOf(endpoint, node, { status: 'alive', condition: 'ready' }, {})] : [];
  });
}

function rowsOf(other: ObservedNode, heard: ReadonlyMap<string, number>): readonly Row[] {
  const { records, name, status, condition } = other;
  if (!records) return [];
  const seen: Pick<ShownEndpoint, 'observedAt' | 'nodeStatus'> = {
    observedAt: observedAt(other, records, heard.get(other.id)),
    ...(status !== 'alive'
      ? { nodeStatus: status }
      : condition === 'stalled'
        ? { nodeStatus: condition }
        : {}),
  };
  return records.endpoints.map((endpoint) => rowOf(endpoint, name, { status, condition }, seen));
}

/** Field by field: a later version may tell more than is shown. */
function rowOf(
  { slot, placement, run, address, ports, ready, since }: EndpointRecord,
  node: string,
  sight: Pick<Seen, 'status' | 'condition'>,
  seen: Pick<ShownEndpoint, 'observedAt' | 'nodeStatus'>,
): Row {
  const { app = '', service = '' } = parseSlotName(slot) ?? {};
  const plain = ports.map(({ containerPort, protocol }) => ({ containerPort, protocol }));
  const shown = { slot, app, service, node, address, ports: plain, ready, placement, run, since, ...seen };
  return { slot, placement, ready, ...sight, shown };
}
