/** Image references as people write them: `redis`, `redis:7` and `docker.io/library/redis:latest` name what Docker users think they name. */

const defaultRegistry = /^(?:docker\.io|index\.docker\.io)\//;
const namePart = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const host = '[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?';
/** A first part without dot and port is a folder, `localhost` excepted. */
const registry = `(?:localhost|${host}(?:\\.${host})+|(?:${host}(?:\\.${host})*|\\[[0-9a-fA-F:]+\\]):[0-9]+)`;
const reference = new RegExp(
  `^(?:${registry}/)?${namePart}(?:/${namePart})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$`,
);

/**
 * The name an image is kept and shown under: without Docker's default registry, with a tag (`latest` if none is given)
 * or digest. `undefined`: not an image reference.
 */
export function shortImageName(text: string): string | undefined {
  if (text.length > 255 || !reference.test(text)) return undefined;
  const name = text.replace(defaultRegistry, '').replace(/^library\/(?=[^/]+$)/, '');
  const last = name.slice(name.lastIndexOf('/') + 1);
  return /[:@]/.test(last) ? name : `${name}:latest`;
}

/** The same image as other clients of a container runtime write it: `docker.io/library/redis:latest`. */
export function fullImageName(short: string): string {
  const first = short.includes('/') ? short.slice(0, short.indexOf('/')) : '';
  if (first === 'localhost' || /[.:]/.test(first)) return short;
  return first === '' ? `docker.io/library/${short}` : `docker.io/${short}`;
}
