/** What one service says of another, worked into both: links, borrowed mounts, volumes that are a bind in disguise. */
import { limits } from '../../limits.ts';
import { lenderOf, type MountSpec, type VolumeSpec } from '../model.ts';
import type { NetworkAttachment } from '../service-model.ts';
import type { Place, Problems } from './document.ts';
import type { PlacedMount } from './mounts.ts';
import type { PlacedService } from './service.ts';
import { suggestion } from './suggestion.ts';
import { otherVolume } from './top/volumes.ts';
import { resolvePath } from './values.ts';

type Services = ReadonlyMap<string, PlacedService>;

/** `declared` also holds the services that could not be read. */
export interface WholeFile {
  readonly services: Services;
  readonly declared: ReadonlySet<string>;
  readonly volumes: ReadonlyMap<string, VolumeSpec>;
  /** Services that no enabled profile brings in, with their profiles. */
  readonly disabled: ReadonlyMap<string, readonly string[]>;
}

export function resolveServices(problems: Problems, file: WholeFile): Services {
  const resolved = new Map<string, PlacedService>();
  for (const [name, service] of file.services) {
    let next = withoutOptional(problems, name, service, file);
    next = withBorrowed(problems, name, next, file);
    next = withLinkedDependencies(problems, name, next, file);
    next = withLender(name, next, file);
    resolved.set(name, withBinds(next, file.volumes));
  }
  addAliases(problems, resolved);
  for (const [name, service] of resolved) resolved.set(name, settle(service));
  return resolved;
}

/** The spec as its placed parts now are. */
const settle = (service: PlacedService): PlacedService => ({
  ...service,
  spec: {
    ...service.spec,
    mounts: service.mounts.map(({ mount }) => mount),
    dependsOn: service.dependencies.map(({ dependency }) => dependency),
  },
});

/** `required: false` on a service that the file does not have. */
function withoutOptional(
  problems: Problems,
  name: string,
  service: PlacedService,
  { declared }: WholeFile,
): PlacedService {
  const dependencies = service.dependencies.filter(({ dependency, at }) => {
    if (dependency.required !== false || declared.has(dependency.service)) return true;
    const text = `services.${name} does not wait for ${dependency.service}, which is not in the file`;
    problems.warn('HM-COMPOSE-REFERENCE', at, text, 'Choose its profile to have it.');
    return false;
  });
  return { ...service, dependencies };
}

function unknown(
  problems: Problems,
  at: Place,
  name: string,
  what: string,
  file: WholeFile,
  other: string,
): void {
  const text = `services.${name} ${what} ${other}, which is not declared`;
  const hint = suggestion(other, [...file.declared], 'Declare the service or remove the entry.');
  problems.add('HM-COMPOSE-REFERENCE', at, text, hint);
}

function dependingOn(service: PlacedService, name: string, at: Place): PlacedService {
  if (service.dependencies.some(({ dependency }) => dependency.service === name)) return service;
  const dependency = { service: name, condition: 'started' as const };
  return { ...service, dependencies: [...service.dependencies, { dependency, at }] };
}

function withBorrowed(
  problems: Problems,
  name: string,
  service: PlacedService,
  file: WholeFile,
): PlacedService {
  let next = service;
  for (const { service: other, readOnly, at } of service.borrowed) {
    if (!file.declared.has(other)) {
      unknown(problems, at, name, 'takes the volumes of', file, other);
      continue;
    }
    next = dependingOn(next, other, at);
    const taken = new Set(next.mounts.map(({ mount }) => mount.target));
    const more = lent(file.services, other, new Set([name]))
      .filter(({ mount }) => mount.type !== 'tmpfs' && !taken.has(mount.target))
      .map(({ mount }) => ({ mount: readOnly ? ({ ...mount, readOnly } as MountSpec) : mount, at }));
    next = { ...next, mounts: [...next.mounts, ...more] };
  }
  return next;
}

/** Also what it has borrowed itself; a circle is told with the dependencies. */
function lent(services: Services, name: string, seen: Set<string>): readonly PlacedMount[] {
  const service = services.get(name);
  if (!service || seen.has(name)) return [];
  seen.add(name);
  const own = service.mounts.map(({ mount, at }): PlacedMount => {
    return { mount: mount.type === 'anonymous' ? { ...mount, service: name } : mount, at };
  });
  return [...own, ...service.borrowed.flatMap((from) => lent(services, from.service, seen))];
}

function withLinkedDependencies(
  problems: Problems,
  name: string,
  service: PlacedService,
  file: WholeFile,
): PlacedService {
  let next = service;
  for (const { service: other, at } of service.links) {
    if (!file.declared.has(other)) unknown(problems, at, name, 'links to', file, other);
    else next = dependingOn(next, other, at);
  }
  return next;
}

/** Who has another one's network starts after it, and anew when it does; one that is not there is told elsewhere. */
function withLender(name: string, service: PlacedService, { declared }: WholeFile): PlacedService {
  const lender = lenderOf(service.spec);
  if (lender === undefined || lender === name || !declared.has(lender)) return service;
  const next = dependingOn(service, lender, service.at);
  return {
    ...next,
    dependencies: next.dependencies.map(({ dependency, at }) => ({
      dependency: dependency.service === lender ? { ...dependency, restart: true as const } : dependency,
      at,
    })),
  };
}

/** A named volume that is another app's, or a folder of the machine, is mounted as what it is. */
function withBinds(service: PlacedService, volumes: WholeFile['volumes']): PlacedService {
  const mounts = service.mounts.map(({ mount, at }): PlacedMount => {
    if (mount.type !== 'volume') return { mount, at };
    const declared = volumes.get(mount.volume);
    const [, app, volume] = otherVolume.exec(declared?.externalName ?? '') ?? [];
    if (app !== undefined && volume !== undefined) return { mount: { ...mount, app, volume }, at };
    const device = declared?.driverOptions?.['device'];
    if (device === undefined) return { mount, at };
    const { target, readOnly, subpath } = mount;
    const source = resolvePath(device, subpath ?? '.');
    return { mount: { type: 'bind', source, target, readOnly, createSource: false }, at };
  });
  return { ...service, mounts };
}

const alone: Readonly<Record<string, NetworkAttachment>> = { default: {} };

/** A link's alias becomes a name of the other service in the networks that both are in. */
function addAliases(problems: Problems, services: Map<string, PlacedService>): void {
  const claimed = new Map<string, string>();
  for (const [name, { links, spec }] of [...services]) {
    for (const { service: other, alias, at } of links) {
      const target = services.get(other);
      if (!target || alias === other) continue;
      const holder = services.has(alias) ? alias : claimed.get(alias);
      if (holder !== undefined && holder !== other) {
        const text = `services.${name} links to ${other} as ${alias}, which already means ${holder}`;
        problems.add('HM-COMPOSE-REFERENCE', at, text, 'Use another alias, or the name of the service.');
        continue;
      }
      if (alias.length > limits.nameChars) {
        problems.add('HM-COMPOSE-NAME', at, `the alias ${alias.slice(0, limits.nameChars)}… is too long`);
        continue;
      }
      claimed.set(alias, other);
      const own = new Set(Object.keys(spec.networks ?? alone));
      const networks = Object.entries(target.spec.networks ?? alone).map(([network, attachment]) => {
        const aliases = [...new Set([...(attachment.aliases ?? []), alias])];
        return [network, own.has(network) ? { ...attachment, aliases } : attachment] as const;
      });
      services.set(other, { ...target, spec: { ...target.spec, networks: Object.fromEntries(networks) } });
    }
  }
}
