/**
 * containerd killed, hung and restarted under the driver: coded refusals, containers that run on, recovery by
 * itself, and nothing left of creates that died half-way.
 */
import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { ContainerCreate, RuntimeEvent } from '../../../../protocols/containers/model.ts';
import { reasonOf } from '../../../../protocols/errors.ts';
import type { Call } from '../../../../protocols/ports.ts';
import type { ContainerdRuntime } from '../../../../runtime/drivers/container/containerd/driver.ts';
import { Snapshots } from '../../../../runtime/drivers/container/containerd/gen/services/snapshots_pb.ts';
import { containerCreate } from '../../../kit/container-create.ts';
import { missingForContainerd, startContainerd, type TestContainerd } from '../../../kit/containerd.ts';
import { until } from '../../../kit/until.ts';

const run = promisify(execFile);
const missing = missingForContainerd();
const call = (): Call => ({ key: 'outage', signal: new AbortController().signal });
const codeOf = (asked: Promise<unknown>) =>
  asked.then(
    (answer) => `answered ${JSON.stringify(answer)}`,
    (error: unknown) => reasonOf(error).code,
  );

describe.skipIf(missing)(`outages of containerd${missing ? `: ${missing}` : ''}`, () => {
  let containerd: TestContainerd;
  let runtime: ContainerdRuntime;
  /** Gives up soon: for calls that are meant to meet their deadline. */
  let hasty: ContainerdRuntime;
  let count = 0;
  beforeAll(async () => {
    containerd = await startContainerd();
    await containerd.addImage('box:latest');
    runtime = containerd.runtime();
    hasty = containerd.runtime({ callMs: 1_500, createMs: 1_500 });
  }, 120_000);
  afterEach(async () => {
    for (const { id } of (await runtime.list({}, call())).containers) await runtime.remove({ id }, call());
  });
  afterAll(() => containerd?.stop(), 60_000);

  const fresh = async (script = 'sleep 3600'): Promise<ContainerCreate> => {
    const create = containerCreate(++count, { command: ['/bin/sh', '-c', script] });
    return { ...create, ...(await containerd.logFiles(create.id)) };
  };
  const running = async (script?: string) => {
    const create = await fresh(script);
    await runtime.create(create, call());
    await runtime.start({ id: create.id }, call());
    return create.id;
  };

  /** Every trace of an id on this machine outside containerd's records. */
  const traces = async (id: string) => {
    const folders = [
      join(containerd.stateDir, 'io.containerd.runtime.v2.task', containerd.namespace),
      join(containerd.dir, 'root/io.containerd.runtime.v2.task', containerd.namespace),
      join('/run/containerd/runc', containerd.namespace),
      ...['', 'memory', 'pids'].map((part) => join('/sys/fs/cgroup', part, containerd.cgroupParent)),
    ];
    const found: string[] = [];
    for (const folder of folders) {
      if ((await readdir(folder).catch((): string[] => [])).includes(id)) found.push(join(folder, id));
    }
    if ((await readFile('/proc/self/mountinfo', 'utf8')).includes(`/${id}/`)) found.push('a mount');
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
      const words = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      if (words.split('\0').includes(id)) found.push(`process ${words.replaceAll('\0', ' ')}`);
    }
    const snapshot = { snapshotter: 'overlayfs', key: id };
    await containerd.connection.unary(Snapshots.method.stat, snapshot, { timeoutMs: 5_000 }).then(
      () => void found.push('a snapshot'),
      () => undefined,
    );
    return found;
  };
  const isSweptAway = async (id: string) => {
    let left: readonly string[] = [];
    const gone = async () => (left = await traces(id)).length === 0;
    await until(`nothing is left of ${id}`, gone).catch(() => expect(left).toEqual([]));
  };

  /** Lets a create come a little further: the moment of the fault varies, the outcome must not. */
  const passTurns = async (turns: number) => {
    for (let turn = 0; turn < turns; turn += 1) await readFile('/proc/self/stat');
  };
  const canBeMade = async (create: ContainerCreate) => {
    await runtime.create(create, call());
    await runtime.start({ id: create.id }, call());
    expect((await runtime.inspect({ id: create.id }, call())).container?.phase).toBe('running');
  };

  test('killed: HM-RUNTIME-DOWN, containers run on, and after its return everything goes on', async () => {
    const events: RuntimeEvent[] = [];
    const stop = runtime.events((event) => events.push(event));
    await until('the first resync', () => events.length > 0);
    const stays = await running();
    const goes = await running('sleep 0.3; exit 9');
    const before = (await runtime.inspect({ id: stays }, call())).container;

    await containerd.kill();
    expect(await codeOf(runtime.list({}, call()))).toBe('HM-RUNTIME-DOWN');
    expect(await codeOf(runtime.create(await fresh(), call()))).toBe('HM-RUNTIME-DOWN');
    const heard = events.length;
    await containerd.start();

    await until('a resync after the outage', () =>
      events.slice(heard).some((event) => event.type === 'resync'),
    );
    expect((await runtime.inspect({ id: stays }, call())).container).toEqual(before);
    const ended = await until('the end from meanwhile', async () => {
      const { container } = await runtime.inspect({ id: goes }, call());
      return container?.phase === 'stopped' ? container : undefined;
    });
    expect(ended.exit).toMatchObject({ code: 9 });
    stop();
  });

  test('a container whose shim is killed ends with it, and what is left is removed', async () => {
    const events: RuntimeEvent[] = [];
    const stop = runtime.events((event) => events.push(event));
    await until('the first resync', () => events.length > 0);
    const id = await running();
    const { container } = await runtime.inspect({ id }, call());
    const stat = await readFile(`/proc/${container!.pid!}/stat`, 'utf8');
    process.kill(Number(stat.split(' ')[3]), 'SIGKILL');
    await until('its exit', () => events.find((event) => event.type === 'exited' && event.id === id));
    await until('its task is gone', async () => {
      return (await runtime.inspect({ id }, call())).container?.phase === 'unknown';
    });
    await runtime.remove({ id }, call());
    await isSweptAway(id);
    stop();
  });

  test('a container whose shim hangs is not taken for a leftover', async () => {
    const id = await running();
    const before = (await runtime.inspect({ id }, call())).container!;
    const shim = Number((await readFile(`/proc/${before.pid!}/stat`, 'utf8')).split(' ')[3]);
    process.kill(shim, 'SIGSTOP');
    try {
      const { containers } = await runtime.list({}, call());
      expect(containers).toEqual([expect.objectContaining({ id, phase: 'running' })]);
    } finally {
      process.kill(shim, 'SIGCONT');
    }
    expect((await runtime.inspect({ id }, call())).container).toEqual(before);
  });

  test('an exec that outlives containerd still answers its exit code', async () => {
    const id = await running();
    const session = await runtime.exec({ id, args: ['sh', '-c', 'read x; exit 5'], terminal: false }, call());
    await containerd.kill();
    await containerd.start();
    session.write(Buffer.from('go\n'));
    expect(await session.exit).toBe(5);
  });

  test('hung: HM-RUNTIME-TIMEOUT at the deadline while other work goes on, and it heals', async () => {
    const id = await running();
    containerd.freeze();
    try {
      const asked = codeOf(hasty.list({}, call()));
      let turns = 0;
      let over = false;
      const others = (async () => {
        while (!over) {
          await readFile('/proc/self/stat');
          turns += 1;
        }
      })();
      expect(await asked).toBe('HM-RUNTIME-TIMEOUT');
      over = true;
      await others;
      expect(turns).toBeGreaterThan(100);
    } finally {
      containerd.thaw();
    }
    expect((await runtime.inspect({ id }, call())).container?.phase).toBe('running');
  });

  test.each([5, 15, 30, 50, 80, 120])(
    'a create during which containerd hangs, %i turns into it, blocks nothing',
    async (turns) => {
      const create = await fresh();
      const asked = codeOf(hasty.create(create, call()));
      await passTurns(turns);
      containerd.freeze();
      await asked;
      containerd.thaw();
      await runtime.remove({ id: create.id }, call());
      await isSweptAway(create.id);
      expect((await runtime.list({}, call())).containers).toEqual([]);
      await canBeMade(create);
    },
  );

  test.each([5, 15, 30, 50, 80, 120])(
    'a create during which containerd is killed, %i turns into it, blocks nothing',
    async (turns) => {
      const create = await fresh();
      const asked = codeOf(runtime.create(create, call()));
      await passTurns(turns);
      await containerd.kill();
      await asked;
      await containerd.start();
      await until('containerd answers the driver', () => runtime.info({}, call()).catch(() => undefined));
      await runtime.remove({ id: create.id }, call());
      await isSweptAway(create.id);
      expect((await runtime.list({}, call())).containers).toEqual([]);
      await canBeMade(create);
    },
  );

  test('an id that a died create left a bundle of is cleared by its first failure', async () => {
    const create = await fresh();
    const bundle = join(
      containerd.stateDir,
      'io.containerd.runtime.v2.task',
      containerd.namespace,
      create.id,
    );
    await mkdir(bundle, { recursive: true });
    await writeFile(join(bundle, 'config.json'), '{}');
    expect(await codeOf(runtime.create(create, call()))).toBe('HM-CONTAINER-CREATE');
    await isSweptAway(create.id);
    await canBeMade(create);
  });

  test('the folder of a snapshot that containerd died over is not in the way of the next ones', async () => {
    await runtime.create(await fresh(), call());
    const folders = join(containerd.dir, 'root/io.containerd.snapshotter.v1.overlayfs/snapshots');
    const latest = Math.max(...(await readdir(folders)).map(Number));
    await mkdir(join(folders, String(latest + 1), 'fs'), { recursive: true });
    const creates = await Promise.all(Array.from({ length: 8 }, () => fresh()));
    await Promise.all(creates.map((create) => canBeMade(create)));
  });

  test('a full disk is HM-DISK-FULL, leaves nothing, and heals when there is room', async () => {
    const create = await fresh();
    const bundles = join(containerd.stateDir, 'io.containerd.runtime.v2.task', containerd.namespace);
    await mkdir(bundles, { recursive: true });
    await run('mount', ['-t', 'tmpfs', '-o', 'size=4k', 'tmpfs', bundles]);
    try {
      expect(await codeOf(runtime.create(create, call()))).toBe('HM-DISK-FULL');
    } finally {
      await run('umount', [bundles]);
    }
    expect((await runtime.list({}, call())).containers).toEqual([]);
    await isSweptAway(create.id);
    await canBeMade(create);
  });
});
