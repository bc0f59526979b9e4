/**
 * What ought to be, worked out from the true store alone and without the product's own reconciling code: which slots
 * are desired, what is assigned, and what on the machine differs from it.
 */
import type {
  AppRecord,
  AppSpec,
  Assignment,
  RevisionRecord,
  ServiceSpec,
} from '../../protocols/apps/model.ts';
import { resourcesMark } from '../../protocols/containers/oci/resources.ts';
import type { ContainerStatus } from '../../protocols/containers/model.ts';
import type { RunRecord } from '../../protocols/containers/slot/value.ts';
import type { ClusterSight } from './checkers/checker.ts';

export type Rows = ReadonlyMap<string, unknown>;

export interface DesiredSlot {
  readonly slot: string;
  readonly app: string;
  readonly service: ServiceSpec;
  readonly spec: AppSpec;
  readonly revision: number;
  /** How often somebody wanted it placed anew. */
  readonly restarts: number;
}

const isJob = ({ mode }: ServiceSpec): boolean => mode === 'replicated-job' || mode === 'global-job';

const appPrefix = 'apps/';

function specsIn(rows: Rows): readonly { record: AppRecord; spec: AppSpec }[] {
  const found: { record: AppRecord; spec: AppSpec }[] = [];
  for (const [key, value] of rows) {
    if (!key.startsWith(appPrefix)) continue;
    const record = value as AppRecord;
    if (record.removing) continue;
    const revision = rows.get(`revisions/${record.name}/${String(record.revision).padStart(8, '0')}`);
    if (revision === undefined) continue;
    found.push({ record, spec: (revision as RevisionRecord).spec });
  }
  return found;
}

export function desiredIn(rows: Rows): Map<string, DesiredSlot> {
  const desired = new Map<string, DesiredSlot>();
  for (const { record, spec } of specsIn(rows)) {
    for (const service of Object.values(spec.services)) {
      const written = (isJob(service) ? service.job?.completions : undefined) ?? service.replicas;
      const replicas = record.scale[service.name] ?? written;
      for (let index = 1; index <= replicas; index += 1) {
        const slot = `${record.name}/${service.name}.${index}`;
        const { name: app, revision, restarts: wishes } = record;
        const named = ['*', service.name, `${service.name}.${index}`];
        const restarts = named.reduce((sum, name) => sum + (wishes[name] ?? 0), 0);
        desired.set(slot, { slot, app, service, spec, revision, restarts });
      }
    }
  }
  return desired;
}

/** Of one node, or of all. */
export function assignmentsIn(rows: Rows, node?: string): Map<string, Assignment> {
  const prefix = node === undefined ? 'nodes/' : `nodes/${node}/slots/`;
  const assigned = new Map<string, Assignment>();
  for (const [key, value] of rows) {
    if (!key.startsWith(prefix)) continue;
    const assignment = value as Assignment;
    assigned.set(assignment.slot, assignment);
  }
  return assigned;
}

/** How a desired slot stands: it runs, it has ended as its policy lets it, it waits for one that has, or it is wrong. */
type Standing = string;

export class Oracle {
  readonly #rows: Rows;
  readonly #containers: readonly ContainerStatus[];
  readonly #sight: ClusterSight;

  constructor(sight: ClusterSight) {
    this.#rows = sight.rows;
    this.#containers = sight.nodes.flatMap(({ machine }) => machine.list());
    this.#sight = sight;
  }

  /** What differs from the wish, in words; empty when all is as desired. */
  problems(): readonly string[] {
    const desired = desiredIn(this.#rows);
    const assigned = assignmentsIn(this.#rows);
    const found: string[] = [];
    for (const [key, value] of this.#rows)
      if (key.startsWith(appPrefix) && (value as AppRecord).removing) found.push(`${key} is not removed yet`);
    for (const slot of assigned.keys())
      if (!desired.has(slot)) found.push(`${slot} is assigned and nobody wants it`);
    for (const { id, key } of this.#containers)
      if (!desired.has(key.slot)) found.push(`${id} is there and nobody wants it`);
    const standings = new Map<string, Standing>();
    for (const slot of desired.values())
      standings.set(slot.slot, this.#standing(slot, assigned, desired, standings));
    for (const [slot, standing] of standings)
      if (!['runs', 'ended', 'waits'].includes(standing)) found.push(`${slot} ${standing}`);
    return found;
  }

  /** Every desired slot runs or has ended well. */
  allRun(): boolean {
    const assigned = assignmentsIn(this.#rows);
    return [...desiredIn(this.#rows).keys()].every(
      (slot) => assigned.has(slot) && this.#sight.recordOf(slot)?.outcome !== 'failed',
    );
  }

  #standing(
    slot: DesiredSlot,
    assigned: ReadonlyMap<string, Assignment>,
    desired: ReadonlyMap<string, DesiredSlot>,
    known: Map<string, Standing>,
  ): Standing {
    const assignment = assigned.get(slot.slot);
    const containers = this.#containers.filter((container) => container.key.slot === slot.slot);
    if (containers.length > 1) return `has ${containers.map((container) => container.id).join(', ')}`;
    const stale =
      assignment === undefined ||
      assignment.restartMark !== slot.restarts ||
      !sameSpec(assignment.spec, withHeld(slot));
    if (stale && this.#isHeldBack(slot, assigned, desired, known))
      return this.#waiting(assignment, containers);
    if (assignment && stale) {
      const failing = this.#failingSiblings(slot, assigned, desired);
      if (failing.some(({ outcome }) => outcome !== undefined)) return this.#waiting(assignment, containers);
      // It fails once more or lasts, and then its sibling follows.
      if (failing.length > 0) return 'waits for a newer one that runs again and may last';
    }
    if (assignment === undefined) return 'is not assigned';
    if (stale) return 'is assigned an older specification';
    if (assignment.revision !== slot.revision) return `is said to be of revision ${assignment.revision}`;
    const record = this.#sight.recordOf(slot.slot);
    if (
      record?.placement === assignment.placement &&
      record.outcome !== undefined &&
      record.outcome !== 'restart'
    ) {
      const running = containers.some((container) => container.phase === 'running');
      return running ? `has ended (${record.outcome}) and runs` : endedRightly(record, assignment);
    }
    const [container] = containers;
    if (container?.phase !== 'running') return `is ${container?.phase ?? 'absent'}`;
    if (container.key.placement !== assignment.placement)
      return `runs as ${container.id}, an older placement`;
    if (container.resources !== resourcesMark(slot.service.resources)) return 'runs under other limits';
    if (this.#hasOldFiles(slot, container)) return 'runs with older contents of its files';
    return isJob(assignment.spec) ? 'is a job that has not ended yet' : 'runs';
  }

  /** What it was assigned before goes on meanwhile; while that is between two runs nothing has settled. */
  #waiting(assignment: Assignment | undefined, containers: readonly ContainerStatus[]): Standing {
    if (assignment === undefined) return 'waits';
    const record = this.#sight.recordOf(assignment.slot);
    const outcome = record?.placement === assignment.placement ? record.outcome : undefined;
    if (outcome === 'restart') return 'waits, and its older placement starts again';
    const runs = containers.some(({ phase }) => phase === 'running');
    return outcome !== undefined || runs ? 'waits' : 'waits, and its older placement does not run';
  }

  /**
   * Of several that serve one at a time gives way: while one of the newer ones crashes again and again, or has failed for good,
   * the others stay. Their records.
   */
  #failingSiblings(
    { slot, app, service }: DesiredSlot,
    assigned: ReadonlyMap<string, Assignment>,
    desired: ReadonlyMap<string, DesiredSlot>,
  ): readonly RunRecord[] {
    return [...desired.values()].flatMap((other) => {
      if (other.slot === slot || other.app !== app || other.service.name !== service.name) return [];
      const newer = assigned.get(other.slot);
      const record = this.#sight.recordOf(other.slot);
      if (newer === undefined || record?.placement !== newer.placement) return [];
      const fails = record.outcome === 'failed' || record.history.failuresInARow > 0;
      return fails && sameSpec(newer.spec, withHeld(other)) ? [record] : [];
    });
  }

  #hasOldFiles(slot: DesiredSlot, { id }: ContainerStatus): boolean {
    const { files = [], onSecretChange = 'restart' } = withHeld(slot);
    if (files.length === 0) return false;
    const given = this.#sight.nodes.flatMap(({ grants }) => [...(grants.runs.get(id)?.files.values() ?? [])]);
    const marks = new Set(given.map(({ mark }) => mark));
    const wanted = files.map(({ held }) => `${held?.name}/${held?.version}`);
    return onSecretChange === 'none' ? marks.size < files.length : wanted.some((mark) => !marks.has(mark));
  }

  /** A service that it depends on has a slot that will not run: it has failed, or waits itself. */
  #isHeldBack(
    slot: DesiredSlot,
    assigned: ReadonlyMap<string, Assignment>,
    desired: ReadonlyMap<string, DesiredSlot>,
    known: Map<string, Standing>,
  ): boolean {
    const names = slot.service.dependsOn.map((dependency) => `${slot.app}/${dependency.service}.`);
    const before = [...desired.values()].filter((other) => names.some((name) => other.slot.startsWith(name)));
    return before.some((other) => {
      const standing = known.get(other.slot) ?? this.#standing(other, assigned, desired, known);
      return (
        standing === 'waits' ||
        (standing === 'ended' && this.#sight.recordOf(other.slot)?.outcome === 'failed')
      );
    });
  }
}

function endedRightly(record: RunRecord, { spec }: Assignment): Standing {
  const { restart } = spec;
  if (record.outcome === 'completed')
    return isJob(spec) || restart.condition !== 'always' ? 'ended' : 'completed, and its policy says always';
  if (restart.condition === 'none') return 'ended';
  if (restart.maxAttempts !== undefined && record.history.restarts >= restart.maxAttempts) return 'ended';
  return 'has failed, and its policy allows another start';
}

/** Its files with the contents that its app says. */
function withHeld({ app, service, spec }: DesiredSlot): ServiceSpec {
  if (!service.files) return service;
  const files = service.files.map((file) => {
    const sources = (file.kind === 'secret' ? spec.secrets : spec.configs) ?? {};
    const version = sources[file.source]?.digest?.slice('sha256:'.length) ?? '';
    return { ...file, held: { name: `apps/${app}/${file.kind}.${file.source}`, version } };
  });
  return { ...service, files };
}

function sameSpec(a: ServiceSpec, b: ServiceSpec): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
