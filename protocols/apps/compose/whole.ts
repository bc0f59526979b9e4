/** What only shows when the whole file is known: references, circles, targets and ports used twice. */
import { limits } from '../../limits.ts';
import { nearest } from '../../suggest.ts';
import type { Place, Problems } from './document.ts';
import type { PlacedService } from './service.ts';

type Services = ReadonlyMap<string, PlacedService>;

/** `declared` also holds the services that could not be read. */
export function checkWhole(
  problems: Problems,
  services: Services,
  declared: ReadonlySet<string>,
  volumes: ReadonlySet<string>,
  disabled: ReadonlyMap<string, readonly string[]> = new Map(),
): void {
  const ports = new Map<string, string>();
  for (const [name, service] of services) {
    checkMounts(problems, name, service, volumes);
    checkDependencies(problems, name, service, services, declared, disabled);
    checkPorts(problems, name, service, ports);
  }
  checkCircles(problems, services);
  const replicas = [...services.values()].reduce((sum, { spec }) => sum + spec.replicas, 0);
  const first = services.values().next().value;
  if (first && replicas > limits.composeReplicas) {
    const text = `${replicas} replicas in all services are more than ${limits.composeReplicas}`;
    problems.add('HM-COMPOSE-LIMIT', first.at, text);
  }
}

const suggestion = (word: string, known: Iterable<string>, otherwise: string): string => {
  const near = nearest(word, known);
  return near === undefined ? otherwise : `Did you mean ${near}?`;
};

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
    if (mount.type !== 'volume' || volumes.has(mount.volume)) continue;
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
  declared: ReadonlySet<string>,
  disabled: ReadonlyMap<string, readonly string[]>,
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
    } else if (target && dependency.condition === 'healthy' && !target.spec.healthcheck) {
      const text = `services.${name} waits for ${dependency.service} to be healthy, which has no healthcheck: running is enough`;
      problems.warn('HM-COMPOSE-REFERENCE', at, text, `Add a healthcheck to ${dependency.service}.`);
    }
  }
}

/** One host port can be published once; the wildcard address clashes with every other. */
function checkPorts(
  problems: Problems,
  name: string,
  service: PlacedService,
  taken: Map<string, string>,
): void {
  for (const { hostAddress, hostPort, protocol } of service.spec.ports) {
    const key = (address: string): string => `${address}:${hostPort}/${protocol}`;
    const any = `${hostPort}/${protocol}`;
    const holder =
      hostAddress === '0.0.0.0' ? taken.get(any) : (taken.get(key('0.0.0.0')) ?? taken.get(key(hostAddress)));
    if (holder !== undefined) {
      const text = `services.${name} publishes port ${any}, which services.${holder} publishes already`;
      problems.add('HM-COMPOSE-TYPE', service.portsAt, text, 'Publish another host port.');
    }
    taken.set(key(hostAddress), name);
    taken.set(any, name);
  }
}

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
