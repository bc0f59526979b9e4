/** The kept revisions of an app: what `revisions` lists and what `rollback` goes back to. */
import { reason, type Reason } from '../../errors.ts';
import { keys } from '../../state/keys.ts';
import { under } from '../../state/mirror.ts';
import type { AppRecord, RevisionRecord } from '../model.ts';
import type { Desk } from '../reconcile.ts';

export interface RevisionView {
  readonly revision: number;
  readonly current: boolean;
  /** ms since 1970. */
  readonly createdAt: number;
  readonly services: readonly { readonly name: string; readonly image: string; readonly replicas: number }[];
}

type Answer<Value> = { readonly value: Value } | { readonly error: Reason };

/** Newest first. */
export function listRevisions(
  desk: Desk,
  app: string,
): Answer<{ readonly revisions: readonly RevisionView[] }> {
  const record = desk.mirror.rows[keys.app(app)]?.value as AppRecord | undefined;
  if (!record) return { error: unknownApp(app) };
  const revisions = kept(desk, app).map(({ revision, createdAt, spec }) => ({
    revision,
    current: revision === record.revision,
    createdAt,
    services: Object.values(spec.services).map(({ name, image, replicas }) => ({ name, image, replicas })),
  }));
  return { value: { revisions } };
}

/** One of them, or without a number the one before the present one. */
export function findRevision(
  desk: Desk,
  app: string,
  revision: number | undefined,
): Answer<{ readonly record: RevisionRecord }> {
  const head = desk.mirror.rows[keys.app(app)]?.value as AppRecord | undefined;
  if (!head) return { error: unknownApp(app) };
  const all = kept(desk, app);
  const record =
    revision === undefined
      ? all.find((each) => each.revision < head.revision)
      : all.find((each) => each.revision === revision);
  if (record) return { value: { record } };
  const text =
    revision === undefined
      ? `${app} has no revision before ${head.revision}`
      : `${app} has no revision ${revision}`;
  return { error: reason('HM-REVISION-UNKNOWN', text, { app }) };
}

const unknownApp = (app: string): Reason => reason('HM-APP-UNKNOWN', `no app ${app} is deployed`, { app });

const kept = (desk: Desk, app: string): readonly RevisionRecord[] =>
  under<RevisionRecord>(desk.mirror, keys.revisions(app))
    .map((row) => row.value)
    .toSorted((a, b) => b.revision - a.revision);
