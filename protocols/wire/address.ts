/**
 * Actor addresses: `hive://<node>/<path>#<boot>.<incarnation>`. A path names a place in the tree and
 * survives restarts; the fragment names one life of it. Sending to a bare path means "whoever lives
 * there now"; sending to a full address means that very life, or a dead letter.
 */

/** A place in a node's tree: starts with `/`, segments joined by `/`, never holds `#`. */
export type ActorPath = `/${string}`;

export interface Address {
  readonly node: string;
  readonly path: ActorPath;
  /** Boot epoch of the daemon, from its journal. */
  readonly boot: number;
  /** Life of the actor at this path within the boot, from 1. */
  readonly incarnation: number;
}

/** `hive://n1/workload/slots/shop/web.2#4.1` */
export function formatAddress(address: Address): string {
  return `hive://${address.node}${address.path}#${address.boot}.${address.incarnation}`;
}

/** Parse a full address; `undefined` when the text is not one. */
export function parseAddress(text: string): Address | undefined {
  const match = /^hive:\/\/([^/#]+)(\/[^#]*)#(\d+)\.(\d+)$/.exec(text);
  if (!match) return undefined;
  const [, node, path, boot, incarnation] = match;
  return { node: node!, path: path as ActorPath, boot: Number(boot), incarnation: Number(incarnation) };
}

/** Where a message goes: one life, or whoever lives there (`hive://n2/edge/registry`). */
export interface Target {
  readonly node: string;
  readonly path: ActorPath;
  readonly life?: Life;
}

/** Which life of an actor. */
export type Life = Pick<Address, 'boot' | 'incarnation'>;

/** Parse a full address or one without a life; `undefined` when the text is neither. */
export function parseTarget(text: string): Target | undefined {
  const address = parseAddress(text);
  if (address !== undefined) {
    const { node, path, boot, incarnation } = address;
    return { node, path, life: { boot, incarnation } };
  }
  const match = /^hive:\/\/([^/#]+)(\/[^#]*)$/.exec(text);
  return match ? { node: match[1]!, path: match[2] as ActorPath } : undefined;
}

/** The path of a child. Child ids may hold `/` (`shop/web.2`) but never `#`. */
export function childPath(parent: ActorPath, id: string): ActorPath {
  return parent === '/' ? `/${id}` : `${parent}/${id}`;
}
