/** Processes of this machine under the container runtime's conformance suite, and what only they do. */
import { spawnSync } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ContainerCreate } from '../../protocols/containers/model.ts';
import type { ServiceSpec } from '../../protocols/apps/model.ts';
import { openCgroups } from '../../runtime/drivers/container/process/cgroups.ts';
import { createProcessRuntime, type ProcessRuntime } from '../../runtime/drivers/container/process/driver.ts';
import { realClock } from '../../runtime/world/real-clock.ts';
import { containerCreate } from '../kit/container-create.ts';
import { until } from '../kit/until.ts';
import { containerRuntimeConformance, type ContainerRuntimeArm } from './container-runtime.ts';
import { commandOf, execs, heedsStop, shell } from './container-runtime/commands.ts';
import { call, inPhase, refusal, statusOf, watchEvents } from './container-runtime/rig.ts';

interface Bench {
  readonly folder: string;
  runtime(): Promise<ProcessRuntime>;
  create(command: readonly string[], more?: Partial<ServiceSpec>): Promise<ContainerCreate>;
  close(): Promise<void>;
}

let count = 0;

async function bench(): Promise<Bench> {
  const folder = await mkdtemp(join(tmpdir(), 'hivemind-processes-'));
  const runtimes: ProcessRuntime[] = [];
  return {
    folder,
    runtime: async () => {
      const runtime = await createProcessRuntime({ folder: join(folder, 'processes'), clock: realClock });
      runtimes.push(runtime);
      return runtime;
    },
    create: async (command, more = {}) => {
      const spec = { networkMode: 'host', hostProcess: { command }, ...more } as const;
      const { address: _address, ...create } = containerCreate(++count, spec);
      const [stdoutPath, stderrPath] = [join(folder, `${create.id}.out`), join(folder, `${create.id}.err`)];
      await Promise.all([writeFile(stdoutPath, ''), writeFile(stderrPath, '')]);
      return { ...create, stdoutPath, stderrPath };
    },
    close: async () => {
      for (const runtime of runtimes) runtime.close();
      await rm(folder, { recursive: true });
    },
  };
}

const folder = await mkdtemp(join(tmpdir(), 'hivemind-cgroups-'));
const opened = openCgroups(folder);
await rm(folder, { recursive: true });
/** Why nothing can be limited here; absent: it can. */
const withoutLimits = 'why' in opened ? opened.why : undefined;

/** What does not apply, and why. */
const exempt = {
  ...(withoutLimits === undefined
    ? {}
    : {
        'limits change while it runs, are told by inspect, also to a new runtime, and can be taken away':
          withoutLimits,
      }),
  'missing-image is refused with HM-IMAGE-MISSING and leaves nothing': 'it has no images',
  'foreign-image is refused with HM-IMAGE-PLATFORM and leaves nothing': 'it has no images',
  'who is to have the network of another container needs it to run, and tells whose network it has':
    'processes have the network of the machine',
  'a signal that its first process has no handler for does nothing':
    'it is not the first process of a PID namespace: the kernel spares only those',
  'what it wrote is told when that is asked for': 'a process has no files of its own that could be counted',
};

async function makeArm(): Promise<ContainerRuntimeArm> {
  const made = await bench();
  return {
    runtime: await made.runtime(),
    container: (behaviour) => made.create(commandOf(behaviour)),
    command: (behaviour) => execs[behaviour],
    reopen: () => made.runtime(),
    ...(withoutLimits === undefined
      ? {
          outOfMemory: async () => {
            const resources = { limits: { memoryBytes: 16_777_216 } };
            const command = shell('x=$(yes | head -c 200000000); echo $x');
            return { create: await made.create(command, { resources }) };
          },
        }
      : {}),
    exempt,
    close: async () => {
      await made.close();
      await rm('/tmp/note', { force: true });
    },
  };
}

containerRuntimeConformance('process', makeArm);

describe('processes of the machine', () => {
  let made: Bench;
  let runtime: ProcessRuntime;
  beforeAll(async () => {
    made = await bench();
    runtime = await made.runtime();
  });
  afterAll(async () => {
    for (const { id } of (await runtime.list({}, call())).containers) await runtime.remove({ id }, call());
    await made.close();
  });

  const started = async (command: readonly string[], more: Partial<ServiceSpec> = {}) => {
    const create = await made.create(command, more);
    await runtime.create(create, call());
    await runtime.start({ id: create.id }, call());
    return create;
  };

  test.each<[string, Partial<ServiceSpec>, string]>([
    ['an image alone', { hostProcess: undefined as never }, 'HM-RUNTIME-IMAGE'],
    ['a network of its own', { networkMode: 'app' }, 'HM-CONTAINER-SETTING'],
    ['a volume', { mounts: [{ type: 'tmpfs', target: '/x' }] }, 'HM-CONTAINER-SETTING'],
    ['a limit of disks', { resources: { blkio: { weight: 300 } } }, 'HM-CONTAINER-SETTING'],
    ['a read-only root', { isolation: { readOnly: true } }, 'HM-CONTAINER-SETTING'],
    ['an init', { process: { init: true } }, 'HM-CONTAINER-SETTING'],
    ['a working directory that is none', { process: { workingDir: '/no/such' } }, 'HM-CONTAINER-SETTING'],
    ['a user that is none', { process: { user: 'nobody-there' } }, 'HM-CONTAINER-USER'],
  ])('%s is refused, and nothing is left', async (_what, more, code) => {
    const create = await made.create(['true'], more);
    expect(await refusal(runtime.create(create, call()))).toBe(code);
    expect(await runtime.inspect({ id: create.id }, call())).toEqual({});
    expect(await readdir(join(made.folder, 'processes', 'runs'))).not.toContain(create.id);
  });

  test('output, environment, folder and arguments are those of the service, and nothing of ours', async () => {
    const script =
      'printf "%s|" "$PWD" "$MINE" "$PATH" "$0" "$1"; env | grep -c HIVEMIND_TEST_SECRET; echo err >&2';
    process.env['HIVEMIND_TEST_SECRET'] = 'x';
    const create = await started(['sh', '-c', script, 'a b', '$(c)'], {
      environment: { MINE: 'yes it is', PATH: '/bin:/usr/bin' },
      process: { workingDir: '/usr' },
    });
    await inPhase(runtime, create.id, 'stopped');
    expect(await readFile(create.stdoutPath, 'utf8')).toBe('/usr|yes it is|/bin:/usr/bin|a b|$(c)|0\n');
    expect(await readFile(create.stderrPath, 'utf8')).toBe('err\n');
  });

  test('SIGINT reaches a service that wants it', async () => {
    const { id } = await started(shell('trap "exit 7" INT; while :; do sleep 60 & wait; done'), {
      stopSignal: 'SIGINT',
    });
    await until('it heeds SIGINT', async () => {
      await runtime.signal({ id }, call());
      return (await statusOf(runtime, id))?.phase === 'stopped';
    });
    expect((await statusOf(runtime, id))?.exit).toMatchObject({ code: 7 });
  });

  test('what a service leaves behind in sessions of its own ends with it', async () => {
    const watch = watchEvents(runtime);
    const { id } = await started(shell('setsid sleep 3591 & setsid sleep 3592 & sleep 0.2; exit 0'));
    await watch.exitOf(id);
    await until('they are gone', async () => (await pidsOf('sleep 359[12]')).length === 0);
    watch.stop();
  });

  test('an exit while nobody watched is known to the next daemon, with its code', async () => {
    const create = await made.create(shell('sleep 0.3; exit 9'));
    const first = await made.runtime();
    await first.create(create, call());
    await first.start({ id: create.id }, call());
    first.close();
    const exits = join(made.folder, 'processes', 'exits');
    await until('it has ended', async () => (await readdir(exits)).includes(create.id));
    const second = await made.runtime();
    expect(await statusOf(second, create.id)).toMatchObject({ phase: 'stopped', exit: { code: 9 } });
  });

  test('a number that another process has now is not taken for the run, nor signalled', async () => {
    const { id } = await started(shell(heedsStop));
    const file = join(made.folder, 'processes', 'runs', id, 'process');
    // As if the same numbers had begun at another time: this very process stands for the other one.
    const own = (await readFile(`/proc/${process.pid}/stat`, 'utf8')).trim().split(') ');
    const fields = own[1]!.split(' ');
    fields[19] = '1';
    await chmod(file, 0o600);
    await writeFile(file, `${own[0]}) ${fields.join(' ')}\n${own[0]}) ${fields.join(' ')}\n`);
    expect(await statusOf(runtime, id)).toMatchObject({ phase: 'stopped', exit: { code: 255 } });
    await runtime.kill({ id }, call());
    await runtime.signal({ id, signal: 'SIGKILL' }, call());
    await runtime.remove({ id }, call());
  });

  test('a parent that somebody killed: the run goes on, and its end is known as lost', async () => {
    const { id } = await started(shell(heedsStop));
    const parents = await pidsOf(`waiting-parent.sh parent .*${id} `);
    process.kill(parents[0]!, 'SIGKILL');
    expect(await statusOf(runtime, id)).toMatchObject({ phase: 'running' });
    await runtime.kill({ id }, call());
    expect(await inPhase(runtime, id, 'stopped')).toMatchObject({ exit: { code: 255 } });
  });

  test.runIf(process.getuid?.() === 0)('as another user, commands beside it too', async () => {
    const { id, stdoutPath } = await started(shell('id -u; exec sleep 3600'), {
      process: { user: 'nobody' },
    });
    const uid = await until('it says who it is', async () => (await readFile(stdoutPath, 'utf8')).trim());
    const { output } = await runtime.run({ id, args: ['id', '-u'], terminal: false }, call());
    expect(output.trim()).toBe(uid);
    const root = await runtime.run({ id, args: ['id', '-u'], user: '0', terminal: false }, call());
    expect(uid).not.toBe('0');
    expect(root.output.trim()).toBe('0');
  });

  test('a limit where cgroups cannot be written is refused with the reason', async () => {
    const bare = await createProcessRuntime({
      ...{ folder: join(made.folder, 'processes'), clock: realClock },
      cgroupMount: join(made.folder, 'none'),
    });
    const create = await made.create(['true'], { resources: { limits: { pids: 10 } } });
    const why = (await bare.info({}, call())).withoutLimits;
    expect(why).toMatch(/has no cgroups|not root/);
    await expect(bare.create(create, call())).rejects.toMatchObject({
      reason: { code: 'HM-CONTAINER-SETTING', message: expect.stringContaining(why!) as string },
    });
    const { id } = await started(shell(heedsStop));
    const update = bare.update({ id, resources: { limits: { pids: 10 } } }, call());
    expect(await refusal(update)).toBe('HM-CONTAINER-UPDATE');
    bare.close();
  });

  test.runIf(withoutLimits === undefined)(
    'limits hold for all of its processes, and go with it',
    async () => {
      const resources = { limits: { pids: 5, memoryBytes: 33_554_432, cpus: 0.5 } };
      // A shell that finds no place for another process ends: here the inner one.
      const fills = '(for each in 1 2 3 4 5 6 7; do sleep 3594 & done) 2>/dev/null; exec sleep 3595';
      const { id } = await started(shell(fills), { resources });
      await until('it is full', async () => (await pidsOf('^sleep 3595')).length === 1);
      expect((await pidsOf('^sleep 3594')).length).toBeLessThan(4);
      const [stats] = (await runtime.stats({ ids: [id] }, call())).stats;
      expect(stats).toMatchObject({ memoryLimitBytes: 33_554_432 });
      // Commands beside it count as well.
      const beside = await runtime.run({ id, args: shell('sleep 0 & sleep 0'), terminal: false }, call());
      expect(beside.output).toMatch(/fork/i);
      const more = { limits: { ...resources.limits, memoryBytes: 67_108_864, pids: 50 } };
      await runtime.update({ id, resources: more }, call());
      const [raised] = (await runtime.stats({ ids: [id] }, call())).stats;
      expect(raised).toMatchObject({ memoryLimitBytes: 67_108_864 });
      expect(raised!.cpuNs).toBeGreaterThan(0);
      expect(await runtime.run({ id, args: ['true'], terminal: false }, call())).toMatchObject({ code: 0 });
      expect(await cgroupsOf(id)).not.toEqual([]);
      await runtime.remove({ id }, call());
      expect(await cgroupsOf(id)).toEqual([]);
    },
  );

  test('removing leaves no file and no process', async () => {
    const { id } = await started(shell('sleep 3593 & setsid sleep 3593 & wait'));
    await runtime.remove({ id }, call());
    await until('its parent is gone too', async () => (await pidsOf(`sleep 3593|${id}`)).length === 0);
    for (const name of ['runs', 'exits', 'paused'])
      expect(await readdir(join(made.folder, 'processes', name))).not.toContain(id);
  });
});

/** Folders of this name anywhere among the machine's cgroups, of which others come and go meanwhile: `find` says so and goes on. */
async function cgroupsOf(id: string): Promise<readonly string[]> {
  const found = spawnSync('find', ['/sys/fs/cgroup', '-type', 'd', '-name', id], { encoding: 'utf8' });
  return found.stdout.split('\n').filter((path) => path !== '');
}

async function pidsOf(pattern: string): Promise<readonly number[]> {
  const found: number[] = [];
  for (const name of (await readdir('/proc')).filter((each) => /^\d+$/.test(each))) {
    const words = (await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ');
    if (new RegExp(pattern).test(words)) found.push(Number(name));
  }
  return found;
}
