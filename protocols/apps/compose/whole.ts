/** What only shows when the whole file is known: references, circles, targets and ports used twice. */
import { limits } from '../../limits.ts';
import { addressesMeet, isIpv6Text } from '../../network/ipv6.ts';
import { lenderOf, type PortSpec, type ServiceSpec } from '../model.ts';
import type { FileSource, NetworkSpec } from '../service-model.ts';
import type { Place, Problems } from './document.ts';
import { resolveServices, type WholeFile } from './resolve.ts';
import type { PlacedService } from './service.ts';
import { suggestion } from './suggestion.ts';
import { isIpv4 } from './values.ts';

type Services = ReadonlyMap<string, PlacedService>;
/** By port and protocol. */
type TakenPorts = Map<string, readonly { readonly name: string; readonly port: PortSpec }[]>;

interface Declared extends WholeFile {
  readonly networks: ReadonlyMap<string, NetworkSpec>;
  readonly configs: ReadonlyMap<string, FileSource>;
  readonly secrets: ReadonlyMap<string, FileSource>;
}

/** The services as they are among each other. With problems noted they are not to be used. */
export function checkWhole(problems: Problems, file: Declared): readonly (readonly [string, ServiceSpec])[] {
  const services = resolveServices(problems, file);
  const ports: TakenPorts = new Map();
  const volumes = new Set(file.volumes.keys());
  for (const [name, service] of services) {
    checkMounts(problems, name, service, volumes);
    checkDependencies(problems, name, service, services, file);
    checkPorts(problems, name, service, ports);
    checkNetworks(problems, name, service, file.networks);
    checkFiles(problems, name, service, file);
    checkNamespaces(problems, name, service, file.declared);
    checkLender(problems, name, service, services, file.declared);
  }
  checkCircles(problems, services);
  const replicas = [...services.values()].reduce((sum, { spec }) => sum + spec.replicas, 0);
  const first = services.values().next().value;
  if (first && replicas > limits.composeReplicas) {
    const text = `${replicas} replicas in all services are more than ${limits.composeReplicas}`;
    problems.add('HM-COMPOSE-LIMIT', first.at, text);
  }
  return [...services].map(([name, { spec }]) => [name, spec]);
}

function checkNetworks(
  problems: Problems,
  name: string,
  { spec, networksAt }: PlacedService,
  networks: ReadonlyMap<string, NetworkSpec>,
): void {
  for (const [network, { ipv4Address }] of Object.entries(spec.networks ?? {})) {
    const declared = networks.get(network);
    if (!declared && network !== 'default') {
      const hint = suggestion(network, networks.keys(), `Add to the file: networks: { ${network}: {} }`);
      const text = `services.${name} joins the network ${network}, which is not declared`;
      problems.add('HM-COMPOSE-REFERENCE', networksAt, text, hint);
      continue;
    }
    if (ipv4Address === undefined) continue;
    const subnets = declared?.subnets ?? [];
    if (spec.replicas > 1) {
      const text = `services.${name} has ${spec.replicas} replicas: they cannot all have ${ipv4Address}`;
      problems.add('HM-COMPOSE-TYPE', networksAt, text, 'Remove ipv4_address.');
    } else if (subnets.length === 0 && !declared?.external) {
      const text = `services.${name} wants ${ipv4Address}, but the network ${network} has no subnet of its own`;
      const hint = 'Give it one: ipam: { config: [{ subnet: 172.28.0.0/24 }] }';
      problems.add('HM-COMPOSE-REFERENCE', networksAt, text, hint);
    } else if (subnets.length > 0 && !subnets.some((subnet) => holds(subnet, ipv4Address))) {
      const text = `services.${name} wants ${ipv4Address}, which is not in ${subnets.join(' or ')}`;
      problems.add('HM-COMPOSE-TYPE', networksAt, text, 'Take an address of the subnet.');
    }
  }
}

const numberOf = (address: string): number =>
  address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);

function holds(subnet: string, address: string): boolean {
  const [base = '', bits = '32'] = subnet.split('/');
  const size = 2 ** (32 - Number(bits));
  return isIpv4(base) && Math.floor(numberOf(base) / size) === Math.floor(numberOf(address) / size);
}

function checkFiles(
  problems: Problems,
  name: string,
  { files, mounts }: PlacedService,
  { configs, secrets }: Declared,
): void {
  const targets = new Set(mounts.map(({ mount }) => mount.target));
  for (const { grant, at } of files) {
    const { kind, source, target } = grant;
    const known = kind === 'config' ? configs : secrets;
    if (!known.has(source)) {
      const hint = suggestion(
        source,
        known.keys(),
        `Add to the file: ${kind}s: { ${source}: { file: ./${source} } }`,
      );
      const text = `services.${name} uses the ${kind} ${source}, which is not declared`;
      problems.add('HM-COMPOSE-REFERENCE', at, text, hint);
    }
    if (targets.has(target))
      problems.add('HM-COMPOSE-TYPE', at, `services.${name} has two things at ${target}`);
    targets.add(target);
  }
}

function checkNamespaces(
  problems: Problems,
  name: string,
  { spec, at }: PlacedService,
  declared: ReadonlySet<string>,
): void {
  for (const key of ['pid', 'ipc'] as const) {
    const other = /^service:(.+)$/.exec(spec.isolation?.[key] ?? '')?.[1];
    if (other === undefined || (declared.has(other) && other !== name)) continue;
    const text = `services.${name} shares the ${key} namespace of ${other}, which is no other service`;
    const others = [...declared].filter((each) => each !== name);
    problems.add('HM-COMPOSE-REFERENCE', at, text, suggestion(other, others, 'Name a service of the file.'));
  }
}

/** Whose network it wants: another service's, with a network of its own and as many containers. */
function checkLender(
  problems: Problems,
  name: string,
  { spec, at }: PlacedService,
  services: Services,
  declared: ReadonlySet<string>,
): void {
  const lender = lenderOf(spec);
  if (lender === undefined) return;
  const other = services.get(lender)?.spec;
  const wants = `services.${name} has the network of ${lender}, which`;
  if (lender === name || !declared.has(lender)) {
    const others = [...declared].filter((each) => each !== name);
    const hint = suggestion(lender, others, 'Name a service of the file.');
    problems.add('HM-COMPOSE-REFERENCE', at, `${wants} is no other service`, hint);
  } else if (other && other.networkMode !== 'app') {
    const hint = `Write network_mode: ${other.networkMode} at ${name} as well.`;
    problems.add('HM-COMPOSE-REFERENCE', at, `${wants} has none of its own`, hint);
  } else if (other && other.replicas < spec.replicas) {
    const text = `${wants} has ${other.replicas} replicas: ${spec.replicas} cannot each have one's`;
    problems.add('HM-COMPOSE-REFERENCE', at, text, 'Give both the same number of replicas.');
  }
}

function checkMounts(
  problems: Problems,
  name: string,
  service: PlacedService,
  volumes: ReadonlySet<string>,
): void {
  const targets = new Set<string>();
  for (const { mount, at } of service.mounts) {
    if (targets.has(mount.target)) {
      problems.add('HM-COMPOSE-TYPE', at, `services.${name} mounts two things at ${mount.target}`);
    }
    targets.add(mount.target);
    if (mount.type !== 'volume' || mount.app !== undefined || volumes.has(mount.volume)) continue;
    const hint = suggestion(mount.volume, volumes, `Add to the file: volumes: { ${mount.volume}: {} }`);
    problems.add(
      'HM-COMPOSE-REFERENCE',
      at,
      `services.${name} uses the volume ${mount.volume}, which is not declared`,
      hint,
    );
  }
}

function checkDependencies(
  problems: Problems,
  name: string,
  service: PlacedService,
  services: Services,
  { declared, disabled }: WholeFile,
): void {
  for (const { dependency, at } of service.dependencies) {
    const target = services.get(dependency.service);
    const profiles = disabled.get(dependency.service);
    if (profiles) {
      const text = `services.${name} depends on ${dependency.service}, whose profile is not enabled`;
      problems.add('HM-COMPOSE-REFERENCE', at, text, `Enable it: --profile ${profiles[0]}`);
    } else if (!declared.has(dependency.service)) {
      const others = [...declared].filter((other) => other !== name);
      const hint = suggestion(dependency.service, others, 'Declare the service or remove the entry.');
      const text = `services.${name} depends on ${dependency.service}, which is not declared`;
      problems.add('HM-COMPOSE-REFERENCE', at, text, hint);
    } else if (target && dependency.condition === 'healthy' && !hasChecks(target.spec)) {
      const text = `services.${name} waits for ${dependency.service} to be healthy, which has no healthcheck: running is enough`;
      problems.warn('HM-COMPOSE-REFERENCE', at, text, `Add a healthcheck to ${dependency.service}.`);
    }
  }
}

const hasChecks = ({ healthcheck, probes }: ServiceSpec): boolean =>
  healthcheck !== undefined || probes?.readiness !== undefined || probes?.startup !== undefined;

/** One host port can be published once; the wildcard address clashes with every other. */
function checkPorts(problems: Problems, name: string, service: PlacedService, taken: TakenPorts): void {
  for (const port of service.spec.ports) {
    const { hostAddress, hostPort, protocol } = port;
    if (hostPort === 0) continue;
    const any = `${hostPort}/${protocol}`;
    const same = taken.get(any) ?? [];
    taken.set(any, [...same, { name, port }]);
    const holder = same.find((one) => addressesMeet(one.port.hostAddress, hostAddress));
    if (!holder || (holder.name === name && saysTwice(holder.port, port))) continue;
    const text = `services.${name} publishes port ${any}, which services.${holder.name} publishes already`;
    problems.add('HM-COMPOSE-TYPE', service.portsAt, text, 'Publish another host port.');
  }
}

/** `0.0.0.0:80:80` and `[::]:80:80`: what Docker needs both for. */
const saysTwice = (one: PortSpec, other: PortSpec): boolean =>
  one.containerPort === other.containerPort &&
  [one.hostAddress, other.hostAddress].includes('0.0.0.0') &&
  isIpv6Text(one.hostAddress) !== isIpv6Text(other.hostAddress);

/** Each circle once, written out: `a → b → a`. */
function checkCircles(problems: Problems, services: Services): void {
  const done = new Set<string>();
  const trail: { name: string; at: Place }[] = [];
  const visit = (name: string, at: Place): void => {
    const from = trail.findIndex((step) => step.name === name);
    if (from >= 0) {
      const circle = [...trail.slice(from).map((step) => step.name), name].join(' → ');
      problems.add('HM-COMPOSE-CYCLE', at, `services depend on each other in a circle: ${circle}`);
      return;
    }
    if (done.has(name)) return;
    trail.push({ name, at });
    for (const { dependency, at: place } of services.get(name)?.dependencies ?? [])
      visit(dependency.service, place);
    trail.pop();
    done.add(name);
  };
  for (const [name, { at }] of services) visit(name, at);
}
