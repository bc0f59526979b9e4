/**
 * What a question gets, decided from the zone alone: sans-IO and synchronous. `<service>` alone is known inside its
 * app, and an alias to those who share its network; `<service>.<app>.hive.internal` and
 * `<slot>.<service>.<app>.hive.internal` everywhere, but of what shares no network with the asker nothing is said.
 * Names outside the zone are somebody else's to answer.
 */
import type { JoinedNetwork } from '../network/model.ts';
import { isEnclosed, joinedOrOpen, openNetwork } from '../network/networks.ts';
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
  /** `to`: the asker's own servers, where it has some. */
  | { readonly kind: 'forward'; readonly to?: readonly string[] };

interface Asker {
  readonly app: string;
  /** Where its short names are looked up: `shop.hive.internal`, `shop_back`. */
  readonly scopes: readonly string[];
  /** Whose networks it has, as text: askers alike get answers alike. */
  readonly group: string;
  /** All of its networks are internal: nothing outside the zone is asked for it. */
  readonly enclosed: boolean;
  readonly dns?: readonly string[];
}

/** Of one name: everybody, and, unless all are on the open network, what each group of askers is told. */
interface Held {
  readonly all: readonly string[];
  readonly seen?: ReadonlyMap<string, readonly string[]>;
}

/** Built once an update, so that an answer costs two look-ups. */
export interface Zone {
  readonly names: ReadonlyMap<string, Held>;
  readonly pointers: ReadonlyMap<string, string>;
  readonly clients: ReadonlyMap<string, Asker>;
  /** Names that exist because something stands below them. */
  readonly inner: ReadonlySet<string>;
}

export function zoneOf(update: ZoneUpdate): Zone {
  const records = new Map<string, NameRecord[]>();
  const pointers = new Map<string, string>();
  const inner = new Set<string>([zoneName]);
  const add = (name: string, record: NameRecord): void => {
    const known = records.get(name);
    if (known) known.push(record);
    else records.set(name, [record]);
  };
  for (const record of update.names) {
    const service = serviceName(record);
    const slot = `${record.index}.${service}`;
    for (const name of new Set([service, slot, ...scopedNames(record)])) add(name, record);
    for (const address of addressesOf(record)) pointers.set(address, slot);
    inner.add(`${record.app}.${zoneName}`.toLowerCase());
  }
  const clients = new Map<string, Asker>();
  const groups = new Map<string, readonly JoinedNetwork[]>();
  for (const client of update.clients) {
    const asker = askerOf(client);
    groups.set(asker.group, joinedOrOpen(client.networks));
    for (const address of addressesOf(client)) clients.set(address, asker);
    inner.add(`${client.app}.${zoneName}`.toLowerCase());
  }
  const names = new Map([...records].map(([name, held]) => [name, heldOf(held, groups)]));
  return { names, pointers, clients, inner };
}

function serviceName(record: Pick<NameRecord, 'service' | 'app'>): string {
  return `${record.service}.${record.app}.${zoneName}`.toLowerCase();
}

/** Aliases of the open network are the app's own; on its other networks a service is known by its name as well. */
function scopedNames({ app, service, networks = [] }: NameRecord): readonly string[] {
  return networks.flatMap(({ id, aliases = [] }) => {
    const names = id === openNetwork ? aliases : [service, ...aliases];
    return names.map((name) => `${name}.${scopeOf(id, app)}`.toLowerCase());
  });
}

/** No name that is asked for contains a slash. */
const scopeOf = (id: string, app: string): string =>
  (id === openNetwork ? `${app}.${zoneName}` : `/${id}`).toLowerCase();

function askerOf({ app, networks, dns = [] }: ClientRecord): Asker {
  const joined = joinedOrOpen(networks);
  const ids = joined.map(({ id }) => id);
  return {
    app,
    scopes: [...new Set([`${app}.${zoneName}`.toLowerCase(), ...ids.map((id) => scopeOf(id, app))])],
    group: ids.join(' '),
    enclosed: isEnclosed(joined),
    ...(dns.length > 0 ? { dns } : {}),
  };
}

function addressesOf({ address, networks = [] }: NameRecord | ClientRecord): readonly string[] {
  return [address, ...networks.flatMap((one) => one.address ?? [])];
}

function heldOf(records: readonly NameRecord[], groups: ReadonlyMap<string, readonly JoinedNetwork[]>): Held {
  const all = [...new Set(records.map(({ address }) => address))];
  const openOnly = (networks: readonly JoinedNetwork[] | undefined): boolean =>
    joinedOrOpen(networks).some(({ id }) => id === openNetwork);
  if (records.every(({ networks }) => networks === undefined) && [...groups.values()].every(openOnly))
    return { all };
  const seen = new Map<string, readonly string[]>();
  for (const [group, joined] of groups) {
    const shown = new Set(records.flatMap((record) => addressFor(record, joined) ?? []));
    if (shown.size > 0) seen.set(group, [...shown]);
  }
  return { all, seen };
}

/** What shows itself by a static address is told by it, to those who share that network; `undefined` to strangers. */
function addressFor(record: NameRecord, asker: readonly JoinedNetwork[]): string | undefined {
  const shared = joinedOrOpen(record.networks).filter(({ id }) => asker.some((one) => one.id === id));
  if (shared.length === 0) return undefined;
  return shared.find(({ address }) => address !== undefined)?.address ?? record.address;
}

/** `client`: the address the question came from. `turn` rotates several addresses, so that they share the load. */
export function answer(zone: Zone, question: Question, client: string, turn: number): Answer {
  const name = question.name.toLowerCase().replace(/\.$/, '');
  if (name.endsWith('.in-addr.arpa')) return pointer(zone, name, question.type);
  const asker = zone.clients.get(client);
  const ours = name === zoneName || name.endsWith(`.${zoneName}`);
  for (const full of candidates(name, ours, asker)) {
    const addresses = told(zone.names.get(full), asker);
    if (!addresses) continue;
    if (question.type === 'A' || question.type === 'ANY')
      return { kind: 'addresses', addresses: rotated(addresses, turn) };
    return { kind: 'nodata' };
  }
  if (!ours) return outside(asker);
  return zone.inner.has(name) ? { kind: 'nodata' } : { kind: 'nxdomain' };
}

const forward: Answer = { kind: 'forward' };

function outside(asker: Asker | undefined): Answer {
  if (asker?.enclosed) return { kind: 'nxdomain' };
  return asker?.dns ? { kind: 'forward', to: asker.dns } : forward;
}

/** The host itself, and whoever else asks from no container, is told everything. */
function told(held: Held | undefined, asker: Asker | undefined): readonly string[] | undefined {
  return !held?.seen || !asker ? held?.all : held.seen.get(asker.group);
}

/** A name as it stands, or, inside an app, completed: `web`, `2.web`, `web.shop`, an alias. */
function candidates(name: string, ours: boolean, asker: Asker | undefined): readonly string[] {
  if (name.includes('/')) return [];
  if (ours) return asker ? [name, ...completedBack(name, asker)] : [name];
  if (!asker || name === '') return [];
  const within = asker.scopes.map((scope) => `${name}.${scope}`);
  return name.endsWith(`.${asker.app.toLowerCase()}`) ? [...within, `${name}.${zoneName}`] : within;
}

/** The resolver of a container completes a short name by `search`: an alias of a network arrives with it. */
function completedBack(name: string, { app, scopes }: Asker): readonly string[] {
  const end = `.${app.toLowerCase()}.${zoneName}`;
  if (!name.endsWith(end)) return [];
  const short = name.slice(0, -end.length);
  return scopes.slice(1).map((scope) => `${short}.${scope}`);
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
