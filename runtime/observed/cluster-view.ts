/** What this node knows of the others, as its API answers it: their records, how old, and how they stand as members. */
import type { SlotName } from '../../protocols/apps/model.ts';
import type { SlotStatus } from '../../protocols/apps/status.ts';
import { reachApi } from '../../protocols/cluster/api-place.ts';
import { coded, reasonOf, type CodedError } from '../../protocols/errors.ts';
import type { MemberStatus } from '../../protocols/membership/model.ts';
import { oneOfEachName } from '../../protocols/membership/views/names.ts';
import { observedAt, type ObservedNode, type ObservedReport } from '../../protocols/observed/report.ts';
import { paths } from '../../protocols/wire/paths.ts';
import type { NodeHandle } from '../node-handle.ts';

/** A slot of any node. */
export interface ShownSlot extends SlotStatus {
  /** Of another node: as of when it was so, ms since 1970. */
  readonly observedAt?: number;
  /** Of a node that is not alive. */
  readonly nodeStatus?: Exclude<MemberStatus, 'alive'>;
}

/** All nodes of the cluster, this one too; none of a node alone, and while the actor starts anew. */
export async function knownNodes(node: NodeHandle): Promise<readonly ObservedNode[]> {
  if (!node.cluster) return [];
  try {
    return (await node.ask<ObservedReport>(paths.observed, { type: 'records.report' })).nodes;
  } catch (thrown) {
    if (reasonOf(thrown).code === 'HM-ACTOR-UNKNOWN' || reasonOf(thrown).code === 'HM-ACTOR-STOPPED')
      return [];
    throw thrown;
  }
}

async function otherNodes(node: NodeHandle): Promise<readonly ObservedNode[]> {
  return othersOf(await knownNodes(node));
}

/** All but this one, one a name: a node whose disk was lost comes back as another. */
export function othersOf(known: readonly ObservedNode[]): readonly ObservedNode[] {
  return oneOfEachName(known).filter(({ self }) => !self);
}

/** When this node last heard of each, by whatever plane. */
export async function heardBy({ cluster }: NodeHandle): Promise<ReadonlyMap<string, number>> {
  const views = (await cluster?.membership.look()) ?? [];
  return new Map(
    views.map(({ id, planes: { datagram, stream } }) => [
      id,
      Math.max(datagram.heardAt ?? 0, stream.heardAt ?? 0),
    ]),
  );
}

/** One row a slot: where two nodes tell of one, the later placement, and of one placement the node that lives. */
export async function everyonesSlots(
  node: NodeHandle,
  own: readonly SlotStatus[],
): Promise<readonly ShownSlot[]> {
  const rows = new Map<SlotName, ShownSlot>();
  for (const row of [...own, ...(await othersSlots(node))]) {
    const known = rows.get(row.slot);
    if (!known || isLater(row, known)) rows.set(row.slot, row);
  }
  return [...rows.values()];
}

async function othersSlots(node: NodeHandle): Promise<readonly ShownSlot[]> {
  if (!node.cluster) return [];
  const [others, heard] = await Promise.all([otherNodes(node), heardBy(node)]);
  return others.flatMap((other) => {
    const { records, status, name } = other;
    if (!records) return [];
    const at = observedAt(other, records, heard.get(other.id));
    const seen = { node: name, observedAt: at, ...(status === 'alive' ? {} : { nodeStatus: status }) };
    return records.containers.map((slot): ShownSlot => ({ ...slot, ...seen }));
  });
}

function isLater(row: ShownSlot, than: ShownSlot): boolean {
  if (row.placement !== than.placement) return row.placement > than.placement;
  return than.nodeStatus !== undefined && row.nodeStatus === undefined;
}

/** HM-SLOT-ELSEWHERE when another node holds the slot: only that one can do something with it. */
export async function elsewhere(node: NodeHandle, slot: SlotName): Promise<CodedError | undefined> {
  for (const { name, address, records } of await otherNodes(node)) {
    if (!records?.containers.some((one) => one.slot === slot)) continue;
    const { apiAddress } = records.facts ?? {};
    const told = apiAddress === undefined ? {} : { apiAddress };
    const evidence = { slot, node: name, ...(apiAddress === undefined ? {} : { api: apiAddress }) };
    const hint = reachApi({ name, host: address?.host ?? name, ...told });
    return coded('HM-SLOT-ELSEWHERE', `${slot} is on ${name}, not on ${node.name}`, evidence, hint);
  }
  return undefined;
}
