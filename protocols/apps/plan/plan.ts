/**
 * What a deploy would do, before it does it: which services are created, replaced, updated in place or removed, which
 * field of them says so, and what becomes of volumes and images. The plan's id names both what was asked and what it
 * was compared with, so that exactly this is deployed or nothing.
 */
import { reason, type Reason } from '../../errors.ts';
import { hashValue } from '../../hash.ts';
import type { JoinedNetwork } from '../../network/model.ts';
import { joinedNetworks } from '../../network/networks.ts';
import { withPlaces } from '../../security/files.ts';
import { keys } from '../../state/keys.ts';
import { modRevisionOf } from '../../state/mirror.ts';
import type { AppRecord, AppSpec, ServiceSpec } from '../model.ts';
import { replicasOf, revisionOf, writtenReplicas, type Desk } from '../reconcile.ts';
import { forReplica, specHash } from '../spec-hash.ts';
import { differences, type FieldDifference } from './fields.ts';
import { shownValue } from '../../security/shown-value.ts';

export type Digests = Readonly<Record<string, string>>;

export interface FieldChange {
  /** `environment.LOG_LEVEL` */
  readonly path: string;
  readonly kind: 'added' | 'removed' | 'changed';
  /** As JSON, cut at 200 characters. Absent with `hidden`. */
  readonly before?: string;
  readonly after?: string;
  /** Could be a secret: only that it changed is said. */
  readonly hidden?: true;
  /** `replaces`: running containers give way to new ones because of it. */
  readonly effect: 'replaces' | 'in-place';
}

export interface ContainerCounts {
  readonly create: number;
  readonly replace: number;
  readonly remove: number;
  readonly keep: number;
}

export interface ServicePlan {
  readonly name: string;
  readonly action: 'create' | 'replace' | 'update' | 'remove' | 'keep';
  readonly containers: ContainerCounts;
  readonly fields: readonly FieldChange[];
  readonly unchanged: number;
}

export interface VolumePlan {
  readonly name: string;
  /** `leave`: the app no longer names it; its data stays. */
  readonly action: 'create' | 'keep' | 'leave';
}

export interface ImagePlan {
  readonly image: string;
  /** Absent: it is not on the node yet. */
  readonly digest?: string;
}

export interface Plan {
  readonly id: string;
  readonly app: string;
  /** `from` 0: not deployed yet. */
  readonly from: number;
  readonly to: number;
  readonly changed: boolean;
  readonly services: readonly ServicePlan[];
  /** Networks, configs and secrets of the app. */
  readonly fields: readonly FieldChange[];
  readonly volumes: readonly VolumePlan[];
  readonly images: readonly ImagePlan[];
  readonly containers: ContainerCounts;
  /** What the node cannot do for it as it is; absent when there is nothing. */
  readonly warnings?: readonly Reason[];
}

export function planOf(desk: Desk, spec: AppSpec, digests: Digests): Plan {
  const record = desk.mirror.rows[keys.app(spec.name)]?.value as AppRecord | undefined;
  const present = record && !record.removing ? revisionOf(desk, record) : undefined;
  const old = present?.spec;
  const oldDigests = present?.digests ?? {};
  const names = [
    ...Object.keys(spec.services),
    ...Object.keys(old?.services ?? {}).filter((name) => !Object.hasOwn(spec.services, name)),
  ];
  const services = names.map((name) => {
    const before = serviceIn(desk, old, name);
    const after = serviceIn(desk, spec, name);
    return servicePlan(name, {
      ...(before
        ? { before, had: record ? replicasOf(record, before) : writtenReplicas(before) }
        : { had: 0 }),
      ...(after ? { after } : {}),
      oldDigest: before && oldDigests[before.image],
      newDigest: after && digests[after.image],
      oldNetworks: before && old && joinedNetworks(old, before),
      newNetworks: after && joinedNetworks(spec, after),
    });
  });
  const fields = partChanges(old, spec);
  const volumes = volumePlans(old, spec);
  const changed =
    !present ||
    fields.length > 0 ||
    services.some(({ action, fields: own }) => action !== 'keep' || own.length > 0) ||
    volumes.some(({ action }) => action !== 'keep');
  const from = record?.revision ?? 0;
  const same = hashValue([old, oldDigests]) === hashValue([spec, digests]);
  return {
    id: planId(desk, spec, digests),
    app: spec.name,
    from,
    to: same ? from : from + 1,
    changed: changed || !same,
    services,
    fields,
    volumes,
    images: imagePlans(spec, digests),
    containers: total(services.map(({ containers }) => containers)),
  };
}

/** With the sealed value behind each of its files: another content is another container. */
function serviceIn(desk: Desk, spec: AppSpec | undefined, name: string): ServiceSpec | undefined {
  const service = spec && Object.hasOwn(spec.services, name) ? spec.services[name] : undefined;
  return spec && service && withPlaces(spec, desk.mirror, service);
}

interface Pair {
  readonly before?: ServiceSpec;
  readonly after?: ServiceSpec;
  /** Replicas that are wanted now, `scale` included. */
  readonly had: number;
  readonly oldDigest: string | undefined;
  readonly newDigest: string | undefined;
  /** Those of the app as the service has them: also a change of theirs makes another container. */
  readonly oldNetworks: readonly JoinedNetwork[] | undefined;
  readonly newNetworks: readonly JoinedNetwork[] | undefined;
}

function servicePlan(name: string, pair: Pair): ServicePlan {
  const { before, after, had, oldDigest, newDigest } = pair;
  const wanted = after ? writtenReplicas(after) : 0;
  const kept = before && after ? Math.min(had, wanted) : 0;
  const differs = (index: number): boolean =>
    before !== undefined &&
    after !== undefined &&
    specHash(forReplica(before, index), oldDigest, pair.oldNetworks) !==
      specHash(forReplica(after, index), newDigest, pair.newNetworks);
  const replace = Array.from({ length: kept }, (_, nth) => nth + 1).filter(differs).length;
  const replaced = kept > 0 ? replace > 0 : differs(1);
  const containers: ContainerCounts = {
    create: Math.max(0, wanted - (before ? had : 0)),
    replace,
    remove: Math.max(0, had - wanted),
    keep: kept - replace,
  };
  if (!after) return { name, action: 'remove', containers, fields: [], unchanged: 0 };
  const { fields, unchanged } = serviceChanges(pair, after, replaced);
  const action = !before ? 'create' : replaced ? 'replace' : fields.length > 0 ? 'update' : 'keep';
  return { name, action, containers, fields, unchanged };
}

function serviceChanges(
  { before, had, oldDigest, newDigest }: Pair,
  after: ServiceSpec,
  replaced: boolean,
): { readonly fields: readonly FieldChange[]; readonly unchanged: number } {
  // A new service is told by what it says, not by what it leaves at the default.
  const old = before ? { ...before, replicas: had } : { name: after.name };
  const { fields, unchanged } = differences(old, after);
  const effects = new Map<string, FieldChange['effect']>();
  const effectOf = (path: readonly string[]): FieldChange['effect'] => {
    const [part = ''] = path;
    if (!before || !replaced) return 'in-place';
    // Some of the resources can be changed while a container runs: each of their fields by itself.
    const key = part === 'resources' ? path.join('.') : part;
    const known = effects.get(key) ?? (changesHash(before, after, path, part) ? 'replaces' : 'in-place');
    effects.set(key, known);
    return known;
  };
  const changes = fields.map((field) => shown(field, effectOf(field.path)));
  const moved = before && before.image === after.image && oldDigest !== newDigest && newDigest !== undefined;
  if (moved) {
    const digest: FieldDifference = {
      path: ['imageDigest'],
      kind: oldDigest === undefined ? 'added' : 'changed',
      before: oldDigest,
      after: newDigest,
    };
    const replaces = specHash(before, oldDigest) !== specHash(before, newDigest);
    changes.unshift(shown(digest, replaces ? 'replaces' : 'in-place'));
  }
  return { fields: changes, unchanged };
}

/** Asks the very hash that decides: the old service with the new value of this field alone. */
function changesHash(
  before: ServiceSpec,
  after: ServiceSpec,
  path: readonly string[],
  part: string,
): boolean {
  const mixed =
    part === 'resources'
      ? { ...before, resources: withValue(before.resources ?? {}, after.resources ?? {}, path.slice(1)) }
      : withValue(before, after, [part]);
  return specHash(before) !== specHash(mixed as ServiceSpec);
}

/** `into` with what `from` has at the path, or without it. */
function withValue(into: object, from: object, [key, ...rest]: readonly string[]): object {
  if (key === undefined) return into;
  const { [key]: old, ...others } = into as Record<string, unknown>;
  const value = (from as Record<string, unknown>)[key];
  if (rest.length === 0) return value === undefined ? others : { ...others, [key]: value };
  return { ...others, [key]: withValue((old ?? {}) as object, (value ?? {}) as object, rest) };
}

function shown(field: FieldDifference, effect: FieldChange['effect']): FieldChange {
  const path = field.path.join('.');
  const before = shownValue(field.path, field.before);
  const after = shownValue(field.path, field.after);
  const hidden =
    (field.before !== undefined && before === undefined) ||
    (field.after !== undefined && after === undefined);
  if (hidden) return { path, kind: field.kind, hidden, effect };
  return {
    path,
    kind: field.kind,
    ...(before === undefined ? {} : { before }),
    ...(after === undefined ? {} : { after }),
    effect,
  };
}

function partChanges(old: AppSpec | undefined, spec: AppSpec): readonly FieldChange[] {
  const parts = ({ networks, configs, secrets, volumes }: Partial<AppSpec>): object => ({
    networks,
    configs,
    secrets,
    // That a volume comes or goes is told of the volume.
    volumes: Object.fromEntries(
      Object.entries(volumes ?? {}).map(([name, { name: _name, ...rest }]) => [name, rest]),
    ),
  });
  return differences(parts(old ?? {}), parts(spec)).fields.map((field) => shown(field, 'in-place'));
}

function volumePlans(old: AppSpec | undefined, spec: AppSpec): readonly VolumePlan[] {
  const before = Object.keys(old?.volumes ?? {});
  const after = Object.keys(spec.volumes);
  return [
    ...after.map((name): VolumePlan => ({ name, action: before.includes(name) ? 'keep' : 'create' })),
    ...before.filter((name) => !after.includes(name)).map((name): VolumePlan => ({ name, action: 'leave' })),
  ];
}

function imagePlans(spec: AppSpec, digests: Digests): readonly ImagePlan[] {
  const images = new Set(Object.values(spec.services).map(({ image }) => image));
  return [...images].map((image) => {
    const digest = Object.hasOwn(digests, image) ? digests[image] : undefined;
    return { image, ...(digest === undefined ? {} : { digest }) };
  });
}

function total(counts: readonly ContainerCounts[]): ContainerCounts {
  const sum = (key: keyof ContainerCounts): number => counts.reduce((all, each) => all + each[key], 0);
  return { create: sum('create'), replace: sum('replace'), remove: sum('remove'), keep: sum('keep') };
}

/** `p-<what is asked>-<what is there>`: 32 bits each, against chance, not against malice. */
function planId(desk: Desk, spec: AppSpec, digests: Digests): string {
  const head = keys.app(spec.name);
  const record = desk.mirror.rows[head]?.value as AppRecord | undefined;
  const revision = keys.revision(spec.name, record?.revision ?? 0);
  const there = [modRevisionOf(desk.mirror, head), modRevisionOf(desk.mirror, revision), digests];
  return `p-${hashValue(spec).slice(0, 8)}-${hashValue(there).slice(0, 8)}`;
}

/** Why a plan can no longer be deployed as it was shown; `undefined` while it can. */
export function staleness(desk: Desk, spec: AppSpec, digests: Digests, id: string): Reason | undefined {
  const now = planId(desk, spec, digests);
  if (now === id) return undefined;
  const asked = (plan: string): string => plan.slice(0, plan.lastIndexOf('-'));
  const what = asked(now) === asked(id) ? `${spec.name} or its images have` : 'The files have';
  const text = `${what} changed since the plan ${id.slice(0, 40)}`;
  return reason('HM-PLAN-STALE', text, { app: spec.name, plan: now });
}
