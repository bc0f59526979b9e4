/** Secrets never leave an actor: what stands under a telling key is replaced before anybody outside sees it. */

const tellingKey = /^(environment|env|secrets?|tokens?|passwords?)$/i;
const mask = '***';
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
  const copy: Record<string, unknown> = {};
  let changed = false;
  for (const [key, field] of Object.entries(value as Record<string, unknown>)) {
    // An effect's own token names a timer; it is no credential.
    const telling = tellingKey.test(key) && !('do' in value);
    copy[key] = telling ? hide(field) : maskSecrets(field, depth + 1);
    changed ||= copy[key] !== field;
  }
  return changed ? (copy as Value) : value;
}

function hide(field: unknown): unknown {
  return field === undefined || field === null ? field : mask;
}
