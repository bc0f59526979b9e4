/**
 * Random commands against a model that is nothing but lists and maps, and against what a watch tells: every answer,
 * the rows, and the replay of the history must agree. Restarts and time are commands, too.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Compare, KeyValue, StoreOp, WatchNotice } from '../../../protocols/state/model.ts';
import { call, StoreRig, type StoreArm } from './rig.ts';

export type Command =
  | {
      readonly do: 'txn';
      readonly request: number;
      readonly compare: readonly [number, Compare['field'], number][];
      readonly ops: readonly [number, unknown, number | undefined][];
    }
  | { readonly do: 'grant'; readonly ttlMs: number }
  | { readonly do: 'renew' | 'revoke'; readonly lease: number }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'restart' };

/** Neighbours in byte order that UTF-16 would order otherwise, prefixes of each other, and one with a zero. */
const keys = ['a', 'a\u0000', 'ab', 'b', 'ﬀ', '😀'];
const keyIndex = fc.nat({ max: keys.length - 1 });

/** As they are written down: no number there is -0. */
const anyValue = fc.jsonValue().map((made) => JSON.parse(JSON.stringify(made)) as unknown);

export const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('txn' as const),
      request: fc.nat({ max: 12 }),
      compare: fc.array(
        fc.tuple(
          keyIndex,
          fc.constantFrom<Compare['field'][]>('createRevision', 'modRevision', 'version'),
          fc.nat({ max: 3 }),
        ),
        { maxLength: 1 },
      ),
      ops: fc.uniqueArray(
        fc.tuple(
          keyIndex,
          fc.option(anyValue, { nil: undefined, freq: 3 }),
          fc.option(fc.nat({ max: 3 }), { nil: undefined }),
        ),
        { selector: ([key]) => key, maxLength: 3 },
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('grant' as const), ttlMs: fc.integer({ min: 1, max: 5 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('renew' as const, 'revoke' as const),
      lease: fc.nat({ max: 3 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 4 }) }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'restart' as const }) },
);

interface ModelLease {
  readonly id: string;
  readonly ttlMs: number;
  endsAt: number;
}

interface Answer {
  readonly succeeded: boolean;
  readonly revision: number;
  readonly wrote: boolean;
}

/** What the store should be. */
export class Model {
  revision = 0;
  nowMs = 0;
  readonly rows = new Map<string, KeyValue>();
  readonly leases: ModelLease[] = [];
  readonly #answers = new Map<number, Answer>();

  alive(index: number): ModelLease | undefined {
    return this.leases.filter(({ endsAt }) => endsAt > this.nowMs)[index];
  }

  txn({ request, compare, ops }: Extract<Command, { do: 'txn' }>): Answer {
    const known = this.#answers.get(request);
    if (known) return known;
    const holds = compare.every(
      ([key, field, equals]) => (this.rows.get(keys[key]!)?.[field] ?? 0) === equals,
    );
    const writes = ops.some(([key, value]) => value !== undefined || this.rows.has(keys[key]!));
    if (holds && writes) {
      this.revision += 1;
      for (const [key, value, lease] of ops) this.#write(keys[key]!, value, lease);
    }
    const answer = { succeeded: holds, revision: this.revision, wrote: holds && writes };
    this.#answers.set(request, answer);
    return answer;
  }

  /** What wrote nothing is not remembered over a restart: its retry is decided anew, as if it came for the first time. */
  restart(): void {
    for (const [request, { wrote }] of this.#answers) if (!wrote) this.#answers.delete(request);
    for (const lease of this.leases) if (lease.endsAt > 0) lease.endsAt = this.nowMs + lease.ttlMs;
  }

  endsDue(): void {
    for (const lease of this.leases) if (lease.endsAt <= this.nowMs) this.end(lease);
  }

  end(lease: ModelLease): void {
    this.leases.splice(this.leases.indexOf(lease), 1, { ...lease, endsAt: -1 });
    const held = [...this.rows.values()].filter((row) => row.lease === lease.id);
    if (held.length > 0) this.revision += 1;
    for (const { key } of held) this.rows.delete(key);
  }

  #write(key: string, value: unknown, leaseIndex: number | undefined): void {
    const row = this.rows.get(key);
    if (value === undefined) {
      this.rows.delete(key);
      return;
    }
    const lease = leaseIndex === undefined ? undefined : this.alive(leaseIndex)?.id;
    this.rows.set(key, {
      key,
      value,
      createRevision: row?.createRevision ?? this.revision,
      modRevision: this.revision,
      version: (row?.version ?? 0) + 1,
      ...(lease === undefined ? {} : { lease }),
    });
  }
}

/** One command, on the store and on the model; throws when their answers differ. */
export async function run(rig: StoreRig, model: Model, step: Command): Promise<void> {
  if (step.do === 'txn') return runTxn(rig, model, step);
  if (step.do === 'grant') {
    const id = await rig.grant(step.ttlMs);
    model.leases.push({ id, ttlMs: step.ttlMs, endsAt: model.nowMs + step.ttlMs });
  } else if (step.do === 'pass') {
    for (let ms = 0; ms < step.ms; ms++) {
      await rig.clock.advance(1);
      model.nowMs += 1;
      model.endsDue();
    }
  } else if (step.do === 'restart') {
    await rig.restart();
    model.restart();
  } else {
    const lease = model.alive(step.lease);
    if (!lease) return;
    if (step.do === 'renew') {
      await rig.done(rig.store.keepAlive({ lease: lease.id }, call()));
      lease.endsAt = model.nowMs + lease.ttlMs;
    } else {
      await rig.done(rig.store.revoke({ lease: lease.id }, call()));
      model.end(lease);
    }
  }
}

async function runTxn(rig: StoreRig, model: Model, step: Extract<Command, { do: 'txn' }>): Promise<void> {
  const then: StoreOp[] = step.ops.map(([key, value, index]) => {
    const lease = index === undefined ? undefined : model.alive(index)?.id;
    return value === undefined
      ? { op: 'delete', key: keys[key]! }
      : { op: 'put', key: keys[key]!, value, ...(lease === undefined ? {} : { lease }) };
  });
  const compare = step.compare.map(([key, field, equals]) => ({ key: keys[key]!, field, equals }));
  const wanted = model.txn(step);
  const { succeeded, position } = await rig.txn(then, compare, `model-${step.request}`);
  expect({ succeeded, revision: position.revision }).toEqual({
    succeeded: wanted.succeeded,
    revision: wanted.revision,
  });
}

/** The rows that a watch from the beginning makes. */
function replay(notices: readonly WatchNotice[]): Map<string, KeyValue> {
  const rows = new Map<string, KeyValue>();
  let last = 0;
  for (const notice of notices) {
    if (notice.type !== 'changed') throw new Error(`the watch ended: ${notice.type}`);
    for (const event of notice.events) {
      const revision = event.type === 'put' ? event.kv.modRevision : event.modRevision;
      expect(revision === last || revision === last + 1).toBe(true);
      last = revision;
      if (event.type === 'put') rows.set(event.kv.key, event.kv);
      else rows.delete(event.key);
    }
  }
  return rows;
}

const bytes = (key: string): Buffer => Buffer.from(key);

export function modelCases(arm: StoreArm): void {
  test(
    'random commands agree with the model and with the replay of the history',
    { timeout: 60_000 },
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(command, { maxLength: 40 }), async (steps) => {
          const rig = await new StoreRig(arm).open();
          try {
            const model = new Model();
            for (const step of steps) await run(rig, model, step);
            const { kvs, position } = await rig.done(rig.store.list({ prefix: '' }, call()));
            expect(position.revision).toBe(model.revision);
            expect(kvs).toEqual(
              [...model.rows.values()].sort((a, b) => Buffer.compare(bytes(a.key), bytes(b.key))),
            );
            expect(replay((await rig.watch('')).notices)).toEqual(model.rows);
          } finally {
            await rig.close();
          }
        }),
        { numRuns: 100 },
      );
    },
  );
}
