/**
 * What the node's names and published ports should be, from what the slots report. Readiness gates both: an
 * address that is not ready is in no answer and behind no port.
 */
import type { PortSpec, SlotName } from '../apps/model.ts';
import type { SlotStatus } from '../apps/status.ts';
import { drive, emit, send, type Decision } from '../effects.ts';
import type { Reason } from '../errors.ts';
import { limits } from '../limits.ts';
import type { Publication } from '../network/model.ts';
import { paths } from '../wire/paths.ts';
import type { ZoneUpdate } from './model.ts';

export interface RegistryValue {
  readonly slots: Readonly<Record<SlotName, SlotStatus>>;
  /** What should be pushed, and what was: compared as whole tables, by reference. */
  readonly zone: ZoneUpdate;
  readonly publications: readonly Publication[];
  readonly pushed: Tables;
  readonly pushing: Tables;
  readonly calls: number;
  /** Every slot of the node has reported since this life began. */
  readonly complete?: true;
  readonly reason?: Reason;
}

interface Tables {
  readonly zone?: ZoneUpdate;
  readonly publications?: readonly Publication[];
}

type Value = RegistryValue;
const byName = (a: SlotStatus, b: SlotStatus) =>
  a.app.localeCompare(b.app) || a.service.localeCompare(b.service) || a.index - b.index;

/** Names of ready slots; clients are all slots with an address, ready or not. */
export function zoneOf(slots: Readonly<Record<SlotName, SlotStatus>>): ZoneUpdate {
  const placed = Object.values(slots)
    .filter((slot) => slot.address !== undefined)
    .sort(byName);
  return {
    names: placed
      .filter((slot) => slot.phase === 'running' && slot.readiness === 'ready')
      .map(({ app, service, index, address }) => ({ app, service, index, address: address ?? '' })),
    clients: placed.map(({ app, address }) => ({ address: address ?? '', app })),
  };
}

/** One publication a host port; the first service by name keeps a port that two want. */
export function publicationsOf(slots: Readonly<Record<SlotName, SlotStatus>>): readonly Publication[] {
  const table = new Map<
    string,
    { owner: string; port: PortSpec; backends: { address: string; port: number }[] }
  >();
  for (const slot of Object.values(slots).sort(byName)) {
    for (const port of slot.ports) {
      const key = `${port.hostAddress}:${port.hostPort}/${port.protocol}`;
      const owner = `${slot.app}/${slot.service}`;
      const entry = table.get(key) ?? { owner, port, backends: [] };
      table.set(key, entry);
      const ready = slot.phase === 'running' && slot.readiness === 'ready' && slot.address !== undefined;
      if (ready && entry.owner === owner)
        entry.backends.push({ address: slot.address ?? '', port: port.containerPort });
    }
  }
  return [...table.values()].map(({ port, backends }) => ({ port, backends }));
}

const begin = (value: Value): Decision<Value> => [
  value,
  [send(paths.manager, { type: 'observed.repeat', to: paths.registry })],
];

const note = (
  value: Value,
  event: { slots: readonly SlotStatus[]; gone: readonly SlotName[]; whole?: boolean; complete?: boolean },
): Decision<Value> => {
  const slots: Record<SlotName, SlotStatus> = event.whole ? {} : { ...value.slots };
  for (const slot of event.slots) slots[slot.slot] = slot;
  for (const slot of event.gone) delete slots[slot];
  return [
    {
      ...value,
      slots,
      zone: kept(value.zone, zoneOf(slots)),
      publications: kept(value.publications, publicationsOf(slots)),
      ...(event.complete ? { complete: true as const } : {}),
    },
    [],
  ];
};

/** The table before when nothing in it changed: most reports change no name and no port. */
function kept<Table>(before: Table, after: Table): Table {
  return JSON.stringify(before) === JSON.stringify(after) ? before : after;
}

const pushNames = (value: Value): Decision<Value> => {
  const calls = value.calls + 1;
  const call = { port: 'names', op: 'update', args: value.zone } as const;
  return [
    { ...value, calls, pushing: { ...value.pushing, zone: value.zone } },
    [drive(`names:${calls}`, call, { done: 'names.pushed', failed: 'names.refused' }, limits.runtimeCallMs)],
  ];
};

const pushPorts = (value: Value): Decision<Value> => {
  const calls = value.calls + 1;
  const call = {
    port: 'network',
    op: 'publish',
    args: { publications: publicationsOf(value.slots) },
  } as const;
  return [
    { ...value, calls, pushing: { ...value.pushing, publications: value.publications } },
    [drive(`ports:${calls}`, call, { done: 'ports.pushed', failed: 'ports.refused' }, limits.runtimeCallMs)],
  ];
};

const namesDone = (value: Value): Decision<Value> => [
  { ...value, pushed: { ...value.pushed, ...(value.pushing.zone ? { zone: value.pushing.zone } : {}) } },
  [],
];
const portsDone = (value: Value): Decision<Value> => {
  const { reason: _, ...rest } = value;
  const { publications } = value.pushing;
  return [{ ...rest, pushed: { ...value.pushed, ...(publications ? { publications } : {}) } }, []];
};

const noteTrouble = (value: Value, event: { error: Reason }): Decision<Value> => {
  const told =
    value.reason?.code === event.error.code
      ? []
      : [emit('discovery.failed', 'registry', event.error.message, event.error, 'error')];
  return [{ ...value, reason: event.error }, told];
};

export const registrySteps = { begin, note, pushNames, pushPorts, namesDone, portsDone, noteTrouble };

export const registryGuards = {
  namesChanged: (value: Value) => value.pushed.zone !== value.zone,
  /** A port of a container that is not adopted yet stays as the last daemon left it. */
  portsChanged: (value: Value) => value.complete === true && value.pushed.publications !== value.publications,
};

const nothing: Required<Tables> = { zone: { names: [], clients: [] }, publications: [] };

/** Counts as pushed: the ports of a daemon that died stay published until this life knows better. */
export const freshRegistry: RegistryValue = { slots: {}, ...nothing, pushed: nothing, pushing: {}, calls: 0 };
