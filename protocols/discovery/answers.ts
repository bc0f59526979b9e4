/**
 * What a question gets, decided from the zone alone: sans-IO and synchronous. `<service>` alone is known inside its
 * app only; `<service>.<app>.hive.internal` and `<slot>.<service>.<app>.hive.internal` everywhere. Names outside
 * the zone are somebody else's to answer.
 */
import type { ClientRecord, NameRecord, ZoneUpdate } from './model.ts';

export const zoneName = 'hive.internal';

export interface Question {
  readonly name: string;
  /** `A`, `AAAA`, `PTR`, … */
  readonly type: string;
}

export type Answer =
  | { readonly kind: 'addresses'; readonly addresses: readonly string[] }
  | { readonly kind: 'pointer'; readonly name: string }
  /** The name exists, but has nothing of this type. */
  | { readonly kind: 'nodata' }
  | { readonly kind: 'nxdomain' }
  | { readonly kind: 'forward' };

/** Addresses by full name, built once an update. */
export interface Zone {
  readonly addresses: ReadonlyMap<string, readonly string[]>;
  readonly pointers: ReadonlyMap<string, string>;
  readonly clients: ReadonlyMap<string, string>;
  /** Names that exist because something stands below them. */
  readonly inner: ReadonlySet<string>;
}

export function zoneOf(update: ZoneUpdate): Zone {
  const addresses = new Map<string, Set<string>>();
  const pointers = new Map<string, string>();
  const inner = new Set<string>([zoneName]);
  for (const record of update.names) {
    const service = serviceName(record);
    const slot = `${record.index}.${service}`;
    for (const name of [service, slot]) {
      addresses.set(name, (addresses.get(name) ?? new Set<string>()).add(record.address));
    }
    pointers.set(record.address, slot);
    inner.add(`${record.app}.${zoneName}`.toLowerCase());
  }
  const clients = new Map(update.clients.map((client: ClientRecord) => [client.address, client.app]));
  for (const app of clients.values()) inner.add(`${app}.${zoneName}`.toLowerCase());
  const listed = [...addresses].map(([name, held]): [string, readonly string[]] => [name, [...held]]);
  return { addresses: new Map(listed), pointers, clients, inner };
}

function serviceName(record: Pick<NameRecord, 'service' | 'app'>): string {
  return `${record.service}.${record.app}.${zoneName}`.toLowerCase();
}

/** `client`: the address the question came from. `turn` rotates several addresses, so that they share the load. */
export function answer(zone: Zone, question: Question, client: string, turn: number): Answer {
  const name = question.name.toLowerCase().replace(/\.$/, '');
  if (name.endsWith('.in-addr.arpa')) return pointer(zone, name, question.type);
  const app = zone.clients.get(client);
  const ours = name === zoneName || name.endsWith(`.${zoneName}`);
  const addresses = candidates(name, ours, app)
    .map((full) => zone.addresses.get(full))
    .find((found) => found !== undefined);
  if (addresses) {
    if (question.type === 'A' || question.type === 'ANY')
      return { kind: 'addresses', addresses: rotated(addresses, turn) };
    return { kind: 'nodata' };
  }
  if (!ours) return { kind: 'forward' };
  return zone.inner.has(name) ? { kind: 'nodata' } : { kind: 'nxdomain' };
}

/** A name as it stands, or, inside an app, completed: `web`, `2.web`, `web.shop`. */
function candidates(name: string, ours: boolean, app: string | undefined): readonly string[] {
  if (ours) return [name];
  if (app === undefined || name === '') return [];
  const own = app.toLowerCase();
  const within = `${name}.${own}.${zoneName}`;
  return name.endsWith(`.${own}`) ? [within, `${name}.${zoneName}`] : [within];
}

function pointer(zone: Zone, name: string, type: string): Answer {
  const address = name.slice(0, -'.in-addr.arpa'.length).split('.').reverse().join('.');
  const target = zone.pointers.get(address);
  // A container that is not ready has no name, and nobody else knows one.
  if (target === undefined) return zone.clients.has(address) ? { kind: 'nxdomain' } : { kind: 'forward' };
  return type === 'PTR' || type === 'ANY' ? { kind: 'pointer', name: target } : { kind: 'nodata' };
}

function rotated(addresses: readonly string[], turn: number): readonly string[] {
  const start = turn % addresses.length;
  return [...addresses.slice(start), ...addresses.slice(0, start)];
}
