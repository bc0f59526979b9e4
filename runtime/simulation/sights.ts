/** What checkers of the whole see. */
import type { RunRecord } from '../../protocols/containers/slot/value.ts';
import type { SimulatedWorld } from '../world/simulated/simulated-world.ts';
import type { ClusterSight } from './checkers/checker.ts';
import type { NodeRun } from './node/node-run.ts';

interface Seen {
  readonly world: SimulatedWorld;
  readonly nodes: readonly NodeRun[];
  readonly view: { readonly rows: ReadonlyMap<string, unknown> };
  storeIsFalse(): boolean;
  stormEndedMs(): number;
}

export function clusterSight({ world, nodes, view, storeIsFalse, stormEndedMs }: Seen): ClusterSight {
  const { clock, hub } = world;
  return {
    nowMs: () => clock.monotonicMs(),
    get rows() {
      return view.rows;
    },
    nodes: nodes.map(({ sight }) => sight),
    calmSinceMs: () => calmSince(nodes),
    storeIsFalse,
    stormEndedMs,
    engineTroubledWithin: (ms) => nodes.some(({ faults }) => faults.engineTroubledWithin(ms)),
    recordOf: (slot) => newest(nodes.flatMap(({ journal }) => journal.records.get(slot) ?? [])),
    times: world.times,
    packetsSent: () => hub.datagrams.counts.sent,
    everKnown: (id) => nodes.some(({ place }) => place.ids.has(id)),
    identities: () => nodes.reduce((sum, { place }) => sum + place.ids.size, 0),
  };
}

/** The last of them to become calm; `undefined` while one is not. */
function calmSince(nodes: readonly NodeRun[]): number | undefined {
  let latest = 0;
  for (const { calmSinceMs } of nodes) {
    if (calmSinceMs === undefined) return undefined;
    latest = Math.max(latest, calmSinceMs);
  }
  return latest;
}

const newest = (records: readonly RunRecord[]): RunRecord | undefined =>
  records.reduce<RunRecord | undefined>(
    (best, record) => (best === undefined || record.placement > best.placement ? record : best),
    undefined,
  );
