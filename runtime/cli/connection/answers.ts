/** What the API answers, route by route. Types only. */
import type { AppRecord, AppSpec } from '../../../protocols/apps/model.ts';
import type { RevisionView } from '../../../protocols/apps/plan/revisions.ts';
import type { AppView, SlotStatus } from '../../../protocols/apps/status.ts';
import type { ContainerStats, ImageInfo } from '../../../protocols/containers/model.ts';
import type { Reason } from '../../../protocols/errors.ts';
import type { ActorView } from '../../../protocols/inspection.ts';
import type { NodeView } from '../../api/schemas/nodes.ts';
import type { Finding, LoggedEvent } from '../../node-handle.ts';

/** Of one running container; `at` in ms since 1970. */
export type StatsRow = ContainerStats & { readonly slot: string; readonly at: number };

export interface DeployAnswer {
  readonly app: string;
  readonly revision: number;
  readonly changed: boolean;
  readonly warnings?: readonly Reason[];
  /** Of a rollback: which revision this one repeats. */
  readonly restored?: number;
}

export interface RevisionsAnswer {
  readonly revisions: readonly RevisionView[];
}

export interface AppAnswer {
  readonly view: AppView;
  readonly spec: AppSpec;
  readonly record: AppRecord;
}

export interface AppsAnswer {
  readonly apps: readonly AppView[];
}

export interface ContainersAnswer {
  readonly slots: readonly SlotStatus[];
}

export interface WhyAnswer {
  readonly slot: string;
  readonly status?: SlotStatus;
  readonly reasons: readonly Reason[];
}

export interface ImagesAnswer {
  readonly images: readonly ImageInfo[];
}

export interface SeenEvent extends LoggedEvent {
  readonly cursor: string;
}

export interface EventsAnswer {
  readonly events: readonly SeenEvent[];
  /** Where to go on. */
  readonly cursor: string;
}

/** Of `/v1/nodes`. */
export type NodeRow = NodeView;

export type PlaneAnswer = NonNullable<NodeRow['member']>['planes']['stream'];

export interface ActorsAnswer {
  readonly actors: readonly ActorView[];
}

export interface DoctorAnswer {
  readonly findings: readonly Finding[];
}

export interface VersionAnswer {
  readonly version: string;
  readonly node: string;
  readonly boot: number;
  readonly startedAt: number;
  readonly api: string;
}

/** A container's routes: `/v1/containers/shop%2Fweb.2/why`. */
export const containerPath = (slot: string, leaf: string): string =>
  `/v1/containers/${encodeURIComponent(slot)}/${leaf}`;

export const appPath = (app: string, leaf = ''): string => `/v1/apps/${encodeURIComponent(app)}${leaf}`;
