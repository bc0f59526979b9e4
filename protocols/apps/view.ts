/** An app as it is shown: what is wanted beside what is observed, and why something is not as wished. */
import { reason } from '../errors.ts';
import type { AppRecord, SlotName } from './model.ts';
import {
  isCurrent,
  isJob,
  isServing,
  lookAt,
  replicasOf,
  revisionOf,
  waitsFor,
  type Desk,
  type Sight,
} from './reconcile.ts';
import type { AppView, ServiceView, SlotView } from './status.ts';

export function viewOf(desk: Desk, app: AppRecord): AppView {
  const sight = lookAt(desk, app);
  const { assigned, wanted } = sight;
  const blocked = new Map(
    [...sight.byService].map(([name, own]) => [name, waitsFor(sight, own[0]!.service)] as const),
  );
  const names = new Set(wanted.map((slot) => slot.slot));
  const leaving = Object.values(desk.observed).filter(
    (status) => status.app === app.name && !names.has(status.slot),
  );
  const slots: SlotView[] = wanted.map((slot) => {
    const status = desk.observed[slot.slot];
    const awaited = isCurrent(slot, assigned[slot.slot]) ? undefined : blocked.get(slot.service.name);
    const because =
      awaited === undefined
        ? status?.reason
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
    services: services(sight, serving),
    slots: [...slots, ...leaving.map((status) => ({ slot: status.slot, status }))],
    converged:
      !app.removing &&
      settled &&
      leaving.length === 0 &&
      Object.keys(assigned).every((slot) => names.has(slot)),
  };
}

function services(
  { desk, app, byService }: Sight,
  serving: (slot: SlotName) => boolean,
): readonly ServiceView[] {
  const spec = revisionOf(desk, app)?.spec;
  if (!spec) return [];
  return Object.values(spec.services).map((service) => ({
    name: service.name,
    image: service.image,
    replicas: replicasOf(app, service),
    ready: (byService.get(service.name) ?? []).filter((slot) => serving(slot.slot)).length,
    ports: service.ports,
  }));
}
