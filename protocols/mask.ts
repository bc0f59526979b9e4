/**
 * Secrets never leave an actor: what stands under a telling key is replaced before anybody outside sees it, and the
 * specification of a service stands as it does at every other door.
 */
import type { ServiceSpec } from './apps/model.ts';
import { mask, shownField, shownService } from './security/shown-spec.ts';

const tellingKey = /^(environment|env|secrets?|tokens?|passwords?)$/i;
/** Parts of a specification that stand by themselves, as in the check of a container. */
const freeText =
  /^(command|entrypoint|test|headers|labels|annotations|hooks|postStart|preStop|action|driverOptions)$/;
/** Deeper than any model; a cycle would go on for ever. */
const depthLimit = 24;

/** The same value with masked parts; parts without secrets are shared, not copied. Maps and sets become records and lists. */
export function maskSecrets<Value>(value: Value, depth = 0): Value {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  if (depth > depthLimit) return '…' as Value;
  if (value instanceof Map) return maskSecrets(Object.fromEntries(value), depth) as Value;
  if (value instanceof Set) return maskSecrets([...value], depth) as Value;
  if (Array.isArray(value)) return maskList(value, depth) as Value;
  if (isService(value)) return serviceOnce(value) as Value;
  return maskRecord(value as Record<string, unknown>, depth) as Value;
}

function maskList(list: readonly unknown[], depth: number): readonly unknown[] {
  let copy: unknown[] | undefined;
  for (let at = 0; at < list.length; at += 1) {
    const masked = maskSecrets(list[at], depth + 1);
    if (masked !== list[at]) (copy ??= [...list])[at] = masked;
  }
  return copy ?? list;
}

function maskRecord(record: Record<string, unknown>, depth: number): Record<string, unknown> {
  let copy: Record<string, unknown> | undefined;
  for (const key in record) {
    const field = record[key];
    const kind = kindOf(key);
    let masked: unknown;
    // An effect's own token names a timer; it is no credential.
    if (kind === 'telling' && !('do' in record)) masked = hide(field);
    else if (kind === 'free text') masked = shownField([key], field);
    else if (typeof field !== 'object') continue;
    else masked = maskSecrets(field, depth + 1);
    if (masked !== field) (copy ??= { ...record })[key] = masked;
  }
  return copy ?? record;
}

type KeyKind = 'telling' | 'free text' | 'plain';
/** The same few keys come a thousand times a second; keys that people write are many. */
const kinds = new Map<string, KeyKind>();
const keptKinds = 2_000;

function kindOf(key: string): KeyKind {
  let kind = kinds.get(key);
  if (kind !== undefined) return kind;
  kind = tellingKey.test(key) ? 'telling' : freeText.test(key) ? 'free text' : 'plain';
  if (kinds.size < keptKinds) kinds.set(key, kind);
  return kind;
}

/** One specification goes through many steps, and never changes. */
const shownOnce = new WeakMap<ServiceSpec, ServiceSpec>();

function serviceOnce(service: ServiceSpec): ServiceSpec {
  let shown = shownOnce.get(service);
  if (shown === undefined) shownOnce.set(service, (shown = shownService(service)));
  return shown;
}

const isService = (value: object): value is ServiceSpec =>
  'environment' in value && 'image' in value && 'stopGraceMs' in value && 'mounts' in value;

function hide(field: unknown): unknown {
  return field === undefined || field === null ? field : mask;
}
