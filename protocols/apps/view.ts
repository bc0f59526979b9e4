/** An app as it is shown: what is wanted beside what is observed, and why something is not as wished. */
import { reason } from '../errors.ts';
import type { AppRecord, SlotName } from './model.ts';
import {
  assignmentsOf,
  isCurrent,
  isServing,
  replicasOf,
  revisionOf,
  waitsFor,
  wantedSlots,
  type Desk,
} from './reconcile.ts';
import type { AppView, ServiceView, SlotView } from './status.ts';

export function viewOf(desk: Desk, app: AppRecord): AppView {
  const assigned = assignmentsOf(desk, app.name);
  const wanted = wantedSlots(desk, app);
  const names = new Set(wanted.map((slot) => slot.slot));
  const leaving = Object.values(desk.observed).filter(
    (status) => status.app === app.name && !names.has(status.slot),
  );
  const slots: SlotView[] = wanted.map((slot) => {
    const status = desk.observed[slot.slot];
    const blocked = isCurrent(slot, assigned[slot.slot]) ? undefined : waitsFor(desk, app, slot.service);
    const because =
      blocked === undefined
        ? status?.reason
        : reason('HM-DEPENDENCY-WAIT', `${slot.slot} waits for ${app.name}/${blocked}`, {
            slot: slot.slot,
            dependency: `${app.name}/${blocked}`,
          });
    return { slot: slot.slot, ...(status ? { status } : {}), ...(because ? { reason: because } : {}) };
  });
  const serving = (slot: SlotName) => isServing(assigned[slot], desk.observed[slot]);
  const settled = wanted.every((slot) => isCurrent(slot, assigned[slot.slot]) && serving(slot.slot));
  return {
    name: app.name,
    revision: app.revision,
    removing: app.removing,
    services: services(desk, app, serving),
    slots: [...slots, ...leaving.map((status) => ({ slot: status.slot, status }))],
    converged:
      !app.removing &&
      settled &&
      leaving.length === 0 &&
      Object.keys(assigned).every((slot) => names.has(slot)),
  };
}

function services(desk: Desk, app: AppRecord, serving: (slot: SlotName) => boolean): readonly ServiceView[] {
  const spec = revisionOf(desk, app)?.spec;
  if (!spec) return [];
  const wanted = wantedSlots(desk, app);
  return Object.values(spec.services).map((service) => ({
    name: service.name,
    image: service.image,
    replicas: replicasOf(app, service),
    ready: wanted.filter((slot) => slot.service.name === service.name && serving(slot.slot)).length,
    ports: service.ports,
  }));
}
