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
import { revisionOf, type Desk } from './reconcile.ts';

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

/** Whether somebody has to be asked which ports of the range are busy. */
export const wantsPorts = ({ services }: AppSpec): boolean =>
  Object.values(services).some(({ ports }) => ports.some(isOpen));

/** Every port that can be assigned. */
export const assignable: readonly number[] = Array.from(
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
  // First what is kept, so that nobody new gets it.
  const kept = new Map<PortSpec, number>();
  for (const { name, ports } of Object.values(spec.services))
    for (const port of ports.filter(isOpen)) {
      const had = before?.[name]?.ports.find((one) => isAlike(one, port) && !used.has(keyOf(one)));
      if (!had) continue;
      kept.set(port, had.hostPort);
      used.add(keyOf(had));
    }
  const services: Record<string, ServiceSpec> = {};
  for (const [key, service] of Object.entries(spec.services)) {
    const ports: PortSpec[] = [];
    for (const port of service.ports) {
      const { protocol } = port;
      const hostPort = isOpen(port)
        ? (kept.get(port) ?? assignable.find((one) => !used.has(keyOf({ hostPort: one, protocol }))))
        : port.hostPort;
      if (hostPort === undefined) return noneLeft(`${spec.name}/${service.name}`);
      used.add(keyOf({ hostPort, protocol }));
      ports.push({ ...port, hostPort });
    }
    services[key] = { ...service, ports };
  }
  return { ...spec, services };
}

const isAlike = (had: PortSpec, wanted: PortSpec): boolean =>
  had.containerPort === wanted.containerPort &&
  had.protocol === wanted.protocol &&
  had.hostAddress === wanted.hostAddress &&
  had.hostPort >= limits.portRangeFirst &&
  had.hostPort <= limits.portRangeLast;

const noneLeft = (service: string): Reason =>
  reason('HM-PORT-RANGE', `no port from ${limits.portRangeFirst} to ${limits.portRangeLast} is free`, {
    service,
  });
