/**
 * The process that is killed: opens the embedded store, checks everything that must have survived the kill before,
 * says `ready`, and then writes with 8 writers, printing each acknowledgement, until it dies. Not a test by itself:
 * `kill-loop.ts` starts it, bundled, a thousand times.
 */
import { writeSync } from 'node:fs';
import type { Clock } from '../../../../protocols/ports.ts';
import type { KeyValue, WatchNotice } from '../../../../protocols/state/model.ts';
import { openEmbeddedStore } from '../../../../runtime/drivers/store/embedded/embedded-store.ts';
import type { StoreEngine } from '../../../../runtime/drivers/store/engine.ts';

/** What the parent saw acknowledged. */
export interface Survivors {
  /** The last count of each writer. */
  readonly counts: readonly number[];
  /** A lease whose revoke was not even asked for. */
  readonly granted: string | undefined;
  readonly revoked: string | undefined;
}

/** Kept below the history's 4,096 remembered requests. */
const ring = 20;

const [folder, speedText, survivorsText] = process.argv.slice(2) as [string, string, string];
const speed = Number(speedText);
const survivors = JSON.parse(survivorsText) as Survivors;
const call = { key: `${process.pid}`, signal: new AbortController().signal };

let ready = false;
const held: (() => void)[] = [];

/** Wall time runs `speed` times as fast, so that compaction is under way when the kill comes; but not while we look. */
const epoch = Date.UTC(2026, 0, 1);
const clock: Clock = {
  now: () => epoch + (Date.now() - epoch) * speed,
  monotonicMs: () => performance.now(),
  setTimer: (delayMs, fire) => setTimeout(() => (ready ? fire() : held.push(fire)), delayMs / speed),
  clearTimer: (timer) => clearTimeout(timer as NodeJS.Timeout),
  defer: (run) => setImmediate(run),
};
const random = {
  next: Math.random,
  hex: (bytes: number) =>
    Buffer.from(Array.from({ length: bytes }, () => Math.random() * 256)).toString('hex'),
};

function say(line: string): void {
  writeSync(1, `${line}\n`);
}

function must(holds: boolean, what: string): void {
  if (holds) return;
  say(`BAD ${what}`);
  process.exit(3);
}

/** Every revision from the oldest on, without gap, leads from the rows then to the rows now. */
async function checkHistory(store: StoreEngine): Promise<Map<string, KeyValue>> {
  const { position, oldest } = await store.status();
  const base = await store.list({ prefix: '', at: oldest.revision });
  const rows = new Map(base.kvs.map((kv) => [kv.key, kv]));
  let last = oldest.revision;
  const apply = (notice: WatchNotice): void => {
    must(notice.type === 'changed', `the watch ended: ${notice.type}`);
    for (const event of notice.type === 'changed' ? notice.events : []) {
      const revision = event.type === 'put' ? event.kv.modRevision : event.modRevision;
      must(revision === last || revision === last + 1, `after revision ${last} comes ${revision}`);
      last = revision;
      if (event.type === 'delete') {
        must(rows.delete(event.key), `${event.key} is deleted, but was not there`);
        continue;
      }
      const { key, version } = event.kv;
      must(version === (rows.get(key)?.version ?? 0) + 1, `version ${version} of ${key} does not follow`);
      rows.set(key, event.kv);
    }
  };
  if (last < position.revision) {
    await new Promise<void>((resolve) => {
      const stop = store.watch({ prefix: '', after: oldest }, (notice) => {
        apply(notice);
        if (last < position.revision) return;
        stop();
        resolve();
      });
    });
  }
  const now = new Map((await store.list({ prefix: '' })).kvs.map((kv) => [kv.key, kv]));
  const text = (map: Map<string, KeyValue>): string =>
    JSON.stringify([...map].sort(([a], [b]) => (a < b ? -1 : 1)));
  must(text(now) === text(rows), 'the rows are not the replay of the history');
  return now;
}

async function checkWriters(store: StoreEngine, rows: Map<string, KeyValue>): Promise<number[]> {
  const counts: number[] = [];
  for (const [writer, acknowledged] of survivors.counts.entries()) {
    const row = rows.get(`count/${writer}`);
    const count = (row?.value as number | undefined) ?? 0;
    must(count >= acknowledged, `writer ${writer} was told ${acknowledged} and finds ${count}`);
    must(count <= acknowledged + 1, `writer ${writer} tried ${acknowledged + 1} and finds ${count}`);
    counts.push(count);
    if (!row) continue;
    must(
      rows.get(`ring/${writer}/${count % ring}`)?.value === count,
      `a half of ${writer}'s ${count} is missing`,
    );
    const again = await store.txn({ requestId: `${writer}-${count}`, compare: [], then: [] }, call);
    must(again.position.revision === row.modRevision, `a retry of ${writer}'s ${count} has another answer`);
  }
  return counts;
}

async function alive(store: StoreEngine, lease: string): Promise<boolean> {
  return store.keepAlive({ lease }).then(
    () => true,
    () => false,
  );
}

async function write(store: StoreEngine, writer: number, from: number): Promise<void> {
  for (let count = from + 1; ; count++) {
    const then = [
      { op: 'put', key: `count/${writer}`, value: count },
      { op: 'put', key: `ring/${writer}/${count % ring}`, value: count },
      { op: count % 2 === 0 ? 'delete' : 'put', key: `blink/${writer}`, value: 'x'.repeat(count % 700) },
    ] as const;
    // Each slot of the ring was written once a round before.
    const round = Math.ceil(count / ring) - 1;
    const compare = [{ key: `ring/${writer}/${count % ring}`, field: 'version', equals: round }] as const;
    const answer = await store.txn({ requestId: `${writer}-${count}`, compare, then }, call);
    must(answer.succeeded, `writer ${writer} lost its compare at ${count}`);
    say(`${writer} ${count}`);
  }
}

/** Grants and revokes, as writer 8 of 8. */
async function lend(store: StoreEngine): Promise<void> {
  for (let turn = 0; ; turn++) {
    const { lease } = await store.grant({ ttlMs: 3_600_000 }, { ...call, key: `${process.pid}-${turn}` });
    say(`granted ${lease}`);
    await new Promise<void>((resolve) => clock.defer(resolve));
    say(`revoking ${lease}`);
    await store.txn(
      { requestId: `lend-${lease}`, compare: [], then: [{ op: 'put', key: 'lent', value: lease, lease }] },
      call,
    );
    await store.revoke({ lease }, call);
    say(`revoked ${lease}`);
  }
}

const store = await openEmbeddedStore({ path: folder, clock, random });
const rows = await checkHistory(store);
const counts = await checkWriters(store, rows);
if (survivors.revoked !== undefined)
  must(!(await alive(store, survivors.revoked)), 'a revoked lease is back');
const lent = rows.get('lent')?.lease;
must(lent === undefined || (await alive(store, lent)), 'a key has a lease that does not live');
if (survivors.granted !== undefined) must(await alive(store, survivors.granted), 'a granted lease is gone');
// What was written without an answer is known from here on.
for (const [writer, count] of counts.entries()) say(`${writer} ${count}`);
say(`ready ${(await store.status()).oldest.revision}`);
ready = true;
for (const fire of held) fire();
void lend(store);
for (const [writer, count] of counts.entries()) void write(store, writer, count);
