/**
 * An app's specification as people may see it: what could be a secret, by `shownValue`, stands as `[masked]`. Contents
 * of files are not there, their digests are keyed. Everything that acts (the node, plans, rollbacks) works on the true one.
 */
import type { AppSpec, ServiceSpec } from '../apps/model.ts';
import { shownValue } from './shown-value.ts';

/** Refused when it comes back in a specification: nobody means it, and it would take the place of a password. */
export const mask = '[masked]';

/** The parts of a service that an operator fills with any text. What is elsewhere are names, numbers and choices. */
const free = [
  'environment',
  'command',
  'entrypoint',
  'healthcheck',
  'hooks',
  'probes',
  'hostProcess',
  'labels',
  'annotations',
  'serviceLabels',
] as const satisfies readonly (keyof ServiceSpec)[];

export function shownService(service: ServiceSpec): ServiceSpec {
  const shown: Record<string, unknown> = { ...service };
  for (const part of free) if (service[part] !== undefined) shown[part] = shownField([part], service[part]);
  return shown as unknown as ServiceSpec;
}

export function shownSpec(spec: AppSpec): AppSpec {
  const { configs, secrets } = spec;
  return {
    ...spec,
    services: each(spec.services, shownService),
    volumes: each(spec.volumes, (volume) => shownPart(volume, ['driverOptions', 'labels'])),
    ...(spec.networks ? { networks: each(spec.networks, (network) => shownPart(network, ['labels'])) } : {}),
    ...(configs ? { configs: each(configs, withoutContent) } : {}),
    ...(secrets ? { secrets: each(secrets, withoutContent) } : {}),
  };
}

/** Where in a specification the mask stands, as `services.web.environment.PASSWORD`; `undefined` where it does not. */
export function maskedPlace(value: unknown, path: readonly string[] = []): string | undefined {
  if (typeof value === 'string') return value.includes(mask) ? path.join('.') : undefined;
  if (typeof value !== 'object' || value === null) return undefined;
  for (const [name, part] of Object.entries(value)) {
    const found = maskedPlace(part, [...path, name]);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Text that must not be shown becomes the mask; a list of words is one text. */
export function shownField(path: readonly string[], value: unknown): unknown {
  if (typeof value === 'string') return shownValue(path, value) === undefined ? maskOf(value) : value;
  if (typeof value !== 'object' || value === null) return value;
  if (!Array.isArray(value)) return shownPart(value, Object.keys(value), path);
  if (value.every((one) => typeof one === 'string'))
    return shownValue(path, value) === undefined ? [mask] : value;
  return value.map((one: unknown) => shownField(path, one));
}

/** A path stays one. */
const maskOf = (text: string): string => (text.startsWith('/') ? `/${mask}` : mask);

function shownPart<Part extends object>(
  part: Part,
  fields: readonly string[],
  path: readonly string[] = [],
): Part {
  const shown = { ...part } as Record<string, unknown>;
  for (const field of fields)
    if (shown[field] !== undefined) shown[field] = shownField([...path, field], shown[field]);
  return shown as Part;
}

function withoutContent<Source extends { content?: string }>(source: Source): Omit<Source, 'content'> {
  const { content: _content, ...rest } = source;
  return rest;
}

const each = <Value, Shown>(
  record: Readonly<Record<string, Value>>,
  show: (value: Value) => Shown,
): Readonly<Record<string, Shown>> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, show(value)]));
