/**
 * What a running node offers to the doors in front of it (API, inspector, tests): asks to actors, views of the
 * actor system, the ports, the event log and the logs of runs. Made by `startNode`.
 */
import type { Message, NodeEvent } from '../protocols/effects.ts';
import type { EventPlace } from '../protocols/events/place.ts';
import type { ActorDirectory } from '../protocols/inspection.ts';
import type { MachineFacts } from '../protocols/observed/model.ts';
import type { Clock, Ports, Random, Stop } from '../protocols/ports.ts';
import type { ActorPath } from '../protocols/wire/address.ts';
import type { Level } from '../protocols/listing/log-levels.ts';
import type { ClusterHandle } from './cluster/handle.ts';
import type { LogChoice } from './logs/choice.ts';

/** An event as it is kept: numbered within its boot from 1 without gaps. */
export interface LoggedEvent extends NodeEvent, EventPlace {
  readonly at: number;
}

export interface EventLog {
  /** With `after` the first `limit` behind that place, else the newest; oldest first. */
  read(options: { readonly after?: EventPlace; readonly limit: number }): readonly LoggedEvent[];
  watch(listener: (event: LoggedEvent) => void): Stop;
  /** The newest event's place. */
  readonly last: EventPlace;
  /** Everything behind this place is kept. */
  readonly floor: EventPlace;
}

/** One line of a container's output. `untilAt` is set when it was written while nobody was there to stamp it: some time from `at` to `untilAt`. */
export interface LogLine {
  readonly slot: string;
  /** `7.3`: placement and run. */
  readonly run: string;
  readonly stream: 'stdout' | 'stderr';
  readonly at: number;
  readonly untilAt?: number;
  readonly text: string;
  /** How far the slot's logs are read with this line: `logs?after=PLACE` goes on behind it. */
  readonly place: string;
  /** No line of the container's: it says what is missing here, whatever else is asked for. */
  readonly lost?: true;
  /** Of a line that is structured. */
  readonly level?: Level;
  readonly message?: string;
}

/** With `after`, a line's place, only what is behind it: of the newest `tail` lines, or, when followed, all that is kept. */
export type LogWish = LogChoice & { readonly slot: string; readonly tail: number; readonly after?: string };

export interface LogStore {
  /** The newest `tail` lines of a slot that are asked for, over its runs, oldest first. */
  read(wish: LogWish): Promise<readonly LogLine[]>;
  /** The same, then every new line until stopped. A listener that answers a promise is waited for: nothing is lost. */
  follow(wish: LogWish, listener: (line: LogLine) => Promise<void> | undefined | void): Stop;
  /** Of the newest run nothing is kept, because its service wants it so. */
  isMute(slot: string): boolean;
}

export interface Finding {
  readonly id: string;
  readonly verdict: 'ok' | 'warning' | 'failed';
  readonly detail: string;
  readonly remedy?: string;
  /** What was done about it just now. */
  readonly mended?: string;
}

export interface NodeHandle {
  readonly name: string;
  readonly boot: number;
  readonly version: string;
  readonly startedAt: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly ports: Ports;
  readonly actors: ActorDirectory;
  readonly events: EventLog;
  readonly logs: LogStore;
  /** Of a node that has others; without it there are none. */
  readonly cluster?: ClusterHandle;
  /** Into the event log: what is done beside the actors. */
  note(event: NodeEvent): void;
  /**
   * Ask an actor. Rejects with a `CodedError` (HM-ACTOR-UNKNOWN, HM-ACTOR-TIMEOUT, HM-CLUSTER-AGENT for what only a server
   * has, or the actor's own refusal).
   *
   * `/leader/apps`: `app.deploy {spec: AppSpec, digests?, plan?}` → `{app, revision, changed}` · `app.remove {app, volumes: boolean}` → `{}` ·
   * `app.scale {app, service, replicas}` → `{}` · `app.restart {app, service?, index?}` → `{slots: number}` · `apps.report {}` → `{apps: AppView[]}` ·
   * `app.show {app}` → `{view: AppView, spec: AppSpec, record: AppRecord}` · `app.plan {spec, digests}` → `Plan` ·
   * `revisions.list {app}` → `{revisions: RevisionView[]}` · `revision.find {app, revision?}` → `{record: RevisionRecord}`.
   * `/workload/manager`: `observed.report {}` → `{slots: SlotStatus[]}` · `store.accept {}` → `{}` (after HM-STORE-FOREIGN).
   */
  ask<Value>(path: ActorPath, message: Message, timeoutMs?: number): Promise<Value>;
  /** `mend`: what can be mended without harm is, first. */
  doctor(options?: { readonly mend?: boolean }): Promise<readonly Finding[]>;
  machine(): Promise<MachineFacts>;
  /** `detach`: actors go, containers stay. */
  stop(): Promise<void>;
}
