/** What becomes of an effect: calls to ports, writes, watches and timers, and how each ends with its actor. */
import { describe, expect, it } from 'vitest';
import { setup } from 'xstate';
import type { Effect, Message } from '../../../protocols/effects.ts';
import { coded } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import type { Call } from '../../../protocols/ports.ts';
import type { WatchNotice } from '../../../protocols/state/model.ts';
import { supervisor, worker } from '../../../supervisors/child-spec.ts';
import { perform } from '../../../actors/decide.ts';
import { HeapClock } from '../../../runtime/world/heap-clock.ts';
import { rig, SluggishClock, type PortOps, type Rig } from '../../kit/rig.ts';
import { workers } from '../../kit/workers.ts';

interface Pending {
  readonly args: unknown;
  readonly call: Call;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** A port operation that answers when the test says so. */
function manual() {
  const calls: Pending[] = [];
  const op = (args: unknown, call: Call) =>
    new Promise((resolve, reject) => calls.push({ args, call, resolve, reject }));
  return { calls, op };
}

const drive = (id: string, timeoutMs = 5_000): Effect => ({
  do: 'drive',
  id,
  call: { port: 'images', op: 'ensure', args: { image: 'busybox' } },
  done: 'image.ensured',
  failed: 'image.refused',
  timeoutMs,
});

async function world(
  ports: PortOps = {},
  clock = new HeapClock(),
): Promise<Rig & { doing(...effects: Effect[]): Promise<void>; heard(): Message[] }> {
  const root = supervisor('root', 'one_for_one', [worker('a', 'worker'), worker('b', 'worker')]);
  const made = rig(root, { machines: workers, ports, boot: 4, clock });
  await made.clock.advance(60);
  return {
    ...made,
    doing: async (...effects) => {
      made.kernel.send('/a', { type: 'work.do', effects });
      await made.clock.advance(clock instanceof SluggishClock ? 5 : 0);
    },
    heard: () =>
      (made.kernel.directory.show('/a')!.context as { heard: Message[] }).heard.map(({ ...event }) => {
        delete (event as Record<string, unknown>)['at'];
        return event;
      }),
  };
}

/** Without the part that is drawn anew for every start of the kernel. */
const asked = (key: string) => key.replace(/^[0-9a-f]{12}\//, '');

describe('drive', () => {
  it('answers with the value, under the same key for the same id', async () => {
    const port = manual();
    const w = await world({ images: { ensure: port.op } });
    await w.doing(drive('pull'));
    port.calls[0]!.resolve({ digest: 'sha256:1' });
    await w.clock.settle();
    expect(w.heard()).toEqual([{ type: 'image.ensured', id: 'pull', value: { digest: 'sha256:1' } }]);
    await w.doing(drive('pull'));
    expect(port.calls.map(({ args, call }) => [args, asked(call.key)])).toEqual([
      [{ image: 'busybox' }, 'n1/a#4.1:pull'],
      [{ image: 'busybox' }, 'n1/a#4.1:pull'],
    ]);
    port.calls[1]!.resolve({});
    await w.clock.settle();
    expect(w.clock.timers).toBe(0);
  });

  it('gives another key to another life', async () => {
    const port = manual();
    const w = await world({ images: { ensure: port.op } });
    await w.doing(drive('pull'));
    w.kernel.send('/a', { type: 'work.fail' });
    await w.clock.advance(1_000);
    await w.doing(drive('pull'));
    expect(port.calls.map(({ call }) => asked(call.key))).toEqual(['n1/a#4.1:pull', 'n1/a#4.2:pull']);
  });

  it('fails with the reason of a coded rejection, and with HM-INTERNAL for a defect', async () => {
    const port = manual();
    const w = await world({ images: { ensure: port.op } });
    await w.doing(drive('one'), drive('two'));
    port.calls[0]!.reject(coded('HM-IMAGE-MISSING', 'no busybox here'));
    port.calls[1]!.reject(new TypeError('oops'));
    await w.clock.settle();
    expect(w.heard()).toMatchObject([
      { type: 'image.refused', id: 'one', error: { code: 'HM-IMAGE-MISSING', message: 'no busybox here' } },
      { type: 'image.refused', id: 'two', error: { code: 'HM-INTERNAL', message: 'TypeError: oops' } },
    ]);
  });

  it('is aborted at its deadline; what comes later is a dead letter', async () => {
    const port = manual();
    const w = await world({ images: { ensure: port.op } });
    await w.doing(drive('pull', 2_000));
    await w.clock.advance(1_999);
    expect(port.calls[0]!.call.signal.aborted).toBe(false);
    await w.clock.advance(1);
    expect(port.calls[0]!.call.signal.aborted).toBe(true);
    expect(w.heard()).toMatchObject([
      {
        type: 'image.refused',
        id: 'pull',
        error: { code: 'HM-RUNTIME-TIMEOUT', evidence: { operation: 'images.ensure' } },
      },
    ]);
    port.calls[0]!.resolve({});
    await w.clock.settle();
    expect(w.heard()).toHaveLength(1);
    expect(w.framesOf('message.dead')).toMatchObject([{ path: '/a', message: 'image.ensured', why: 'late' }]);
  });

  it('lets a port that hears the abort say something better, but not that it was aborted', async () => {
    const answering =
      (error: () => Error) =>
      (_: unknown, { signal }: Call) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(error())));
    for (const [error, code] of [
      [() => coded('HM-IMAGE-MISSING'), 'HM-IMAGE-MISSING'],
      [() => new Error('aborted'), 'HM-RUNTIME-TIMEOUT'],
    ] as const) {
      const w = await world({ images: { ensure: answering(error) } });
      await w.doing(drive('pull', 2_000));
      await w.clock.advance(2_000);
      expect(w.heard()).toMatchObject([{ type: 'image.refused', error: { code } }]);
    }
  });

  it.each([
    [
      'cancelled',
      (w: Rig) => w.kernel.send('/a', { type: 'work.do', effects: [{ do: 'cancel', token: 'pull' }] }),
    ],
    ['driven again', (w: Rig) => w.kernel.send('/a', { type: 'work.do', effects: [drive('pull')] })],
    ['the actor crashes', (w: Rig) => w.kernel.send('/a', { type: 'work.fail' })],
    ['the actor is stopped', (w: Rig) => w.kernel.send('/', { type: 'child.stop', id: 'a' })],
  ])('is aborted when %s, and its late answer counted', async (_, happen) => {
    const port = manual();
    const w = await world({ images: { ensure: port.op } });
    await w.doing(drive('pull'));
    happen(w);
    await w.clock.settle();
    expect(port.calls[0]!.call.signal.aborted).toBe(true);
    port.calls[0]!.resolve({});
    await w.clock.settle();
    expect(w.framesOf('message.dead')).toMatchObject([{ path: '/a', why: 'late' }]);
  });
});

describe('write', () => {
  const write: Effect = {
    do: 'write',
    id: 'w1',
    txn: { compare: [], then: [{ op: 'delete', key: 'k' }] },
    done: 'slot.written',
    failed: 'slot.unwritten',
  };

  it('is a transaction whose request id is the key', async () => {
    const port = manual();
    const w = await world({ store: { txn: port.op } });
    await w.doing(write);
    expect(port.calls[0]!.args).toEqual({
      compare: [],
      then: [{ op: 'delete', key: 'k' }],
      requestId: expect.stringMatching(/^[0-9a-f]{12}\/n1\/a#4\.1:w1$/) as unknown,
    });
    const value = { succeeded: true, position: { epoch: 1, revision: 7 } };
    port.calls[0]!.resolve(value);
    await w.clock.settle();
    expect(w.heard()).toEqual([{ type: 'slot.written', id: 'w1', value }]);
  });

  it('without an answer has an unknown outcome', async () => {
    const w = await world({ store: { txn: manual().op } });
    await w.doing(write);
    await w.clock.advance(limits.writeMs);
    expect(w.heard()).toMatchObject([
      { type: 'slot.unwritten', error: { code: 'HM-STORE-UNKNOWN-OUTCOME' } },
    ]);
  });
});

describe('watch', () => {
  function store() {
    const watches: { prefix: string; notify(notice: WatchNotice): void; stopped: number }[] = [];
    const watch = ({ prefix }: { prefix: string }, notify: (notice: WatchNotice) => void) => {
      const entry = { prefix, notify, stopped: 0 };
      watches.push(entry);
      return () => (entry.stopped += 1);
    };
    return { watches, ops: { store: { watch: watch as never } } };
  }
  const after = { epoch: 1, revision: 3 };
  const watch: Effect = { do: 'watch', id: 'slots', source: { of: 'store', prefix: 'slots/', after } };

  it('tells of the store until it is cancelled', async () => {
    const { watches, ops } = store();
    const w = await world(ops);
    await w.doing(watch);
    const position = { epoch: 1, revision: 4 };
    watches[0]!.notify({ type: 'changed', events: [], position });
    await w.clock.settle();
    expect(w.heard()).toEqual([{ type: 'store.changed', id: 'slots', events: [], position }]);
    await w.doing({ do: 'cancel', token: 'slots' });
    watches[0]!.notify({ type: 'changed', events: [], position });
    await w.clock.settle();
    expect(w.heard()).toHaveLength(1);
    expect(watches[0]!.stopped).toBe(1);
  });

  it.each([
    [{ type: 'compacted', oldest: after } as const, { type: 'store.compacted', id: 'slots', oldest: after }],
    [
      { type: 'failed', error: coded('HM-STORE-DOWN') } as const,
      { type: 'store.failed', id: 'slots', error: { code: 'HM-STORE-DOWN' } },
    ],
  ])('ends with $0.type', async (notice, expected) => {
    const { watches, ops } = store();
    const w = await world(ops);
    await w.doing(watch);
    watches[0]!.notify(notice);
    watches[0]!.notify({ type: 'changed', events: [], position: after });
    await w.clock.settle();
    expect(w.heard()).toMatchObject([expected]);
    expect(watches[0]!.stopped).toBe(1);
  });

  it('tells its end also when a change still waits before it', async () => {
    const { watches, ops } = store();
    const w = await world(ops);
    await w.doing(watch);
    watches[0]!.notify({ type: 'changed', events: [], position: after });
    watches[0]!.notify({ type: 'compacted', oldest: after });
    watches[0]!.notify({ type: 'changed', events: [], position: after });
    await w.clock.settle();
    expect(w.heard()).toMatchObject([{ type: 'store.changed' }, { type: 'store.compacted' }]);
    expect(watches[0]!.stopped).toBe(1);
  });

  it('ends with the actor', async () => {
    const { watches, ops } = store();
    const w = await world(ops);
    await w.doing(watch);
    w.kernel.send('/a', { type: 'work.fail' });
    await w.clock.settle();
    expect(watches[0]!.stopped).toBe(1);
  });

  it('of an actor tells of its end once, also when it never lived', async () => {
    const w = await world();
    await w.doing(
      { do: 'watch', id: 'of-b', source: { of: 'actor', path: '/b' } },
      { do: 'watch', id: 'of-x', source: { of: 'actor', path: '/x' } },
    );
    w.kernel.send('/b', { type: 'work.fail', text: 'b broke' });
    await w.clock.advance(1_000);
    w.kernel.send('/b', { type: 'work.fail' });
    await w.clock.advance(1_000);
    expect(w.heard()).toEqual([
      {
        type: 'actor.exited',
        id: 'of-x',
        path: '/x',
        reason: { kind: 'error', message: 'no actor lives at /x' },
      },
      { type: 'actor.exited', id: 'of-b', path: '/b', reason: { kind: 'error', message: 'b broke' } },
    ]);
  });

  it('of containers passes every event on', async () => {
    let notify: (event: unknown) => void = () => {};
    let stopped = 0;
    const events = (listener: never) => {
      notify = listener;
      return () => (stopped += 1);
    };
    const w = await world({ containers: { events } });
    await w.doing({ do: 'watch', id: 'c', source: { of: 'containers' } });
    notify({ type: 'resync' });
    await w.clock.settle();
    expect(w.heard()).toEqual([{ type: 'containers.changed', id: 'c', event: { type: 'resync' } }]);
    void w.kernel.stop();
    await w.clock.settle();
    expect(stopped).toBe(1);
  });
});

describe('schedule', () => {
  const due = (token: string, delayMs: number, jitter?: number): Effect => ({
    do: 'schedule',
    token,
    delayMs,
    event: { type: `${token}.due` },
    ...(jitter === undefined ? {} : { jitter }),
  });

  it('delivers in time, moves when scheduled again, and not when cancelled', async () => {
    const w = await world();
    await w.doing(due('one', 1_000), due('two', 1_000), due('three', 1_000));
    await w.clock.advance(500);
    await w.doing(due('two', 1_000), { do: 'cancel', token: 'three' });
    await w.clock.advance(500);
    expect(w.heard()).toEqual([{ type: 'one.due' }]);
    await w.clock.advance(500);
    expect(w.heard()).toEqual([{ type: 'one.due' }, { type: 'two.due' }]);
    expect(w.clock.timers).toBe(0);
  });

  it('does not deliver what was cancelled between firing and delivery', async () => {
    const w = await world({}, new SluggishClock());
    const cancel: Message = { type: 'work.do', effects: [{ do: 'cancel', token: 'one' }] };
    await w.doing(due('one', 500), { do: 'schedule', token: 'x', delayMs: 499, event: cancel });
    await w.clock.advance(600);
    expect(w.heard()).toEqual([]);
    expect(w.framesOf('actor.transitioned').at(-1)).toMatchObject({ path: '/a', cause: 'work.do' });
  });

  it('stretches by chance within the jitter', async () => {
    const w = await world();
    const tokens = Array.from({ length: 50 }, (_, n) => `t${n}`);
    await w.doing(...tokens.map((token) => due(token, 1_000, 0.2)));
    await w.clock.advance(799);
    expect(w.heard()).toEqual([]);
    await w.clock.advance(201);
    const early = w.heard().length;
    expect(early).toBeGreaterThan(5);
    expect(early).toBeLessThan(45);
    await w.clock.advance(201);
    expect(w.heard()).toHaveLength(50);
  });
});

describe('after', () => {
  it('comes through the mailbox, is cancelled by leaving the state, and ends with the actor', async () => {
    const machine = setup({}).createMachine({
      initial: 'waiting',
      states: {
        waiting: { after: { 500: 'late' }, on: { go: 'gone' } },
        late: {},
        gone: { after: { 700: 'waiting' } },
      },
    });
    const w = rig(supervisor('root', 'dynamic', [worker('a', 'm'), worker('b', 'm')]), {
      machines: { m: machine },
    });
    await w.clock.advance(499);
    w.kernel.send('/a', { type: 'go' });
    await w.clock.advance(1);
    expect(w.kernel.directory.show('/a')?.phase).toBe('gone');
    expect(w.kernel.directory.show('/b')?.phase).toBe('late');
    expect(w.framesOf('actor.transitioned').at(-1)).toMatchObject({
      path: '/b',
      cause: 'after.500',
      fromPhase: 'waiting',
      toPhase: 'late',
      handled: true,
    });
    void w.kernel.stop();
    await w.clock.settle();
    expect(w.clock.timers).toBe(0);
  });

  it('is dropped when its state was left and entered again after it had fired', async () => {
    const machine = setup({ actions: { perform } }).createMachine({
      initial: 'waiting',
      entry: {
        type: 'perform',
        params: { effects: [{ do: 'schedule', token: 'go', delayMs: 499, event: { type: 'go' } }] },
      },
      states: {
        waiting: { after: { 500: 'late' }, on: { go: { target: 'waiting', reenter: true } } },
        late: {},
      },
    });
    const clock = new SluggishClock();
    const w = rig(supervisor('root', 'dynamic', [worker('a', 'm')]), { machines: { m: machine }, clock });
    await w.clock.advance(900);
    expect(w.framesOf('actor.transitioned').filter(({ path }) => path === '/a')).toMatchObject([
      { cause: 'go' },
    ]);
    await w.clock.advance(200);
    expect(w.kernel.directory.show('/a')?.phase).toBe('late');
  });
});
