/**
 * Level-triggered reconciling of one app: compare what is wished (the store), what is assigned (the store) and
 * what is observed (the nodes' reports), and answer with the writes that bring them closer. Pure, and empty when
 * nothing differs: reconciling twice does nothing the second time.
 */
import { limits } from '../limits.ts';
import { keys } from '../state/keys.ts';
import { modRevisionOf, under, type Mirror } from '../state/mirror.ts';
import type { Compare, StoreOp } from '../state/model.ts';
import { utf8Bytes } from '../state/order.ts';
import { sameFiles, withPlaces } from '../security/files.ts';
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
import type { JoinedNetwork } from '../network/model.ts';
import { joinedNetworks } from '../network/networks.ts';
import { forReplica, specHash } from './spec-hash.ts';
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
  /** Of its image, where it was known at deploy. */
  readonly digest?: string;
  readonly networks?: readonly JoinedNetwork[];
}

export const isJob = ({ mode }: ServiceSpec): boolean => mode === 'replicated-job' || mode === 'global-job';

export const isGlobal = ({ mode }: ServiceSpec): boolean => mode === 'global' || mode === 'global-job';

export function revisionOf(desk: Desk, app: AppRecord): RevisionRecord | undefined {
  return desk.mirror.rows[keys.revision(app.name, app.revision)]?.value as RevisionRecord | undefined;
}

export function replicasOf(app: AppRecord, service: ServiceSpec): number {
  return isGlobal(service) ? 1 : (app.scale[service.name] ?? writtenReplicas(service));
}

/** How many slots the file asks for: of a job, one for each run that must succeed; of what runs on every node, one. */
export function writtenReplicas(service: ServiceSpec): number {
  if (isGlobal(service)) return 1;
  return isJob(service) ? (service.job?.completions ?? service.replicas) : service.replicas;
}

/** Raised by every restart that names the app, the service or the very slot. */
export function restartMark(app: AppRecord, service: string, index: number): number {
  return (app.restarts['*'] ?? 0) + (app.restarts[service] ?? 0) + (app.restarts[`${service}.${index}`] ?? 0);
}

/** All slots of the app's present revision, in the order of the file; none when it is being removed. */
export function wantedSlots(desk: Desk, app: AppRecord): readonly WantedSlot[] {
  const revision = revisionOf(desk, app);
  if (app.removing || !revision) return [];
  return Object.values(revision.spec.services).flatMap((declared) => {
    const service = withPlaces(revision.spec, desk.mirror, declared);
    const digest = revision.digests[service.image];
    const networks = joinedNetworks(revision.spec, service);
    return Array.from({ length: replicasOf(app, service) }, (_, position) => {
      const own = forReplica(service, position + 1);
      return {
        slot: slotName(app.name, service.name, position + 1),
        service: own,
        index: position + 1,
        specHash: specHash(own, digest, networks),
        ...(networks === undefined ? {} : { networks }),
        restartMark: restartMark(app, service.name, position + 1),
        ...(digest === undefined ? {} : { digest }),
      };
    });
  });
}

const nothing: Readonly<Record<SlotName, Assignment>> = {};

/** By slot. */
export function assignmentsOf(desk: Desk, app: string): Readonly<Record<SlotName, Assignment>> {
  let byNode = byMirror.get(desk.mirror);
  if (!byNode) byMirror.set(desk.mirror, (byNode = new Map()));
  let byApp = byNode.get(desk.node);
  if (!byApp) byNode.set(desk.node, (byApp = groupByApp(desk)));
  return byApp.get(app) ?? nothing;
}

/** Every look at every app asks for its assignments; a mirror never changes, so one grouping each is enough. */
const byMirror = new WeakMap<Mirror, Map<string, Map<string, Record<SlotName, Assignment>>>>();

function groupByApp(desk: Desk): Map<string, Record<SlotName, Assignment>> {
  const byApp = new Map<string, Record<SlotName, Assignment>>();
  for (const { value } of under<Assignment>(desk.mirror, keys.assignments(desk.node))) {
    const own = byApp.get(value.app) ?? {};
    own[value.slot] = value;
    byApp.set(value.app, own);
  }
  return byApp;
}

/** An app as a decision sees it: what is wanted beside what is assigned, looked up once. */
export interface Sight {
  readonly desk: Desk;
  readonly app: AppRecord;
  readonly wanted: readonly WantedSlot[];
  readonly byService: ReadonlyMap<string, readonly WantedSlot[]>;
  readonly assigned: Readonly<Record<SlotName, Assignment>>;
}

export function lookAt(desk: Desk, app: AppRecord): Sight {
  const wanted = wantedSlots(desk, app);
  const byService = new Map<string, WantedSlot[]>();
  for (const slot of wanted) {
    const own = byService.get(slot.service.name);
    if (own) own.push(slot);
    else byService.set(slot.service.name, [slot]);
  }
  return { desk, app, wanted, byService, assigned: assignmentsOf(desk, app.name) };
}

/** Assigned as the revision wants it. */
export function isCurrent(wanted: WantedSlot, assigned: Assignment | undefined): boolean {
  return (
    assigned !== undefined &&
    assigned.specHash === wanted.specHash &&
    assigned.restartMark === wanted.restartMark
  );
}

/** The same container, to be told news: of another revision, or of files that it does not restart for. */
function isStale(app: AppRecord, want: WantedSlot, assignment: Assignment): boolean {
  return assignment.revision !== app.revision || !sameFiles(want.service, assignment.spec);
}

/** Assigned so, and the node reports that very placement up and ready (or completed). */
export function isServing(assigned: Assignment | undefined, status: SlotStatus | undefined): boolean {
  if (!assigned || status?.placement !== assigned.placement) return false;
  return status.phase === 'completed' || (status.phase === 'running' && status.readiness === 'ready');
}

/** … and it has shown that it goes on, see `SlotStatus.settled`. */
function isSettled(assigned: Assignment | undefined, status: SlotStatus | undefined): boolean {
  return isServing(assigned, status) && (status?.phase === 'completed' || status?.settled === true);
}

/** The first dependency whose condition does not hold yet. */
export function waitsFor({ desk, byService, assigned }: Sight, service: ServiceSpec): string | undefined {
  const unmet = service.dependsOn.find((dependency) => {
    const slots = byService.get(dependency.service) ?? [];
    return !slots.every((slot) => {
      const assignment = assigned[slot.slot];
      const status = desk.observed[slot.slot];
      if (!assignment || !isCurrent(slot, assignment) || status?.placement !== assignment.placement)
        return false;
      if (dependency.required === false && hasTrouble(status)) return true;
      if (dependency.condition === 'completed') return status.phase === 'completed';
      if (dependency.condition === 'healthy') return isServing(assignment, status);
      return status.phase === 'running' || status.phase === 'completed';
    });
  });
  return unmet?.service;
}

/** Who need not have it waits no longer for what fails. */
const hasTrouble = ({ phase, readiness }: SlotStatus): boolean =>
  phase === 'failed' || phase === 'backoff' || readiness === 'unhealthy';

/** The node runs a later placement than the store knows: the store was restored. Only a still later one is followed. */
function isBehind(assigned: Assignment | undefined, status: SlotStatus | undefined): boolean {
  return assigned !== undefined && status !== undefined && status.placement > assigned.placement;
}

/** A job's slots to place now: never more at work than may be at once; those that have ended make room for the next. */
function dueOfJob({ desk, assigned }: Sight, slots: readonly WantedSlot[]): readonly WantedSlot[] {
  const { service } = slots[0]!;
  const parallel = service.job?.parallel ?? (isGlobal(service) ? 1 : service.replicas);
  const isAtWork = ({ slot }: WantedSlot): boolean => {
    const status = desk.observed[slot];
    const ended = status?.phase === 'completed' || status?.phase === 'failed';
    return assigned[slot] !== undefined && !(ended && status.placement === assigned[slot].placement);
  };
  const fits = (slot: WantedSlot): boolean =>
    isCurrent(slot, assigned[slot.slot]) && !isBehind(assigned[slot.slot], desk.observed[slot.slot]);
  const stale = slots.filter((slot) => !fits(slot));
  // What is at work for an earlier wish gives way in its own place.
  const replaced = stale.filter(isAtWork);
  const room = Math.max(0, parallel - slots.filter(isAtWork).length);
  return [...replaced, ...stale.filter((slot) => !isAtWork(slot)).slice(0, room)];
}

/** How the slots of a service follow their wish. */
export interface RollOut {
  /** To place now, or to place anew. */
  readonly due: readonly WantedSlot[];
  /** They go on as an earlier wish has it … */
  readonly held: readonly WantedSlot[];
  /** … until these are as the present one has it, and have settled. */
  readonly unsettled: readonly WantedSlot[];
}

/**
 * Of several that serve one at a time gives way, the next when it has settled: a revision that crashes takes down one
 * replica. What does not serve is replaced at once; what nobody has told of yet may serve.
 */
export function rollOut({ desk, assigned }: Sight, slots: readonly WantedSlot[]): RollOut {
  const serves = ({ slot }: WantedSlot) => isServing(assigned[slot], desk.observed[slot]);
  const settled = ({ slot }: WantedSlot) => isSettled(assigned[slot], desk.observed[slot]);
  const unheard = ({ slot }: WantedSlot) => assigned[slot] !== undefined && !desk.observed[slot];
  const fits = (slot: WantedSlot) =>
    isCurrent(slot, assigned[slot.slot]) && !isBehind(assigned[slot.slot], desk.observed[slot.slot]);
  const stale = slots.filter((slot) => !fits(slot));
  const idle = stale.filter((slot) => !serves(slot) && !unheard(slot));
  const unsettled = slots.filter((slot) => fits(slot) && !settled(slot));
  const serving = stale.filter(serves);
  // What may not last gives way before what does.
  const next = serving.find((slot) => !settled(slot)) ?? serving[0];
  const mayGive = slots.length === 1 || (idle.length === 0 && unsettled.length === 0 && !stale.some(unheard));
  const due = next && mayGive ? [...idle, next] : idle;
  return { due, held: stale.filter((slot) => !due.includes(slot)), unsettled };
}

/** Slots to place or to place anew now. */
export function duePlacements(sight: Sight): readonly WantedSlot[] {
  return [...sight.byService.values()].flatMap((slots) => {
    const { service } = slots[0]!;
    if (waitsFor(sight, service) !== undefined) return [];
    return isJob(service) ? dueOfJob(sight, slots) : rollOut(sight, slots).due;
  });
}

/** The writes of one round, at most one transaction's worth; empty when the app is as it should be. */
export function reconcileApp(desk: Desk, app: AppRecord): Writes {
  // What was deployed is not known: that is no wish to stop anything.
  if (!app.removing && !revisionOf(desk, app)) return { compare: [], then: [] };
  const sight = lookAt(desk, app);
  const { assigned } = sight;
  const wanted = new Map(sight.wanted.map((slot) => [slot.slot, slot]));
  const writes: Writes[] = [];

  for (const [slot, assignment] of Object.entries(assigned)) {
    const key = keys.assignment(desk.node, slot);
    const guard: Compare = { key, field: 'modRevision', equals: modRevisionOf(desk.mirror, key) };
    const want = wanted.get(slot);
    if (!want) writes.push({ compare: [guard], then: [{ op: 'delete', key }] });
    else if (isCurrent(want, assignment) && isStale(app, want, assignment)) {
      const value = { ...assignment, revision: app.revision, spec: want.service };
      writes.push({ compare: [guard], then: [{ op: 'put', key, value }] });
    }
  }
  for (const want of duePlacements(sight)) writes.push(place(desk, app, want));
  if (app.removing && Object.keys(assigned).length === 0) writes.push(...finishRemoval(desk, app));

  const some = oneTransaction(writes);
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

/** As many as one transaction takes, at least one: by operations, and by bytes. */
function oneTransaction(writes: readonly Writes[]): readonly Writes[] {
  // An assignment takes two operations and two compares; the app's own record guards the round.
  const some = writes.slice(0, Math.floor(limits.storeTxnOps / 2) - 1);
  let bytes = 0;
  // msgpack is never longer than JSON; the rest is for keys.
  const enough = limits.storeTxnBytes * 0.75;
  const end = some.findIndex(({ then }) => (bytes += utf8Bytes(JSON.stringify(then))) > enough);
  return end < 0 ? some : some.slice(0, Math.max(1, end));
}

function place(desk: Desk, app: AppRecord, want: WantedSlot): Writes {
  const key = keys.assignment(desk.node, want.slot);
  const counter = keys.placement(want.slot);
  const counted = (desk.mirror.rows[counter]?.value as number | undefined) ?? 0;
  const last = Math.max(counted, desk.observed[want.slot]?.placement ?? 0);
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
    ...(want.digest === undefined ? {} : { digest: want.digest }),
    ...(want.networks === undefined ? {} : { networks: want.networks }),
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

/**
 * No slot is assigned or reported any more: old revisions go, then, with volumes gone too, the head and its own revision
 * at once, so that who looks meanwhile sees what is being removed. Placement counters stay: they only grow.
 */
function finishRemoval(desk: Desk, app: AppRecord): Writes[] {
  if (Object.values(desk.observed).some((status) => status.app === app.name)) return [];
  const own = keys.revision(app.name, app.revision);
  const revisions = Object.keys(desk.mirror.rows).filter(
    (key) => key.startsWith(keys.revisions(app.name)) && key !== own,
  );
  const sealed = under(desk.mirror, keys.sealedUnder(`apps/${app.name}`)).map((row) => row.key);
  const going = [...revisions, ...sealed];
  if (going.length > 0) return going.map((key) => ({ compare: [], then: [{ op: 'delete', key }] }));
  const volumes = under<VolumeRecord>(desk.mirror, keys.volume(app.name, ''));
  if (volumes.some((row) => row.value.removing)) return [];
  const last = [own, keys.app(app.name)];
  return [{ compare: [], then: last.map((key) => ({ op: 'delete', key })) }];
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
