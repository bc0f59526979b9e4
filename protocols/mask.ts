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
  if (Array.isArray(value)) {
    const items = value.map((item: unknown) => maskSecrets(item, depth + 1));
    return items.every((item, at) => item === value[at]) ? value : (items as Value);
  }
  if (isService(value)) return shownService(value) as Value;
  const copy: Record<string, unknown> = {};
  let changed = false;
  for (const [key, field] of Object.entries(value as Record<string, unknown>)) {
    // An effect's own token names a timer; it is no credential.
    const telling = tellingKey.test(key) && !('do' in value);
    copy[key] = telling
      ? hide(field)
      : freeText.test(key)
        ? shownField([key], field)
        : maskSecrets(field, depth + 1);
    changed ||= copy[key] !== field;
  }
  return changed ? (copy as Value) : value;
}

const isService = (value: object): value is ServiceSpec =>
  'environment' in value && 'image' in value && 'stopGraceMs' in value && 'mounts' in value;

function hide(field: unknown): unknown {
  return field === undefined || field === null ? field : mask;
}
