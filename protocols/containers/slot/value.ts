/**
 * What a slot's machine knows, and its record in the journal. A slot owns placements, runs and the restart
 * policy; the phase it is in stands in `actors/containers/slot.machine.ts` alone.
 */
import type { Assignment, ServiceSpec, SlotName } from '../../apps/model.ts';
import type { HookSpec } from '../../apps/service-model.ts';
import type { SlotStatus } from '../../apps/status.ts';
import { drive, send, type Decision, type Effect } from '../../effects.ts';
import { limits } from '../../limits.ts';
import type { Reason } from '../../errors.ts';
import type { JoinedNetwork } from '../../network/model.ts';
import type { ActorPath } from '../../wire/address.ts';
import { attemptId, containerPath, paths, slotPath } from '../../wire/paths.ts';
import type { Ending } from '../life/value.ts';
import type { ContainerExit, RunKey } from '../model.ts';
import type { RunHistory } from '../restart.ts';
import type { Replacement } from './replacement.ts';

/** Journal entry `runEntry(slot)`: the newest run. Run numbers only grow within a placement; attempts within a run. */
export interface RunRecord {
  readonly placement: number;
  readonly run: number;
  readonly attempt: number;
  /** True once it was seen running: from then on its absence means lost, not never made. */
  readonly started: boolean;
  readonly startedAt?: number;
  /** It served last: a daemon that starts anew withdraws nothing that serves. Absent until first known. */
  readonly ready?: boolean;
  /** Its post-start hooks have run. */
  readonly hooked?: true;
  /** How it is to be ended: the assignment may be another one by then. */
  readonly ends?: Ends;
  /** Whom it may reach for as long as it runs, whatever the assignment says by then. Absent: the open network. */
  readonly networks?: readonly JoinedNetwork[];
  /** It is being ended. */
  readonly stop?: { readonly since: number; readonly hooked?: true };
  readonly history: RunHistory;
  readonly lastExit?: ContainerExit;
  /** What follows, once the run has ended. */
  readonly outcome?: 'restart' | 'completed' | 'failed';
  readonly nextStartAt?: number;
  readonly reason?: Reason;
  /** What serves while a newer assignment waits for its image. */
  readonly serves?: Assignment;
  /** Names of the newest runs, over placements: those whose logs are kept. */
  readonly logs: readonly string[];
}

/** What of a specification counts at a container's end. */
export interface Ends extends Pick<ServiceSpec, 'stopGraceMs' | 'stopSignal' | 'networkMode' | 'replicas'> {
  readonly preStop?: readonly HookSpec[];
  readonly drainMs?: number;
}

function endsOf(spec: ServiceSpec): Ends {
  const { stopGraceMs, stopSignal, networkMode, replicas, hooks, probes } = spec;
  return {
    ...{ stopGraceMs, networkMode, replicas },
    ...(stopSignal === undefined ? {} : { stopSignal }),
    ...(hooks?.preStop === undefined ? {} : { preStop: hooks.preStop }),
    ...(probes?.drainMs === undefined ? {} : { drainMs: probes.drainMs }),
  };
}

/** What of its own assignment a run keeps to its end. */
export const keptOf = ({ spec, networks }: Assignment): Pick<RunRecord, 'ends' | 'networks'> => ({
  ends: endsOf(spec),
  ...(networks === undefined ? {} : { networks }),
});

/** A container that is to end is ended as the specification says that it was made by. */
function endedBy(assignment: Assignment, { placement, ends }: RunRecord): Assignment {
  if (!ends || placement === assignment.placement) return assignment;
  const { preStop, drainMs, ...rest } = ends;
  const { stopSignal: _, hooks: _hooks, probes: _probes, ...spec } = assignment.spec;
  return {
    ...assignment,
    spec: {
      ...{ ...spec, ...rest },
      ...(preStop === undefined ? {} : { hooks: { preStop } }),
      ...(drainMs === undefined ? {} : { probes: { drainMs } }),
    },
  };
}

export interface SlotValue {
  readonly node: string;
  readonly slot: SlotName;
  /** What the slot is to run; absent until the journal was read. */
  readonly assignment?: Assignment;
  /** What follows, once its image is there. */
  readonly next?: Replacement;
  readonly record?: RunRecord;
  /** Numbers journal writes, so that each has an id of its own. */
  readonly writes: number;
  /** The journal does not hold the record as it is here: nothing that it could not find again is removed meanwhile. */
  readonly noting?: true;
  /** A run that had ended, and was not yet noted as such when the next one was numbered: it goes when that is written. */
  readonly former?: RunKey;
  readonly address?: string;
  readonly containerId?: string;
  /** The assignment changed in place: an actor of its container that had not begun by then has missed it. */
  readonly handed?: true;
  /** The processes of its container stand still. */
  readonly paused?: true;
  /** The present run has been up for as long as `settling.ts` says. */
  readonly settled?: true;
  readonly reason?: Reason;
  /** What was told to the manager last, to tell only changes. */
  readonly told?: SlotStatus;
}

/** Journal keys of a slot share a prefix that no other slot has: `|` is in no name. */
export const slotEntries = 'slots/';
export const entriesOf = (slot: SlotName): string => `${slotEntries}${slot}|`;
export const runEntry = (slot: SlotName): string => `${entriesOf(slot)}run`;
export const endingEntry = (slot: SlotName): string => `${entriesOf(slot)}ending`;
export const assignmentEntry = (slot: SlotName): string => `${entriesOf(slot)}assignment`;

export function keyOf(value: SlotValue): RunKey | undefined {
  if (!value.record) return undefined;
  const { placement, run, attempt } = value.record;
  return { slot: value.slot, placement, run, attempt };
}

export function sameRun(a: RunKey, b: RunKey | undefined): boolean {
  return (
    b !== undefined &&
    a.slot === b.slot &&
    a.placement === b.placement &&
    a.run === b.run &&
    a.attempt === b.attempt
  );
}

export const follow = (id: string, path: ActorPath): Effect => ({
  do: 'watch',
  id,
  source: { of: 'actor', path },
});

/** Tell the manager where the slot stands, unless it was told just that. */
export function tell(
  value: SlotValue,
  at: number,
  phase: SlotStatus['phase'],
  readiness: SlotStatus['readiness'],
): readonly [SlotValue, readonly Effect[]] {
  const assignment = value.assignment;
  if (!assignment) return [value, []];
  const present = value.record?.placement === assignment.placement ? value.record : undefined;
  const { networks } = present ? assignment : (value.record ?? assignment);
  const draft: SlotStatus = {
    slot: value.slot,
    app: assignment.app,
    service: assignment.service,
    index: assignment.index,
    node: value.node,
    placement: assignment.placement,
    run: present?.run ?? 0,
    revision: assignment.revision,
    specHash: assignment.specHash,
    phase,
    readiness,
    ...(value.settled && readiness === 'ready' ? { settled: true } : {}),
    image: assignment.spec.image,
    ports: assignment.spec.ports,
    ...(value.containerId === undefined ? {} : { containerId: value.containerId }),
    ...(value.address === undefined ? {} : { address: value.address }),
    ...(value.paused && phase === 'running' ? { paused: true } : {}),
    ...(networks === undefined ? {} : { networks }),
    ...(assignment.spec.names?.dns === undefined ? {} : { dns: assignment.spec.names.dns }),
    restarts: present?.history.restarts ?? 0,
    ...(present?.nextStartAt === undefined ? {} : { nextStartAt: present.nextStartAt }),
    ...(phase === 'running' && present?.startedAt !== undefined ? { startedAt: present.startedAt } : {}),
    ...(present?.lastExit === undefined ? {} : { lastExit: present.lastExit }),
    ...reasonsOf(value),
    since: value.told?.phase === phase && value.told.readiness === readiness ? value.told.since : at,
  };
  if (value.told && JSON.stringify(value.told) === JSON.stringify(draft)) return [value, []];
  return [{ ...value, told: draft }, [send(paths.manager, { type: 'slot.changed', status: draft })]];
}

/** Its own trouble before that of what waits to replace it. */
function reasonsOf({ reason: own, next }: SlotValue): Pick<SlotStatus, 'reason' | 'next'> {
  const because = own ?? next?.reason;
  const reason = because === undefined ? {} : { reason: because };
  if (!next) return reason;
  const { placement, revision, spec } = next.assignment;
  const why = next.reason === undefined ? {} : { reason: next.reason };
  return { ...reason, next: { placement, revision, image: spec.image, ...why } };
}

/** The container actor of the present attempt; starting one that lives is done already. */
export function startContainer(value: SlotValue, intent: 'run' | 'stop'): readonly Effect[] {
  const key = keyOf(value);
  if (!key || !value.assignment || !value.record) return [];
  return [
    send(paths.containers, {
      type: 'child.start',
      spec: {
        id: attemptId(key),
        machine: 'container',
        input: {
          owner: slotPath(value.slot),
          key,
          intent,
          started: value.record.started,
          hooked: value.record.hooked === true,
          ...(intent === 'stop' ? { ending: endingOf(value.record) } : {}),
          assignment: intent === 'stop' ? endedBy(value.assignment, value.record) : value.assignment,
        },
        // Only the slot knows what the run has come to: a crashed actor begins anew from it, never from its old input.
        restart: 'temporary',
        shutdown: 'brutal_kill',
        type: 'worker',
        backoff: { minMs: 100, maxMs: 5_000, factor: 2, jitter: 0.2, resetAfterMs: 60_000 },
      },
    }),
  ];
}

/** What has served is withdrawn and drained, unless it is being replaced because it fails. */
export function endingOf(held: RunRecord): Ending {
  const drain = held.started && held.ready === true && held.outcome === undefined;
  return { drain, since: held.stop?.since ?? 0, hooked: held.stop?.hooked === true };
}

export const fresh: RunHistory = { restarts: 0, failuresInARow: 0 };

/** What ended may go: its end is in the journal, or the journal says that it is to end. */
export const removeNow = (key: RunKey): Effect => send(containerPath(key), { type: 'container.remove' });

/** The id of the newest write: an answer to an older one is late. */
export const newestWrite = (value: SlotValue, event: { readonly id: string }): boolean =>
  event.id.endsWith(`:${value.writes}`);

/**
 * The newest run, into the journal. Before `run.recorded` nothing is started for it; what is only noted is written
 * again until it is there (`run.unnoted`).
 */
export function record(
  value: SlotValue,
  next: RunRecord,
  answer: 'run.recorded' | 'run.noted',
): Decision<SlotValue> {
  const writes = value.writes + 1;
  const append = drive(
    `record:${writes}`,
    { port: 'journal', op: 'append', args: { entries: { [runEntry(value.slot)]: next } } },
    { done: answer, failed: answer === 'run.recorded' ? 'run.failed' : 'run.unnoted' },
    limits.runtimeCallMs,
  );
  return [{ ...value, record: next, writes, noting: true }, [append]];
}

/** Forget the run and the assignment, at once: an assignment without its runs would count them anew. */
export function forgetSlot(value: SlotValue): Decision<SlotValue> {
  const writes = value.writes + 1;
  const { record: _, noting: _noting, former, ...rest } = value;
  const keys = [keyOf(value), former].filter((key) => key !== undefined);
  const append = drive(
    `forget:${writes}`,
    {
      port: 'journal',
      op: 'append',
      args: { entries: { [runEntry(value.slot)]: undefined, [assignmentEntry(value.slot)]: undefined } },
    },
    { done: 'run.forgotten', failed: 'run.failed' },
    limits.runtimeCallMs,
  );
  return [{ ...rest, writes }, [append, ...keys.map(removeNow)]];
}
