/**
 * The store of this server for the other nodes: each request is judged by who asks, as its certificate and the registry of
 * names say. What a node may not is HM-STORE-DENIED and changes nothing; a write is bound to the rows that were judged.
 */
import type { Assignment } from '../../../../protocols/apps/model.ts';
import { mayReach, type StoreAgent, type StoreWish } from '../../../../protocols/cluster/access.ts';
import { coded, type CodedError } from '../../../../protocols/errors.ts';
import { limits } from '../../../../protocols/limits.ts';
import type { Call, SecretBox, StateStore, Stop } from '../../../../protocols/ports.ts';
import type { SealedValue } from '../../../../protocols/security/model.ts';
import { keys } from '../../../../protocols/state/keys.ts';
import type {
  Compare,
  KeyValue,
  StoreEvent,
  StoreOp,
  WatchNotice,
} from '../../../../protocols/state/model.ts';
import type { Caller, Calls } from '../../../../protocols/wire/calls.ts';
import { decodePlain, encodePlain } from '../../../../protocols/wire/codec.ts';
import { forms, type StoreRequest } from './forms.ts';

export interface StoreDoorOptions {
  readonly calls: Calls;
  readonly store: StateStore;
  /** Opens what a slot of who asks holds; without it nothing is opened. */
  readonly secrets?: Pick<SecretBox, 'open'>;
  /**
   * Rejects when the node is no member any more, another one has its name, or the store is of another cluster:
   * HM-CLUSTER-CERTIFICATE, HM-NODE-NAME-LOST, HM-STORE-FOREIGN.
   */
  readonly admit: (from: Caller) => Promise<unknown>;
}

let asked = 0;
const callOf = (signal: AbortSignal, key = `door:${++asked}`): Call => ({ key, signal });

/** Answers until stopped; what is under way ends by itself. */
export function openStoreDoor({ calls, store, secrets, admit }: StoreDoorOptions): Stop {
  const stops: Stop[] = [];
  const on = <Type extends keyof typeof forms>(
    type: Type,
    handler: (from: Caller, request: StoreRequest<Type>, signal: AbortSignal) => Promise<unknown>,
  ): void => {
    const stop = calls.on(type, async (from, body, signal) => {
      const request = forms[type].safeParse(body);
      if (!request.success) throw coded('HM-PEER-MESSAGE', `${type} is not in form`);
      await admit(from);
      return handler(from, request.data as StoreRequest<Type>, signal);
    });
    stops.push(stop);
  };
  on('store.status', (_from, _request, signal) => store.status({}, callOf(signal)));
  on('store.get', async (from, request, signal) => {
    await permit(store, from, [{ do: 'get', key: request.key }], signal);
    return store.get(request, callOf(signal));
  });
  on('store.list', async (from, request, signal) => {
    await permit(store, from, [{ do: 'list', prefix: request.prefix }], signal);
    return page(store, request, signal);
  });
  on('store.txn', (from, request, signal) => write(store, from, request, signal));
  on('store.grant', (from, { ttlMs, key }, signal) => {
    serverOnly(from, 'a lease');
    return store.grant({ ttlMs }, callOf(signal, key));
  });
  on('store.keep-alive', (from, request, signal) => {
    serverOnly(from, 'a lease');
    return store.keepAlive(request, callOf(signal));
  });
  on('store.revoke', (from, request, signal) => {
    serverOnly(from, 'a lease');
    return store.revoke(request, callOf(signal));
  });
  on('store.watch', async (from, request, signal) => {
    await permit(store, from, [{ do: 'list', prefix: request.prefix }], signal);
    return firstNotice(store, request, signal);
  });
  on('secret.open', async (from, place, signal) => {
    const key = keys.sealed(place.name, place.version);
    await permit(store, from, [{ do: 'get', key }], signal);
    const { kv } = await store.get({ key }, callOf(signal));
    if (!kv || !secrets) throw coded('HM-SECRET-UNKNOWN', `there is no value for ${place.name}`);
    return secrets.open({ ...place, sealed: kv.value as SealedValue }, callOf(signal));
  });
  return () => {
    for (const stop of stops) stop();
  };
}

const denied = (name: string, what: string): CodedError =>
  coded('HM-STORE-DENIED', `the agent ${name} may not reach ${what}`, { node: name });

function serverOnly({ role, name }: Caller, what: string): void {
  if (role !== 'server') throw denied(name, what);
}

/** Throws HM-STORE-DENIED unless the node may do all of it. */
async function permit(
  store: StateStore,
  { role, name }: Caller,
  wishes: readonly StoreWish[],
  signal: AbortSignal,
): Promise<void> {
  if (role === 'server') return;
  const plain: StoreAgent = { name, assignments: [] };
  for (const wish of wishes) {
    if (mayReach(plain, wish)) continue;
    // Only what is placed there says which sealed values it may have: looked up when it is asked for one.
    const where = wish.do === 'list' ? wish.prefix : wish.key;
    const isSealed = where.startsWith(keys.allSealed);
    if (isSealed && mayReach({ name, assignments: await placedOn(store, name, signal) }, wish)) continue;
    throw denied(name, where === '' ? 'everything' : where);
  }
}

async function placedOn(store: StateStore, name: string, signal: AbortSignal): Promise<Assignment[]> {
  const { kvs } = await store.list({ prefix: keys.assignments(name) }, callOf(signal));
  return kvs.map(({ value }) => value as Assignment);
}

async function write(
  store: StateStore,
  from: Caller,
  { requestId, compare, then }: StoreRequest<'store.txn'>,
  signal: AbortSignal,
): Promise<unknown> {
  const ops = then.map(({ key, value, lease }): StoreOp => {
    if (value === undefined) return { op: 'delete', key };
    return {
      op: 'put',
      key,
      value: decoded(value),
      ...(lease === undefined ? {} : { lease }),
    };
  });
  if (from.role === 'server') return store.txn({ requestId, compare, then: ops }, callOf(signal));
  const bound: Compare[] = [];
  const wishes: StoreWish[] = compare.map(({ key }) => ({ do: 'compare', key }));
  for (const op of ops) {
    if (op.op === 'put' && op.lease !== undefined) throw denied(from.name, 'a lease');
    const { kv } = await store.get({ key: op.key }, callOf(signal));
    const present = kv === undefined ? {} : { present: kv.value };
    wishes.push(
      op.op === 'put'
        ? { do: 'put', key: op.key, value: op.value, ...present }
        : { do: 'delete', key: op.key, ...present },
    );
    bound.push({ key: op.key, field: 'modRevision', equals: kv?.modRevision ?? 0 });
  }
  await permit(store, from, wishes, signal);
  const all = [...compare, ...bound].slice(0, limits.storeTxnOps + 1);
  return store.txn({ requestId, compare: all, then: ops }, callOf(signal));
}

function decoded(value: Uint8Array): unknown {
  try {
    return decodePlain(value, limits.storeValueBytes);
  } catch (thrown) {
    throw coded('HM-PEER-MESSAGE', `a value of store.txn is none: ${(thrown as Error).message}`);
  }
}

/** As many rows as go into one answer; `more` also when it is only the answer that is full. */
async function page(
  store: StateStore,
  request: StoreRequest<'store.list'>,
  signal: AbortSignal,
): Promise<unknown> {
  const limit = Math.min(request.limit ?? limits.remoteStoreRows, limits.remoteStoreRows);
  const answer = await store.list({ ...request, limit }, callOf(signal));
  const kvs: KeyValue[] = [];
  let bytes = 0;
  for (const kv of answer.kvs) {
    bytes += encodePlain(kv, Infinity).length;
    if (kvs.length > 0 && bytes > limits.remoteStoreBytes) return { ...answer, kvs, more: true };
    kvs.push(kv);
  }
  return answer;
}

/** What the store tells first behind that place: whole revisions, as many as go into one answer. */
function firstNotice(
  store: StateStore,
  request: StoreRequest<'store.watch'>,
  signal: AbortSignal,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const end = (settle: () => void): void => {
      stop();
      signal.removeEventListener('abort', gone);
      settle();
    };
    const gone = (): void => end(() => reject(coded('HM-STORE-DOWN', 'nobody waits for the watch any more')));
    const stop = store.watch(request, (notice) => {
      if (notice.type === 'failed') return end(() => reject(notice.error as Error));
      end(() => resolve(notice.type === 'changed' ? shortened(notice) : notice));
    });
    signal.addEventListener('abort', gone);
  });
}

function shortened(notice: WatchNotice & { type: 'changed' }): WatchNotice {
  const events: StoreEvent[] = [];
  let bytes = 0;
  for (const event of notice.events) {
    bytes += encodePlain(event, Infinity).length;
    const last = events.at(-1);
    // Between revisions alone: half of one would be a state that never was.
    if (last && bytes > limits.remoteStoreBytes && revisionOf(last) !== revisionOf(event))
      return { type: 'changed', events, position: { ...notice.position, revision: revisionOf(last) } };
    events.push(event);
  }
  return notice;
}

const revisionOf = (event: StoreEvent): number =>
  event.type === 'put' ? event.kv.modRevision : event.modRevision;
