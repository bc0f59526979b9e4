/** An app as it is shown: what is wanted beside what is observed, and why something is not as wished. */
import { reason, type Reason } from '../errors.ts';
import { isGated } from '../health/check.ts';
import { limits } from '../limits.ts';
import type { AppRecord, SlotName } from './model.ts';
import {
  isCurrent,
  isJob,
  isServing,
  lookAt,
  replicasOf,
  revisionOf,
  rollOut,
  waitsFor,
  type Desk,
  type Sight,
  type WantedSlot,
} from './reconcile.ts';
import type { AppView, ServiceView, SlotStatus, SlotView } from './status.ts';

export function viewOf(desk: Desk, app: AppRecord): AppView {
  const sight = lookAt(desk, app);
  const { assigned, wanted } = sight;
  const blocked = new Map(
    [...sight.byService].map(([name, own]) => [name, waitsFor(sight, own[0]!.service)] as const),
  );
  const held = heldBack(sight, blocked);
  const names = new Set(wanted.map((slot) => slot.slot));
  const leaving = Object.values(desk.observed).filter(
    (status) => status.app === app.name && !names.has(status.slot),
  );
  const slots: SlotView[] = wanted.map((slot) => {
    const status = desk.observed[slot.slot];
    const awaited = isCurrent(slot, assigned[slot.slot]) ? undefined : blocked.get(slot.service.name);
    const because =
      awaited === undefined
        ? (held.get(slot.slot) ?? status?.reason)
        : reason('HM-DEPENDENCY-WAIT', `${slot.slot} waits for ${app.name}/${awaited}`, {
            slot: slot.slot,
            dependency: `${app.name}/${awaited}`,
          });
    return { slot: slot.slot, ...(status ? { status } : {}), ...(because ? { reason: because } : {}) };
  });
  const serving = (slot: SlotName) => isServing(assigned[slot], desk.observed[slot]);
  // A job that still runs is not done.
  const settled = wanted.every(
    (want) =>
      isCurrent(want, assigned[want.slot]) &&
      serving(want.slot) &&
      (!isJob(want.service) || desk.observed[want.slot]?.phase === 'completed'),
  );
  return {
    name: app.name,
    revision: app.revision,
    removing: app.removing,
    services: services(sight),
    slots: [...slots, ...leaving.map((status) => ({ slot: status.slot, status }))],
    converged:
      !app.removing &&
      settled &&
      leaving.length === 0 &&
      Object.keys(assigned).every((slot) => names.has(slot)),
  };
}

/** By slot: why it is to be replaced and goes on as it is. */
function heldBack(
  sight: Sight,
  blocked: ReadonlyMap<string, string | undefined>,
): ReadonlyMap<SlotName, Reason> {
  const reasons = new Map<SlotName, Reason>();
  for (const [name, slots] of sight.byService) {
    if (blocked.get(name) !== undefined || isJob(slots[0]!.service)) continue;
    const { held, unsettled } = rollOut(sight, slots);
    const before = unsettled.find((slot) => fails(sight, slot)) ?? unsettled[0];
    if (before) for (const { slot } of held) reasons.set(slot, heldReason(sight, slot, before));
  }
  return reasons;
}

/** It has failed since it was placed, whether or not it runs right now. */
function fails({ desk, assigned }: Sight, { slot }: WantedSlot): boolean {
  const status = desk.observed[slot];
  if (!status || status.placement !== assigned[slot]?.placement) return false;
  const { phase, readiness, restarts } = status;
  return phase === 'backoff' || phase === 'failed' || readiness === 'unhealthy' || restarts > 0;
}

function heldReason(sight: Sight, slot: SlotName, before: WantedSlot): Reason {
  const { app, desk, assigned } = sight;
  const status = desk.observed[before.slot];
  const revision = assigned[slot]?.revision ?? 0;
  const evidence = { slot, replica: before.slot, revision };
  if (!fails(sight, before))
    return reason('HM-ROLLOUT-WAIT', `is replaced when ${before.slot} ${until(before, status)}`, evidence);
  const text = `goes on as it is, because ${before.slot} fails${failure(status)}`;
  // A restart that was asked for has no revision to go back to.
  const hint =
    revision === app.revision
      ? `hivemind why ${before.slot}`
      : `Deploy a mended file, or go back: hivemind rollback ${app.name} ${revision}`;
  return reason('HM-ROLLOUT-HELD', text, evidence, hint);
}

function until({ service }: WantedSlot, status: SlotStatus | undefined): string {
  if (status?.next) return `has its image, ${status.next.image}`;
  return isGated(service) ? 'is ready' : `has run for ${limits.settleMs / 1_000} s`;
}

function failure(status: SlotStatus | undefined): string {
  if (status?.reason) return `: ${status.reason.message}`;
  return status?.lastExit ? `: its process exited with code ${status.lastExit.code}` : '';
}

/** It answers, also while what is to replace it waits. */
function serves(status: SlotStatus | undefined): boolean {
  return status?.phase === 'running' && status.readiness === 'ready';
}

function services({ desk, app, byService, assigned }: Sight): readonly ServiceView[] {
  const spec = revisionOf(desk, app)?.spec;
  if (!spec) return [];
  return Object.values(spec.services).map((service) => ({
    name: service.name,
    image: service.image,
    replicas: replicasOf(app, service),
    ready: (byService.get(service.name) ?? []).filter(
      ({ slot }) => serves(desk.observed[slot]) || isServing(assigned[slot], desk.observed[slot]),
    ).length,
    ports: service.ports,
  }));
}
