/**
 * What operators ask of apps, as transactions: deploy, scale, restart, remove. A refusal is a reason; an accepted
 * command is a set of writes guarded by what the decision looked at, so nothing is half done.
 */
import { reason, type Reason } from '../errors.ts';
import { canonicalJson, wishTag } from '../hash.ts';
import { limits } from '../limits.ts';
import { fixedAddress, networkProblem, shared } from '../network/networks.ts';
import { keys } from '../state/keys.ts';
import { modRevisionOf, under } from '../state/mirror.ts';
import {
  externalGuards,
  missingValue,
  tooMuchBrought,
  unreferred,
  type SealedPut,
} from '../security/files.ts';
import { everyAnonymous } from '../storage/anonymous.ts';
import type { VolumeRecord } from '../storage/manager.ts';
import { withHostPorts, type BusyPort } from './host-ports.ts';
import { lenderOf, type AppRecord, type AppSpec, type RevisionRecord, type ServiceSpec } from './model.ts';
import { staleness } from './plan/plan.ts';
import { forReplica, portedReplicas, specHash } from './spec-hash.ts';
import { borrowerOf, volumeProblem } from './borrowed-volumes.ts';
import {
  isGlobal,
  missingVolumes,
  replicasOf,
  revisionOf,
  wantedSlots,
  type Desk,
  type Writes,
} from './reconcile.ts';

/** Tags of the record (`wishTag`) that the operator has seen: `*` for any, `-` for none yet. Without it the command goes ahead whatever is there. */
interface Seen {
  readonly match?: readonly string[];
}

export type AppCommand = Seen &
  (
    | {
        readonly type: 'app.deploy';
        readonly spec: AppSpec;
        readonly digests?: Readonly<Record<string, string>>;
        /** For ports that nobody named: which are listened on. */
        readonly busy?: readonly BusyPort[];
        /** Only when it is still what this plan was made for. */
        readonly plan?: string;
        /** Contents of its configs and secrets, sealed: those that are new are written with the revision. */
        readonly sealed?: readonly SealedPut[];
        readonly at: number;
      }
    | {
        readonly type: 'app.scale';
        readonly app: string;
        readonly service: string;
        readonly replicas: number;
      }
    | {
        readonly type: 'app.restart';
        readonly app: string;
        readonly service?: string;
        readonly index?: number;
      }
    | { readonly type: 'app.remove'; readonly app: string; readonly volumes: boolean }
  );

export type Verdict =
  | { readonly refusal: Reason }
  | { readonly writes: Writes; readonly answer: Readonly<Record<string, unknown>> };

export function decideCommand(desk: Desk, command: AppCommand): Verdict {
  const stale = staleOf(desk, command);
  if (stale) return { refusal: stale };
  if (command.type === 'app.deploy') return deploy(desk, command);
  const app = desk.mirror.rows[keys.app(command.app)]?.value as AppRecord | undefined;
  if (!app)
    return { refusal: reason('HM-APP-UNKNOWN', `no app ${command.app} is deployed`, { app: command.app }) };
  if (command.type === 'app.remove') return remove(desk, app, command.volumes);
  if (app.removing) return { refusal: beingRemoved(app.name) };
  return command.type === 'app.scale' ? scale(desk, app, command) : restart(desk, app, command);
}

function staleOf(desk: Desk, command: AppCommand): Reason | undefined {
  const { match } = command;
  if (!match) return undefined;
  const app = command.type === 'app.deploy' ? command.spec.name : command.app;
  const record = desk.mirror.rows[keys.app(app)]?.value;
  const holds =
    record === undefined ? match.includes('-') : match.includes('*') || match.includes(wishTag(record));
  return holds ? undefined : reason('HM-API-PRECONDITION', `${app} is not what was seen of it`, { app });
}

function beingRemoved(app: string): Reason {
  return reason(
    'HM-APP-CONFLICT',
    `${app} is being removed`,
    { app },
    'Wait until hivemind ls no longer shows it, then repeat.',
  );
}

function put(desk: Desk, app: AppRecord, more: Writes['then'] = []): Writes {
  const key = keys.app(app.name);
  return {
    compare: [{ key, field: 'modRevision', equals: modRevisionOf(desk.mirror, key) }],
    then: [{ op: 'put', key, value: app }, ...more],
  };
}

function deploy(desk: Desk, command: Extract<AppCommand, { type: 'app.deploy' }>): Verdict {
  const before = desk.mirror.rows[keys.app(command.spec.name)]?.value as AppRecord | undefined;
  if (before?.removing) return { refusal: beingRemoved(command.spec.name) };
  const spec = withHostPorts(desk, command.spec, command.busy ?? []);
  if ('code' in spec) return { refusal: spec };
  const clash = networkProblem(spec, otherSpecs(desk, spec.name)) ?? volumeProblem(desk, spec);
  if (clash) return { refusal: clash };
  const missing = missingValue(desk.mirror, spec, command.sealed ?? []);
  if (missing) return { refusal: missing };
  const brought = (command.sealed ?? []).filter((one) => !desk.mirror.rows[one.key]);
  const tooMuch = tooMuchBrought(spec.name, brought);
  if (tooMuch) return { refusal: tooMuch };
  const digests = command.digests ?? {};
  const stale = command.plan === undefined ? undefined : staleness(desk, spec, digests, command.plan);
  if (stale) return { refusal: stale };
  const present = before && revisionOf(desk, before);
  const same = present && canonicalJson([present.spec, present.digests]) === canonicalJson([spec, digests]);
  if (same && brought.length === 0 && Object.keys(before.scale).length === 0) {
    return {
      writes: { compare: [], then: [] },
      answer: { app: spec.name, revision: before.revision, changed: false },
    };
  }
  const revision = same ? before.revision : (before?.revision ?? 0) + 1;
  const app: AppRecord = {
    name: spec.name,
    revision,
    removing: false,
    scale: {},
    restarts: raised(before?.restarts ?? {}, followers(spec, replacedServices(spec, digests, present))),
  };
  const record: RevisionRecord = { app: spec.name, revision, spec, digests, createdAt: command.at };
  const more = same ? [] : [{ op: 'put' as const, key: keys.revision(spec.name, revision), value: record }];
  const files = [...forgotten(desk, spec.name, revision), ...brought, ...unreferred(desk.mirror, spec)];
  const writes = put(desk, app, [...more, ...missingVolumes(desk, spec), ...files]);
  return {
    writes: { ...writes, compare: [...writes.compare, ...externalGuards(desk.mirror, spec)] },
    answer: { app: spec.name, revision, changed: true },
  };
}

/** Services that run and are replaced by this deploy. */
function replacedServices(
  spec: AppSpec,
  digests: Readonly<Record<string, string>>,
  present: RevisionRecord | undefined,
): readonly string[] {
  return Object.values(spec.services)
    .filter((service) => {
      const before = present?.spec.services[service.name];
      if (!before) return false;
      const [old, now] = [forReplica(before, 1), forReplica(service, 1)];
      return specHash(old, present.digests[old.image]) !== specHash(now, digests[now.image]);
    })
    .map(({ name }) => name);
}

/** Those that are to be restarted with these (`depends_on` with `restart: true`), and those with them, without these. */
function followers(spec: AppSpec, names: readonly string[]): readonly string[] {
  const found = new Set(names);
  for (let before = -1; before !== found.size;) {
    before = found.size;
    for (const { name, dependsOn } of Object.values(spec.services))
      if (dependsOn.some(({ service, restart: follows }) => follows && found.has(service))) found.add(name);
  }
  return [...found].filter((name) => !names.includes(name));
}

const raised = (restarts: AppRecord['restarts'], marks: readonly string[]): AppRecord['restarts'] => ({
  ...restarts,
  ...Object.fromEntries(marks.map((mark) => [mark, (restarts[mark] ?? 0) + 1])),
});

/** Revisions that are too old to be kept; a few at a time, because a transaction is small. */
function forgotten(desk: Desk, app: string, revision: number): Writes['then'] {
  return under<RevisionRecord>(desk.mirror, keys.revisions(app))
    .filter((row) => row.value.revision <= revision - limits.appRevisions)
    .slice(0, 10)
    .map((row) => ({ op: 'delete', key: row.key }));
}

/** Also of apps that are being removed: their containers hold their addresses until they are gone. */
function otherSpecs(desk: Desk, app: string): readonly AppSpec[] {
  return under<AppRecord>(desk.mirror, keys.apps)
    .filter(({ value }) => value.name !== app)
    .flatMap(({ value }) => revisionOf(desk, value)?.spec ?? []);
}

function scale(desk: Desk, app: AppRecord, command: Extract<AppCommand, { type: 'app.scale' }>): Verdict {
  const service = revisionOf(desk, app)?.spec.services[command.service];
  if (!service) return { refusal: unknownService(app.name, command.service) };
  if (
    !Number.isInteger(command.replicas) ||
    command.replicas < 0 ||
    command.replicas > limits.composeReplicas
  ) {
    return {
      refusal: reason('HM-COMPOSE-LIMIT', `replicas must be 0 to ${limits.composeReplicas}`, {
        replicas: command.replicas,
      }),
    };
  }
  if (isGlobal(service) && command.replicas !== 1) {
    const text = `${app.name}/${service.name} has one container a node: it cannot be scaled`;
    return { refusal: reason('HM-COMPOSE-LIMIT', text, {}, 'Deploy it with deploy: { mode: replicated }.') };
  }
  const fixed = fixedAddress(service);
  if (fixed !== undefined && command.replicas > 1)
    return { refusal: shared(`${app.name}/${service.name}`, fixed, command.replicas) };
  const lending = lendingTrouble(desk, app, service.name, command.replicas);
  if (lending) return { refusal: lending };
  const ported = portedReplicas(service);
  if (ported !== undefined && command.replicas > ported)
    return { refusal: portless(`${app.name}/${service.name}`, ported, command.replicas) };
  if (replicasOf(app, service) === command.replicas) return { writes: { compare: [], then: [] }, answer: {} };
  return {
    writes: put(desk, { ...app, scale: { ...app.scale, [service.name]: command.replicas } }),
    answer: {},
  };
}

/** Each container that has another one's network needs that one. */
function lendingTrouble(desk: Desk, app: AppRecord, name: string, replicas: number): Reason | undefined {
  const services = Object.values(revisionOf(desk, app)?.spec.services ?? {});
  const after = (service: ServiceSpec): number =>
    service.name === name ? replicas : replicasOf(app, service);
  for (const service of services) {
    const lender = services.find((other) => other.name === lenderOf(service));
    if (!lender || (lender.name !== name && service.name !== name)) continue;
    if (after(service) <= after(lender)) continue;
    const text = `${after(service)} replicas of ${app.name}/${service.name} have the network of ${after(lender)} of ${app.name}/${lender.name}`;
    const hint = `Scale ${lender.name} up first, ${service.name} down first.`;
    return reason('HM-CONTAINER-PEER', text, { service: service.name, lender: lender.name }, hint);
  }
  return undefined;
}

function portless(service: string, ported: number, replicas: number): Reason {
  const text = `${ported} of ${replicas} replicas of ${service} have a port out of its range`;
  const hint = `Deploy it with deploy: { replicas: ${replicas} }: a port is assigned to each.`;
  return reason('HM-PORT-RANGE', text, { service, replicas }, hint);
}

function unknownService(app: string, service: string): Reason {
  return reason(
    'HM-SERVICE-UNKNOWN',
    `${app} has no service ${service}`,
    { app, service },
    `hivemind status ${app}`,
  );
}

function restart(desk: Desk, app: AppRecord, command: Extract<AppCommand, { type: 'app.restart' }>): Verdict {
  const matching = wantedSlots(desk, app).filter(
    (slot) =>
      (command.service === undefined || slot.service.name === command.service) &&
      (command.index === undefined || slot.index === command.index),
  );
  if (matching.length === 0)
    return {
      refusal: unknownService(
        app.name,
        `${command.service ?? ''}${command.index === undefined ? '' : `.${command.index}`}`,
      ),
    };
  const mark =
    command.service === undefined
      ? '*'
      : command.index === undefined
        ? command.service
        : `${command.service}.${command.index}`;
  const spec = revisionOf(desk, app)?.spec;
  const more = spec && command.service !== undefined ? followers(spec, [command.service]) : [];
  const restarts = raised(app.restarts, [mark, ...more]);
  return { writes: put(desk, { ...app, restarts }), answer: { slots: matching.length } };
}

function remove(desk: Desk, app: AppRecord, volumes: boolean): Verdict {
  const used = volumes ? borrowerOf(app.name, otherSpecs(desk, app.name)) : undefined;
  if (used) return { refusal: used };
  const records = under<VolumeRecord>(desk.mirror, keys.volume(app.name, ''));
  const unnamed: VolumeRecord = { app: app.name, volume: everyAnonymous, node: desk.node, removing: true };
  const removals = volumes
    ? [
        ...records.map((row) => ({
          op: 'put' as const,
          key: row.key,
          value: { ...row.value, removing: true },
        })),
        { op: 'put' as const, key: keys.volume(app.name, everyAnonymous), value: unnamed },
      ]
    : [];
  if (app.removing && removals.length === 0) return { writes: { compare: [], then: [] }, answer: {} };
  return { writes: put(desk, { ...app, removing: true }, removals), answer: {} };
}
