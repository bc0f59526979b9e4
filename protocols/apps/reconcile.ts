/**
 * Level-triggered reconciling of one app: compare what is wished (the store), what is assigned (the store) and
 * what is observed (the nodes' reports), and answer with the writes that bring them closer. Pure, and empty when
 * nothing differs: reconciling twice does nothing the second time.
 */
import { limits } from '../limits.ts';
import { keys } from '../state/keys.ts';
import { modRevisionOf, under, type Mirror } from '../state/mirror.ts';
import type { Compare, StoreOp } from '../state/model.ts';
import type { VolumeRecord } from '../storage/manager.ts';
import {
  slotName,
  type AppRecord,
  type AppSpec,
  type Assignment,
  type RevisionRecord,
  type ServiceSpec,
  type SlotName,
} from './model.ts';
import { specHash } from './spec-hash.ts';
import type { SlotStatus } from './status.ts';

/** What a decision may look at. */
export interface Desk {
  readonly node: string;
  readonly mirror: Mirror;
  readonly observed: Readonly<Record<SlotName, SlotStatus>>;
}

export interface Writes {
  readonly compare: readonly Compare[];
  readonly then: readonly StoreOp[];
}

/** A slot as the app's present revision wants it. */
export interface WantedSlot {
  readonly slot: SlotName;
  readonly service: ServiceSpec;
  readonly index: number;
  readonly specHash: string;
  readonly restartMark: number;
}

export function revisionOf(desk: Desk, app: AppRecord): RevisionRecord | undefined {
  return desk.mirror.rows[keys.revision(app.name, app.revision)]?.value as RevisionRecord | undefined;
}

export function replicasOf(app: AppRecord, service: ServiceSpec): number {
  return app.scale[service.name] ?? service.replicas;
}

/** Raised by every restart that names the app, the service or the very slot. */
export function restartMark(app: AppRecord, service: string, index: number): number {
  return (app.restarts['*'] ?? 0) + (app.restarts[service] ?? 0) + (app.restarts[`${service}.${index}`] ?? 0);
}

/** All slots of the app's present revision, in the order of the file; none when it is being removed. */
export function wantedSlots(desk: Desk, app: AppRecord): readonly WantedSlot[] {
  const revision = revisionOf(desk, app);
  if (app.removing || !revision) return [];
  return Object.values(revision.spec.services).flatMap((service) => {
    const hash = specHash(service, revision.digests[service.image]);
    return Array.from({ length: replicasOf(app, service) }, (_, position) => ({
      slot: slotName(app.name, service.name, position + 1),
      service,
      index: position + 1,
      specHash: hash,
      restartMark: restartMark(app, service.name, position + 1),
    }));
  });
}

export function assignmentsOf(desk: Desk, app: string): Readonly<Record<SlotName, Assignment>> {
  const rows = under<Assignment>(desk.mirror, keys.assignments(desk.node)).map((row) => row.value);
  return Object.fromEntries(rows.filter((row) => row.app === app).map((row) => [row.slot, row]));
}

/** Assigned as the revision wants it. */
export function isCurrent(wanted: WantedSlot, assigned: Assignment | undefined): boolean {
  return (
    assigned !== undefined &&
    assigned.specHash === wanted.specHash &&
    assigned.restartMark === wanted.restartMark
  );
}

/** Assigned so, and the node reports that very placement up and ready (or completed). */
export function isServing(assigned: Assignment | undefined, status: SlotStatus | undefined): boolean {
  if (!assigned || status?.placement !== assigned.placement) return false;
  return status.phase === 'completed' || (status.phase === 'running' && status.readiness === 'ready');
}

/** The first dependency whose condition does not hold yet. */
export function waitsFor(desk: Desk, app: AppRecord, service: ServiceSpec): string | undefined {
  const wanted = wantedSlots(desk, app);
  const assigned = assignmentsOf(desk, app.name);
  const unmet = service.dependsOn.find((dependency) => {
    const slots = wanted.filter((slot) => slot.service.name === dependency.service);
    return !slots.every((slot) => {
      const assignment = assigned[slot.slot];
      const status = desk.observed[slot.slot];
      if (!isCurrent(slot, assignment) || status?.placement !== assignment?.placement) return false;
      if (dependency.condition === 'healthy') return isServing(assignment, status);
      return status?.phase === 'running' || status?.phase === 'completed';
    });
  });
  return unmet?.service;
}

/** Slots to place or to place anew now. Of several that serve well one at a time gives way; what does not serve, at once. */
export function duePlacements(desk: Desk, app: AppRecord): readonly WantedSlot[] {
  const assigned = assignmentsOf(desk, app.name);
  const due: WantedSlot[] = [];
  for (const [name, slots] of groupByService(wantedSlots(desk, app))) {
    const service = slots[0]!.service;
    if (waitsFor(desk, app, service) !== undefined) continue;
    const stale = slots.filter((slot) => !isCurrent(slot, assigned[slot.slot]));
    const serving = stale.filter((slot) => isServing(assigned[slot.slot], desk.observed[slot.slot]));
    due.push(...stale.filter((slot) => !serving.includes(slot)));
    const inFlux = slots.some(
      (slot) =>
        isCurrent(slot, assigned[slot.slot]) && !isServing(assigned[slot.slot], desk.observed[slot.slot]),
    );
    const next = serving[0];
    const replaced = due.some((slot) => slot.service.name === name);
    if (next && (slots.length === 1 || (!inFlux && !replaced))) due.push(next);
  }
  return due;
}

function groupByService(slots: readonly WantedSlot[]): Map<string, WantedSlot[]> {
  const groups = new Map<string, WantedSlot[]>();
  for (const slot of slots) groups.set(slot.service.name, [...(groups.get(slot.service.name) ?? []), slot]);
  return groups;
}

/** The writes of one round, at most one transaction's worth; empty when the app is as it should be. */
export function reconcileApp(desk: Desk, app: AppRecord): Writes {
  const assigned = assignmentsOf(desk, app.name);
  const wanted = new Map(wantedSlots(desk, app).map((slot) => [slot.slot, slot]));
  const writes: { compare: Compare[]; then: StoreOp[] }[] = [];

  for (const [slot, assignment] of Object.entries(assigned)) {
    const key = keys.assignment(desk.node, slot);
    const guard: Compare = { key, field: 'modRevision', equals: modRevisionOf(desk.mirror, key) };
    const want = wanted.get(slot);
    if (!want) writes.push({ compare: [guard], then: [{ op: 'delete', key }] });
    else if (isCurrent(want, assignment) && assignment.revision !== app.revision) {
      const value = { ...assignment, revision: app.revision, spec: want.service };
      writes.push({ compare: [guard], then: [{ op: 'put', key, value }] });
    }
  }
  for (const want of duePlacements(desk, app)) writes.push(place(desk, app, want));
  if (app.removing && Object.keys(assigned).length === 0) writes.push(...finishRemoval(desk, app));

  // An assignment takes two operations and two compares; the app's own record guards the round.
  const some = writes.slice(0, Math.floor(limits.storeTxnOps / 2) - 1);
  if (some.length === 0) return { compare: [], then: [] };
  const key = keys.app(app.name);
  return {
    compare: [
      { key, field: 'modRevision', equals: modRevisionOf(desk.mirror, key) },
      ...some.flatMap((write) => write.compare),
    ],
    then: some.flatMap((write) => write.then),
  };
}

function place(desk: Desk, app: AppRecord, want: WantedSlot): { compare: Compare[]; then: StoreOp[] } {
  const key = keys.assignment(desk.node, want.slot);
  const counter = keys.placement(want.slot);
  const last = (desk.mirror.rows[counter]?.value as number | undefined) ?? 0;
  const value: Assignment = {
    slot: want.slot,
    app: app.name,
    service: want.service.name,
    index: want.index,
    node: desk.node,
    placement: last + 1,
    revision: app.revision,
    specHash: want.specHash,
    restartMark: want.restartMark,
    spec: want.service,
  };
  return {
    compare: [
      { key, field: 'modRevision', equals: modRevisionOf(desk.mirror, key) },
      { key: counter, field: 'modRevision', equals: modRevisionOf(desk.mirror, counter) },
    ],
    then: [
      { op: 'put', key, value },
      { op: 'put', key: counter, value: last + 1 },
    ],
  };
}

/** No slot is assigned or reported any more: revisions go, then, with volumes gone too, the head. Placement counters stay: they only grow. */
function finishRemoval(desk: Desk, app: AppRecord): { compare: Compare[]; then: StoreOp[] }[] {
  if (Object.values(desk.observed).some((status) => status.app === app.name)) return [];
  const revisions = Object.keys(desk.mirror.rows).filter((key) => key.startsWith(keys.revisions(app.name)));
  if (revisions.length > 0) return revisions.map((key) => ({ compare: [], then: [{ op: 'delete', key }] }));
  const volumes = under<VolumeRecord>(desk.mirror, keys.volume(app.name, ''));
  if (volumes.some((row) => row.value.removing)) return [];
  return [{ compare: [], then: [{ op: 'delete', key: keys.app(app.name) }] }];
}

/** Volumes the app declares and that have no record yet. */
export function missingVolumes(desk: Desk, spec: AppSpec): readonly StoreOp[] {
  return Object.keys(spec.volumes)
    .filter((volume) => !desk.mirror.rows[keys.volume(spec.name, volume)])
    .map((volume) => {
      const value: VolumeRecord = { app: spec.name, volume, node: desk.node, removing: false };
      return { op: 'put', key: keys.volume(spec.name, volume), value };
    });
}
