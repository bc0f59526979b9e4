/**
 * The host ports of an app when it is deployed: those that nobody named are assigned, and kept from revision to
 * revision; those that another has are refused. Written into the revision, so that no restart of anything moves them.
 */
import { reason, type Reason } from '../errors.ts';
import { limits } from '../limits.ts';
import { addressesMeet, unfitAddress } from '../network/ipv6.ts';
import { keys } from '../state/keys.ts';
import { under } from '../state/mirror.ts';
import type { AppRecord, AppSpec, PortSpec, ServiceSpec } from './model.ts';
import { revisionOf, writtenReplicas, type Desk } from './reconcile.ts';

/** A port of the range that something else than Hivemind listens on. */
export interface BusyPort {
  readonly hostPort: number;
  readonly protocol: 'tcp' | 'udp';
}

interface Owned {
  readonly owner: string;
  readonly port: PortSpec;
}

const isOpen = ({ hostPort }: PortSpec): boolean => hostPort === 0;

const wantsPorts = ({ services }: AppSpec): boolean =>
  Object.values(services).some(({ ports }) => ports.some(isOpen));

/** Of which ports somebody has to be asked whether they are busy; none when all are named. */
export function assignablePorts({ services }: AppSpec): readonly BusyPort[] {
  const ranges = Object.values(services).flatMap(({ ports }) =>
    ports.filter(isOpen).map(({ range, protocol }) => ({ range, protocol })),
  );
  const all = new Map<string, BusyPort>();
  for (const { range, protocol } of ranges)
    for (const hostPort of candidates(range)) all.set(`${hostPort}/${protocol}`, { hostPort, protocol });
  return [...all.values()];
}

/** Every port that can be assigned where no range is named. */
const assignable: readonly number[] = Array.from(
  { length: limits.portRangeLast - limits.portRangeFirst + 1 },
  (_, nth) => limits.portRangeFirst + nth,
);

/**
 * The app with a host port for each of its ports, or why it cannot have them: HM-PORT-ADDRESS, HM-PORT-TAKEN,
 * HM-PORT-RANGE.
 */
export function withHostPorts(desk: Desk, spec: AppSpec, busy: readonly BusyPort[]): AppSpec | Reason {
  const services = Object.values(spec.services);
  const unfit = services.flatMap(({ name, ports }) => unfitPort(`${spec.name}/${name}`, ports) ?? [])[0];
  if (unfit) return unfit;
  const named = services.flatMap(({ name, ports }) =>
    ports.filter((port) => !isOpen(port)).map((port) => ({ owner: `${spec.name}/${name}`, port })),
  );
  const others = otherPorts(desk, spec.name);
  const standing = others.filter(({ removing }) => !removing);
  return clashIn(standing, named) ?? assigned(desk, spec, [...others, ...named], busy);
}

function unfitPort(service: string, ports: readonly PortSpec[]): Reason | undefined {
  for (const { hostAddress: address } of ports) {
    const why = unfitAddress(address);
    if (why === undefined) continue;
    return reason('HM-PORT-ADDRESS', `${service} publishes at ${address}, which ${why}`, {
      service,
      address,
    });
  }
  return undefined;
}

/** Also of apps that are being removed: what is to be assigned need not be what still serves. */
function otherPorts(desk: Desk, app: string): readonly (Owned & { readonly removing: boolean })[] {
  return under<AppRecord>(desk.mirror, keys.apps)
    .filter(({ value }) => value.name !== app)
    .flatMap(({ value }) =>
      Object.values(revisionOf(desk, value)?.spec.services ?? {}).flatMap(({ name, ports }) =>
        ports.map((port) => ({ owner: `${value.name}/${name}`, port, removing: value.removing })),
      ),
    );
}

/** Two services cannot publish one port: refused here, before anything is written. */
function clashIn(others: readonly Owned[], mine: readonly Owned[]): Reason | undefined {
  for (const [position, { owner, port }] of mine.entries()) {
    const before = mine.slice(0, position).filter((one) => one.owner !== owner);
    const clash = [...others, ...before].find((other) => overlap(port, other.port));
    if (!clash) continue;
    const text = `port ${port.hostPort}/${port.protocol} of ${owner} is published by ${clash.owner} already`;
    return reason('HM-PORT-TAKEN', text, { service: owner, port: port.hostPort, holder: clash.owner });
  }
  return undefined;
}

const overlap = (a: PortSpec, b: PortSpec): boolean =>
  a.hostPort === b.hostPort && a.protocol === b.protocol && addressesMeet(a.hostAddress, b.hostAddress);

/** An assigned port is nobody else's at any address. */
function assigned(
  desk: Desk,
  spec: AppSpec,
  published: readonly Owned[],
  busy: readonly BusyPort[],
): AppSpec | Reason {
  if (!wantsPorts(spec)) return spec;
  const record = desk.mirror.rows[keys.app(spec.name)]?.value as AppRecord | undefined;
  const before = record && revisionOf(desk, record)?.spec.services;
  const keyOf = ({ hostPort, protocol }: BusyPort): string => `${hostPort}/${protocol}`;
  const used = new Set([...published.map(({ port }) => keyOf(port)), ...busy.map(keyOf)]);
  const wanted = Object.entries(spec.services).map(
    ([key, service]) => [key, service, service.ports.flatMap((port) => each(service, port))] as const,
  );
  // First what is kept, so that nobody new gets it.
  const kept = new Map<PortSpec, number>();
  for (const [, { name }, ports] of wanted)
    for (const port of ports.filter(isOpen)) {
      const had = before?.[name]?.ports.find((one) => isAlike(one, port) && !used.has(keyOf(one)));
      if (!had) continue;
      kept.set(port, had.hostPort);
      used.add(keyOf(had));
    }
  const services: Record<string, ServiceSpec> = {};
  for (const [key, service, wishes] of wanted) {
    const ports: PortSpec[] = [];
    for (const wish of wishes) {
      const { range, ...port } = wish;
      const { protocol } = port;
      const hostPort = isOpen(port)
        ? (kept.get(wish) ?? candidates(range).find((one) => !used.has(keyOf({ hostPort: one, protocol }))))
        : port.hostPort;
      if (hostPort === undefined) return noneLeft(`${spec.name}/${service.name}`, range);
      used.add(keyOf({ hostPort, protocol }));
      ports.push({ ...port, hostPort });
    }
    services[key] = { ...service, ports };
  }
  return { ...spec, services };
}

/** Out of a range each replica gets a port of its own, as in Compose. */
function each(service: ServiceSpec, port: PortSpec): readonly PortSpec[] {
  if (!isOpen(port) || !port.range) return [port];
  return Array.from({ length: writtenReplicas(service) }, (_, nth) => ({ ...port, replica: nth + 1 }));
}

function candidates(range: PortSpec['range']): readonly number[] {
  if (!range) return assignable;
  return Array.from({ length: range.last - range.first + 1 }, (_, nth) => range.first + nth);
}

const standard = { first: limits.portRangeFirst, last: limits.portRangeLast };

function isAlike(had: PortSpec, { containerPort, protocol, hostAddress, replica, range }: PortSpec): boolean {
  const { first, last } = range ?? standard;
  return (
    had.containerPort === containerPort &&
    had.protocol === protocol &&
    had.hostAddress === hostAddress &&
    had.replica === replica &&
    had.hostPort >= first &&
    had.hostPort <= last
  );
}

const noneLeft = (service: string, { first, last }: NonNullable<PortSpec['range']> = standard): Reason =>
  reason('HM-PORT-RANGE', `no port from ${first} to ${last} is free`, { service });
