/** What may be shown of a field of an app's specification, at every door alike: nothing that could be a secret. */
import { canonicalJson } from '../hash.ts';

/** Names of what is secret by its name. */
const tellingName =
  /authorization|cookie|pass(?:wd|word|phrase|code)?\b|pass(?:wd|word|phrase)|pwd|secret|token|credential|private|api[_-]?key|access[_-]?key|(?:^|[_.-])(?:key|auth|salt|pin|dsn|cert|signature)s?(?:$|[_.-])/i;

/** Values that hold a secret whatever they are called: credentials in a URL, `--password=…`, a key in PEM, a long random word. */
const tellingValue =
  /:\/\/[^/\s"@]*:[^/\s"@]+@|(?:pass(?:wd|word|phrase)?|pwd|secret|token|api-?key)["']?(?:[=:]|["'\s,]+)\S|-----BEGIN|\bBearer\s+\S|\beyJ[\w-]{10,}\./i;

/** Words of 20 and more letters and digits mixed: keys, not names. */
const random =
  /(?:^|["=\s])(?=[A-Za-z0-9+/_-]*\d)(?=[A-Za-z0-9+/_-]*[A-Za-z])(?=[A-Za-z0-9+/_-]*[A-Z])[A-Za-z0-9+/_-]{20,}={0,2}(?:$|["\s])/;

const longest = 200;

/** JSON of the value, cut; `undefined` when it must not be shown. */
export function shownValue(path: readonly string[], value: unknown): string | undefined {
  if (value === undefined) return undefined;
  const name = path.slice(1).join('.') || (path[0] ?? '');
  if (isOpaque(path) || tellingName.test(name)) return undefined;
  const text = typeof value === 'string' ? JSON.stringify(value) : compact(path, value);
  // Digests are long and random, and no secret.
  const bare = (typeof value === 'string' ? value : text).replaceAll(/sha256:[0-9a-f]{64}/g, 'sha256');
  if (tellingValue.test(bare)) return undefined;
  if (isFree(path) && random.test(bare)) return undefined;
  return text.length > longest ? `${text.slice(0, longest - 1)}…` : text;
}

/** What an operator fills with anything. */
const isFree = ([first]: readonly string[]): boolean =>
  first === 'environment' ||
  first === 'command' ||
  first === 'entrypoint' ||
  first === 'hooks' ||
  first === 'hostProcess';

/** `secrets` and `configs` of the app: neither content nor digest; and of a service's files not which value they hold. */
const isOpaque = (path: readonly string[]): boolean =>
  ((path[0] === 'secrets' || path[0] === 'configs') && /^(?:content|digest)$/.test(path.at(-1) ?? '')) ||
  (path[0] === 'files' && path.includes('held'));

function compact([first]: readonly string[], value: unknown): string {
  const part = value as Readonly<Record<string, unknown>>;
  if (first === 'ports' && 'hostPort' in part) {
    const address = part['hostAddress'] === '0.0.0.0' ? '' : `${String(part['hostAddress'])}:`;
    return `${address}${String(part['hostPort'])}:${String(part['containerPort'])}/${String(part['protocol'])}`;
  }
  if (first === 'mounts' && 'target' in part) {
    const source = part['volume'] ?? part['source'] ?? 'tmpfs';
    const owner = part['app'] === undefined ? '' : `${String(part['app'] as string)}/`;
    return `${owner}${String(source as string)}:${String(part['target'])}${part['readOnly'] === true ? ':ro' : ''}`;
  }
  if (first === 'dependsOn' && 'condition' in part)
    return `${String(part['service'])} (${String(part['condition'])})`;
  return canonicalJson(value);
}
