/**
 * Which networks a service stands on, and what of them cannot be made. All containers of a node share one bridge and
 * one pool; a network is a set of addresses in the rules (`isolation.ts`). A service that says nothing stands on the
 * open network, on which all apps meet; who names networks is reached by those alone who share one of them.
 */
import { lenderOf, type AppSpec, type ServiceSpec } from '../apps/model.ts';
import type { NetworkSpec } from '../apps/service-model.ts';
import { reason, type Reason } from '../errors.ts';
import { blockOf, contains, formatAddress, overlap, parseAddress, parseBlock } from './cidr.ts';
import { hardwareOf } from './hardware.ts';
import type { JoinedNetwork } from './model.ts';

/** No app's network can have this name. */
export const openNetwork = '*';
const open: readonly JoinedNetwork[] = [{ id: openNetwork }];

/** Of a service or slot that says nothing of networks. */
export function joinedOrOpen(networks: readonly JoinedNetwork[] | undefined): readonly JoinedNetwork[] {
  return networks ?? open;
}

/** The name outside the app, as in Docker: `shop_back`, or the one that the file gives. */
export function networkId(app: string, key: string, spec: NetworkSpec | undefined): string {
  if (key === 'default' && isPlain(spec)) return openNetwork;
  return spec?.externalName ?? (spec?.external ? key : `${app}_${key}`);
}

const isPlain = (spec: NetworkSpec | undefined): boolean =>
  !spec ||
  (!spec.internal &&
    !spec.external &&
    spec.externalName === undefined &&
    !(spec.subnets && spec.subnets.length > 0));

/** By id; `undefined` for a service that is on the open network and says nothing more. */
export function joinedNetworks(app: AppSpec, service: ServiceSpec): readonly JoinedNetwork[] | undefined {
  const lender = app.services[lenderOf(service) ?? ''];
  // The lender's, but not its aliases: those are names of the lender.
  if (lender) return joinedNetworks(app, lender)?.map(({ aliases: _aliases, ...joined }) => joined);
  const wanted = Object.entries(service.networks ?? { default: {} });
  const joined = wanted.map(([key, { aliases, ipv4Address }]): JoinedNetwork => {
    const spec = app.networks?.[key];
    const subnet = ipv4Address === undefined ? undefined : subnetOf(spec, ipv4Address);
    return {
      id: networkId(app.name, key, spec),
      ...(spec?.internal ? { internal: true as const } : {}),
      ...(aliases && aliases.length > 0 ? { aliases } : {}),
      ...(ipv4Address === undefined || subnet === undefined ? {} : { address: ipv4Address, subnet }),
    };
  });
  const [only] = joined;
  if (joined.length === 1 && only?.id === openNetwork && !only.aliases) return undefined;
  return joined.sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}

function subnetOf(spec: NetworkSpec | undefined, address: string): string | undefined {
  return spec?.subnets?.find((subnet) => parseBlock(subnet) && contains(subnet, address));
}

/** Whether a way leads out of one of them, and published ports in. */
export function isEnclosed(networks: readonly JoinedNetwork[]): boolean {
  return networks.every(({ internal }) => internal === true);
}

/**
 * Why the app's networks cannot be as its file says, beside those of all `others`: HM-NETWORK-UNKNOWN,
 * HM-NETWORK-SUBNET, HM-NETWORK-TAKEN, HM-NETWORK-INTERNAL, HM-CONTAINER-PEER.
 */
export function networkProblem(app: AppSpec, others: readonly AppSpec[]): Reason | undefined {
  return (
    undeclared(app) ??
    missingExternal(app, others) ??
    wrongSubnet(app, others) ??
    wrongAddress(app, others) ??
    enclosedPorts(app) ??
    wrongLender(app)
  );
}

/** HM-CONTAINER-PEER: such a container would wait for ever for the one whose network it is to have. */
function wrongLender(app: AppSpec): Reason | undefined {
  for (const service of Object.values(app.services)) {
    const name = lenderOf(service);
    if (name === undefined) continue;
    const lender =
      Object.hasOwn(app.services, name) && name !== service.name ? app.services[name] : undefined;
    if (lender?.networkMode === 'app' && lender.replicas >= service.replicas) continue;
    const owner = `${app.name}/${service.name}`;
    const text = `${owner} is to have the network of ${name}, which has none for each of its containers`;
    const hint = `Name a service of the app with a network of its own and as many replicas.`;
    return reason('HM-CONTAINER-PEER', text, { service: owner, lender: name }, hint);
  }
  return undefined;
}

function undeclared(app: AppSpec): Reason | undefined {
  for (const service of Object.values(app.services)) {
    const key = Object.keys(service.networks ?? {}).find(
      (name) => name !== 'default' && !Object.hasOwn(app.networks ?? {}, name),
    );
    if (key === undefined) continue;
    const text = `${app.name}/${service.name} wants the network ${key}, which the file does not declare`;
    return reason('HM-NETWORK-UNKNOWN', text, { service: `${app.name}/${service.name}`, network: key });
  }
  return undefined;
}

function missingExternal(app: AppSpec, others: readonly AppSpec[]): Reason | undefined {
  const made = new Set(others.flatMap((other) => madeBy(other).map(({ id }) => id)));
  for (const [key, spec] of Object.entries(app.networks ?? {})) {
    const id = networkId(app.name, key, spec);
    if (!spec.external || made.has(id)) continue;
    const text = `the external network ${id} is made by no app`;
    const hint = `Deploy the app that declares it first (hivemind network ls), or remove external: true.`;
    return reason('HM-NETWORK-UNKNOWN', text, { app: app.name, network: id }, hint);
  }
  return undefined;
}

/** The networks that an app declares as its own. */
export function madeBy(app: AppSpec): readonly { readonly id: string; readonly spec: NetworkSpec }[] {
  return Object.entries(app.networks ?? {})
    .filter(([, spec]) => !spec.external)
    .map(([key, spec]) => ({ id: networkId(app.name, key, spec), spec }));
}

function wrongSubnet(app: AppSpec, others: readonly AppSpec[]): Reason | undefined {
  const taken = others.flatMap((other) =>
    madeBy(other).flatMap(({ id, spec }) => (spec.subnets ?? []).map((subnet) => ({ id, subnet }))),
  );
  const seen: { id: string; subnet: string }[] = [];
  for (const { id, spec } of madeBy(app)) {
    for (const subnet of spec.subnets ?? []) {
      const evidence = { app: app.name, network: id, subnet };
      if (!parseBlock(subnet))
        return reason('HM-NETWORK-SUBNET', `${subnet} of ${id} is not an IPv4 subnet`, evidence);
      const other = [...taken.filter((one) => one.id !== id), ...seen].find((one) =>
        overlap(one.subnet, subnet),
      );
      if (other)
        return reason(
          'HM-NETWORK-SUBNET',
          `${subnet} of ${id} overlaps ${other.subnet} of ${other.id}`,
          evidence,
        );
      seen.push({ id, subnet });
    }
  }
  return undefined;
}

interface Fixed {
  readonly owner: string;
  readonly address: string;
}

/** Static addresses of an app's services, and MAC addresses: what only one container can have. */
function fixedIn(app: AppSpec): readonly Fixed[] {
  return Object.values(app.services).flatMap((service) =>
    ownAddresses(service).map((address) => ({ owner: `${app.name}/${service.name}`, address })),
  );
}

function ownAddresses({ networks, networkMode }: ServiceSpec): readonly string[] {
  const hardware = networkMode === 'app' ? hardwareOf(networks) : undefined;
  const fixed = Object.values(networks ?? {}).flatMap(({ ipv4Address }) => ipv4Address ?? []);
  return [...fixed, ...(hardware === undefined ? [] : [hardware])];
}

function wrongAddress(app: AppSpec, others: readonly AppSpec[]): Reason | undefined {
  const taken = [...others.flatMap(fixedIn)];
  for (const service of Object.values(app.services)) {
    const owner = `${app.name}/${service.name}`;
    for (const [key, { ipv4Address }] of Object.entries(service.networks ?? {})) {
      if (ipv4Address === undefined) continue;
      const outside = outsideSubnet(app.networks?.[key], ipv4Address);
      if (!outside) continue;
      const evidence = { service: owner, network: key, address: ipv4Address };
      return reason('HM-NETWORK-SUBNET', `${ipv4Address} of ${owner} ${outside}`, evidence);
    }
    for (const address of ownAddresses(service)) {
      const holder = taken.find((one) => one.address === address);
      if (holder) {
        const text = `${address} of ${owner} is the address of ${holder.owner}`;
        return reason('HM-NETWORK-TAKEN', text, { service: owner, address });
      }
      if (service.replicas > 1) return shared(owner, address, service.replicas);
      taken.push({ owner, address });
    }
  }
  return undefined;
}

/** HM-NETWORK-TAKEN: what `scale` refuses as well. */
export function shared(service: string, address: string, replicas: number): Reason {
  const text = `${replicas} replicas of ${service} cannot share the address ${address}`;
  return reason('HM-NETWORK-TAKEN', text, { service, address, replicas });
}

/** The first address that only one container can have, which bounds a service to one replica. */
export function fixedAddress(service: ServiceSpec): string | undefined {
  return ownAddresses(service)[0];
}

/** Network, first and last address of a subnet belong to nobody: the first is the gateway's in Docker. */
function outsideSubnet(spec: NetworkSpec | undefined, address: string): string | undefined {
  if (parseAddress(address) === undefined) return 'is not an IPv4 address';
  if (!spec?.subnets || spec.subnets.length === 0)
    return spec?.external
      ? 'is on a network of another app: only the app that declares the subnet can give out its addresses'
      : 'needs a subnet of its network (ipam.config.subnet)';
  const subnet = subnetOf(spec, address);
  if (subnet === undefined) return `is outside of ${spec.subnets.join(', ')}`;
  const { base, size } = blockOf(subnet);
  const reserved = [base, base + 1, base + size - 1].map(formatAddress);
  return reserved.includes(address) ? `is reserved in ${subnet}` : undefined;
}

/** Docker leaves such ports closed without a word. */
function enclosedPorts(app: AppSpec): Reason | undefined {
  for (const service of Object.values(app.services)) {
    const networks = service.networkMode === 'app' ? joinedNetworks(app, service) : undefined;
    if (service.ports.length === 0 || !networks || !isEnclosed(networks)) continue;
    const owner = `${app.name}/${service.name}`;
    const text = `${owner} stands on internal networks alone, into which no published port leads`;
    return reason('HM-NETWORK-INTERNAL', text, { service: owner });
  }
  return undefined;
}
