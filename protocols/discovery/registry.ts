/**
 * What the node's names and published ports should be, from what the slots report. Readiness gates both: an
 * address that is not ready is in no answer and behind no port.
 */
import type { PortSpec, SlotName } from '../apps/model.ts';
import { isReady, type SlotStatus } from '../apps/status.ts';
import { drive, emit, send, type Decision } from '../effects.ts';
import type { Reason } from '../errors.ts';
import { limits } from '../limits.ts';
import type { Member, Publication } from '../network/model.ts';
import { joinedOrOpen } from '../network/networks.ts';
import { paths } from '../wire/paths.ts';
import type { ZoneUpdate } from './model.ts';

export interface RegistryValue {
  readonly slots: Readonly<Record<SlotName, SlotStatus>>;
  /** Raised by every report that may change a table: most reports change no name and no port. */
  readonly news: number;
  /** The `news` that each table was pushed with, and is being pushed with. */
  readonly pushed: Tables;
  readonly pushing: Tables;
  readonly calls: number;
  /** Who waits until an endpoint is in no table, and since which `news`. */
  readonly leaving: readonly { readonly to: string; readonly news: number }[];
  /** Every slot of the node has reported since this life began. */
  readonly complete?: true;
  readonly reason?: Reason;
}

interface Tables {
  readonly names: number;
  readonly ports: number;
}

type Value = RegistryValue;
const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
const byName = (a: SlotStatus, b: SlotStatus) =>
  byText(a.app, b.app) || byText(a.service, b.service) || a.index - b.index;

/** Names of ready slots; clients are all slots with an address, ready or not. */
export function zoneOf(slots: Readonly<Record<SlotName, SlotStatus>>): ZoneUpdate {
  const placed = Object.values(slots)
    .filter((slot) => slot.address !== undefined)
    .sort(byName);
  return {
    names: placed.filter(isReady).map((slot) => {
      const { app, service, index, address = '' } = slot;
      return { app, service, index, address, ...networksOf(slot) };
    }),
    clients: placed.map((slot) => ({
      address: slot.address ?? '',
      app: slot.app,
      ...networksOf(slot),
      ...(slot.dns === undefined ? {} : { dns: slot.dns }),
    })),
  };
}

const networksOf = ({ networks }: SlotStatus): Pick<SlotStatus, 'networks'> =>
  networks === undefined ? {} : { networks };

/** Everybody with an address, ready or not. */
export function membersOf(slots: Readonly<Record<SlotName, SlotStatus>>): readonly Member[] {
  return Object.values(slots)
    .filter((slot) => slot.address !== undefined)
    .sort(byName)
    .map(({ address = '', networks }) => ({ address, networks: joinedOrOpen(networks) }));
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
      if (isReady(slot) && entry.owner === owner)
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
  const touched = event.whole
    ? [...new Set([...Object.keys(value.slots), ...Object.keys(slots)])]
    : [...event.slots.map(({ slot }) => slot), ...event.gone];
  // The first word of all may be that there is nothing: what an earlier life pushed must go.
  const first = event.whole === true && value.news === 0;
  const changed = first || touched.some((slot) => !showsAlike(value.slots[slot], slots[slot]));
  return [
    {
      ...value,
      slots,
      news: value.news + (changed ? 1 : 0),
      ...(event.complete ? { complete: true as const } : {}),
    },
    [],
  ];
};

/** Both leave the same in every table. */
function showsAlike(before: SlotStatus | undefined, after: SlotStatus | undefined): boolean {
  if (before === after) return true;
  if (!before || !after) return false;
  return (
    before.address === after.address &&
    isReady(before) === isReady(after) &&
    alike(before.networks, after.networks) &&
    alike(before.dns, after.dns) &&
    alike(before.ports, after.ports)
  );
}

/** At once, and not when the slot's report has come round. */
const withdraw = (value: Value, event: { slot: SlotName; to: string }): Decision<Value> => {
  const held = value.slots[event.slot];
  const shown = held !== undefined && isReady(held);
  const news = value.news + (shown ? 1 : 0);
  const slots = shown
    ? { ...value.slots, [event.slot]: { ...held, phase: 'stopping' as const, readiness: 'none' as const } }
    : value.slots;
  return sayWithdrawn({ ...value, slots, news, leaving: [...value.leaving, { to: event.to, news }] });
};

/** To all whose tables are pushed. */
const sayWithdrawn = (value: Value): Decision<Value> => {
  const pushed = Math.min(value.pushed.names, value.pushed.ports);
  const over = value.leaving.filter(({ news }) => news <= pushed);
  if (over.length === 0) return [value, []];
  const leaving = value.leaving.filter(({ news }) => news > pushed);
  return [{ ...value, leaving }, over.map(({ to }) => send(to, { type: 'endpoint.withdrawn' }))];
};

const alike = (one: unknown, other: unknown): boolean =>
  one === other || JSON.stringify(one) === JSON.stringify(other);

const pushNames = (value: Value): Decision<Value> => {
  const calls = value.calls + 1;
  const call = { port: 'names', op: 'update', args: zoneOf(value.slots) } as const;
  return [
    { ...value, calls, pushing: { ...value.pushing, names: value.news } },
    [drive(`names:${calls}`, call, { done: 'names.pushed', failed: 'names.refused' }, limits.runtimeCallMs)],
  ];
};

const pushPorts = (value: Value): Decision<Value> => {
  const calls = value.calls + 1;
  const args = { publications: publicationsOf(value.slots), members: membersOf(value.slots) };
  const call = { port: 'network', op: 'publish', args } as const;
  return [
    { ...value, calls, pushing: { ...value.pushing, ports: value.news } },
    [drive(`ports:${calls}`, call, { done: 'ports.pushed', failed: 'ports.refused' }, limits.runtimeCallMs)],
  ];
};

const namesDone = (value: Value): Decision<Value> =>
  sayWithdrawn({ ...value, pushed: { ...value.pushed, names: value.pushing.names } });
const portsDone = (value: Value): Decision<Value> => {
  const { reason: _, ...rest } = value;
  return sayWithdrawn({ ...rest, pushed: { ...value.pushed, ports: value.pushing.ports } });
};

const noteTrouble = (value: Value, event: { error: Reason }): Decision<Value> => {
  const told =
    value.reason?.code === event.error.code
      ? []
      : [emit('discovery.failed', 'registry', event.error.message, event.error, 'error')];
  return [{ ...value, reason: event.error }, told];
};

export const registrySteps = {
  begin,
  note,
  withdraw,
  pushNames,
  pushPorts,
  namesDone,
  portsDone,
  noteTrouble,
};

export const registryGuards = {
  namesChanged: (value: Value) => value.pushed.names !== value.news,
  /** A port of a container that is not adopted yet stays as the last daemon left it. */
  portsChanged: (value: Value) => value.complete === true && value.pushed.ports !== value.news,
  isComplete: (value: Value) => value.complete === true,
};

const nothing: Tables = { names: 0, ports: 0 };

/** Counts as pushed: the ports of a daemon that died stay published until this life knows better. */
export const freshRegistry: RegistryValue = {
  slots: {},
  news: 0,
  pushed: nothing,
  pushing: nothing,
  calls: 0,
  leaving: [],
};
