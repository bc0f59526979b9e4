/** What only containerd has: users of images, terminals, snapshotters, garbage collection, other people's containers. */
import { execFile } from 'node:child_process';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { ServiceSpec } from '../../../../protocols/apps/model.ts';
import type { ContainerCreate } from '../../../../protocols/containers/model.ts';
import { reasonOf } from '../../../../protocols/errors.ts';
import type { Call } from '../../../../protocols/ports.ts';
import type { ContainerdRuntime } from '../../../../runtime/drivers/container/containerd/driver.ts';
import { Leases } from '../../../../runtime/drivers/container/containerd/gen/services/leases_pb.ts';
import { Snapshots } from '../../../../runtime/drivers/container/containerd/gen/services/snapshots_pb.ts';
import { containerCreate } from '../../../kit/container-create.ts';
import { missingForContainerd, startContainerd, type TestContainerd } from '../../../kit/containerd.ts';
import { until } from '../../../kit/until.ts';

const run = promisify(execFile);
const missing = missingForContainerd();
const call = (): Call => ({ key: 'details', signal: new AbortController().signal });
const codeOf = (asked: Promise<unknown>) =>
  asked.then(
    (answer) => `answered ${JSON.stringify(answer)}`,
    (error: unknown) => reasonOf(error).code,
  );
const shell = (script: string) => ['/bin/sh', '-c', script];
const forever = shell('sleep 3600');

describe.skipIf(missing)(`the containerd driver${missing ? `: ${missing}` : ''}`, () => {
  let containerd: TestContainerd;
  let runtime: ContainerdRuntime;
  let count = 0;
  beforeAll(async () => {
    containerd = await startContainerd();
    await containerd.addImage('box:latest');
    await containerd.addImage('box-app:1', { config: { User: 'app', StopSignal: 'SIGUSR1' } });
    await containerd.addImage('box-native:latest', { snapshotter: 'native', marker: 'native' });
    runtime = containerd.runtime({ ioDir: join(containerd.dir, 'io') });
  }, 120_000);
  afterEach(async () => {
    for (const { id } of (await runtime.list({}, call())).containers) await runtime.remove({ id }, call());
  });
  afterAll(() => containerd?.stop(), 60_000);

  const fresh = async (service: Partial<ServiceSpec>): Promise<ContainerCreate> => {
    const create = containerCreate(++count, service);
    return { ...create, ...(await containerd.logFiles(create.id)) };
  };
  const running = async (service: Partial<ServiceSpec>, on = runtime): Promise<ContainerCreate> => {
    const create = await fresh(service);
    await on.create(create, call());
    await on.start({ id: create.id }, call());
    return create;
  };
  const exitOf = (id: string) =>
    until(`the end of ${id}`, async () => (await runtime.inspect({ id }, call())).container?.exit);
  const snapshotsOf = async (snapshotter: string) => {
    const names: string[] = [];
    const stream = containerd.connection.serverStream(
      Snapshots.method.list,
      { snapshotter },
      { timeoutMs: 5_000 },
    );
    for await (const { info } of stream) names.push(...info.map(({ name }) => name));
    return names;
  };
  /** Deleting a lease "in sync" answers when the collection has run. */
  const collectGarbage = async () => {
    const lease = { id: `collect-${++count}` };
    await containerd.connection.unary(Leases.method.create, lease, { timeoutMs: 5_000 });
    await containerd.connection.unary(Leases.method.delete, { ...lease, sync: true }, { timeoutMs: 20_000 });
  };

  test('output goes to two files, and what was in them stays', async () => {
    const { id, stdoutPath, stderrPath } = await running({ command: shell('echo out; echo err >&2') });
    expect(await exitOf(id)).toMatchObject({ code: 0 });
    expect(await readFile(stdoutPath, 'utf8')).toBe('out\n');
    expect(await readFile(stderrPath, 'utf8')).toBe('err\n');
  });

  test('a request without its log files, or with a name for an id, is refused at once', async () => {
    const create = await fresh({ command: forever });
    await rm(create.stderrPath);
    expect(await codeOf(runtime.create(create, call()))).toBe('HM-CONTAINER-CREATE');
    const escaping = { ...(await fresh({ command: forever })), id: '../../escape' };
    expect(await codeOf(runtime.create(escaping, call()))).toBe('HM-CONTAINER-CREATE');
    expect(await codeOf(runtime.start({ id: escaping.id }, call()))).toBe('HM-CONTAINER-UNKNOWN');
    expect(await runtime.remove({ id: escaping.id }, call())).toEqual({});
    expect((await runtime.list({}, call())).containers).toEqual([]);
  });

  test("an image's user is resolved with the image's own files, whichever layer they are in", async () => {
    const { id, stdoutPath } = await running({ image: 'box-app:1', command: ['id'] });
    await exitOf(id);
    expect(await readFile(stdoutPath, 'utf8')).toBe('uid=1000(app) gid=1000(app) groups=2000(extra)\n');
    await collectGarbage();
    expect((await snapshotsOf('overlayfs')).filter((name) => name.includes('view'))).toEqual([]);
  });

  test('exec as another user, known or not', async () => {
    const { id } = await running({ command: forever });
    const as = (user: string) => runtime.run({ id, args: ['id', '-u'], user, terminal: false }, call());
    expect(await as('app')).toEqual({ code: 0, output: '1000\n' });
    expect(await as('4711')).toEqual({ code: 0, output: '4711\n' });
    expect(await codeOf(as('nobody-here'))).toBe('HM-CONTAINER-USER');
  });

  test('a terminal has the size it was given, and takes another', async () => {
    const { id } = await running({ command: forever });
    const size = { columns: 100, rows: 30 };
    const session = await runtime.exec({ id, args: ['sh'], terminal: true, size }, call());
    let output = '';
    session.onOutput((_, bytes) => (output += Buffer.from(bytes).toString('utf8')));
    session.write(Buffer.from('stty size\n'));
    await until('the first size', () => output.includes('30 100'));
    session.resize({ columns: 120, rows: 40 });
    await until('the second size', () => {
      session.write(Buffer.from('stty size\n'));
      return output.includes('40 120');
    });
    session.write(Buffer.from('exit 4\n'));
    expect(await session.exit).toBe(4);
  });

  test("the image's stop signal is the default, the service's goes before it", async () => {
    const command = shell('trap "exit 10" USR1; trap "exit 11" USR2; while :; do sleep 60 & wait; done');
    const image = await running({ image: 'box-app:1', command });
    const service = await running({ image: 'box-app:1', command, stopSignal: 'USR2' });
    for (const [{ id }, code] of [[image, 10] as const, [service, 11] as const]) {
      // The trap is set a moment after the start.
      const exit = until(`${id} heeds its signal`, async () => {
        await runtime.signal({ id }, call());
        return (await runtime.inspect({ id }, call())).container?.exit;
      });
      expect(await exit).toMatchObject({ code });
    }
  });

  test('garbage collection at any moment takes nothing of a container', async () => {
    const creates = await Promise.all(Array.from({ length: 6 }, () => fresh({ command: forever })));
    let over = false;
    const collecting = (async () => {
      while (!over) await collectGarbage();
    })();
    await Promise.all(creates.map((create) => runtime.create(create, call())));
    await collectGarbage();
    await Promise.all(creates.map(({ id }) => runtime.start({ id }, call())));
    over = true;
    await collecting;
    const { containers } = await runtime.list({}, call());
    expect(containers.map(({ phase }) => phase)).toEqual(creates.map(() => 'running'));
  });

  test('nothing stays behind: no snapshot, no pipe, no cgroup, not even the parent', async () => {
    const before = (await snapshotsOf('overlayfs')).sort();
    const { id } = await running({ command: forever });
    await runtime.run({ id, args: ['true'], terminal: false }, call());
    const impatient = new AbortController();
    const hanging = runtime.run(
      { id, args: ['sleep', '3600'], terminal: false },
      { key: 'hanging', signal: impatient.signal },
    );
    await until('the hanging exec', async () => (await processesIn(id)) > 1);
    impatient.abort();
    expect(await codeOf(hanging)).toBe('HM-RUNTIME-TIMEOUT');
    await until('the exec is ended', async () => (await processesIn(id)) === 1);
    // The one of the check that ended serves the next; the killed one's is gone.
    await until('its pipe is gone', async () => (await pipes()).length <= 1);
    await runtime.remove({ id }, call());
    expect((await snapshotsOf('overlayfs')).sort()).toEqual(before);
    expect(await cgroupsOfNode()).toEqual([]);
  });

  const pipes = () => readdir(join(containerd.dir, 'io'));

  test('checks one after the other share a pipe, and none hears what another said', async () => {
    const { id } = await running({ command: forever });
    const check = (script: string) => runtime.run({ id, args: shell(script), terminal: false }, call());
    const both = await check('echo out; echo err >&2; exit 3');
    expect({ ...both, output: both.output.split('\n').sort() }).toEqual({
      code: 3,
      output: ['', 'err', 'out'],
    });
    const [pipe = '', ...more] = await pipes();
    expect(more).toEqual([]);
    expect(await check('true')).toEqual({ code: 0, output: '' });
    expect(await pipes()).toEqual([pipe]);
    await rm(join(containerd.dir, 'io', pipe));
    expect(await check('echo again')).toEqual({ code: 0, output: 'again\n' });
    expect(await pipes()).not.toContain(pipe);
  });

  test('a check of a container that ended meanwhile is refused, also when it was checked before', async () => {
    const { id } = await running({ command: forever });
    const check = () => runtime.run({ id, args: ['true'], terminal: false }, call());
    expect(await check()).toMatchObject({ code: 0 });
    await runtime.kill({ id }, call());
    await exitOf(id);
    expect(await codeOf(check())).toBe('HM-CONTAINER-STOPPED');
  });

  test('a container made anew under an old id is checked as it is now', async () => {
    const create = await fresh({ command: forever, environment: { WHO: 'first' } });
    const said = async (made: ContainerCreate) => {
      await runtime.create(made, call());
      await runtime.start({ id: made.id }, call());
      const { output } = await runtime.run(
        { id: made.id, args: shell('echo $WHO'), terminal: false },
        call(),
      );
      await runtime.remove({ id: made.id }, call());
      return output;
    };
    expect(await said(create)).toBe('first\n');
    const spec = { ...create.spec, environment: { WHO: 'second' } };
    expect(await said({ ...create, spec })).toBe('second\n');
  });

  const processesIn = async (id: string) => (await runtime.stats({ ids: [id] }, call())).stats[0]?.pids ?? 0;
  const cgroupsOfNode = async () => {
    const found: string[] = [];
    for (const name of ['.', ...(await readdir('/sys/fs/cgroup'))]) {
      const inside = await readdir(join('/sys/fs/cgroup', name)).catch((): string[] => []);
      if (inside.includes(containerd.cgroupParent.slice(1))) found.push(name);
    }
    return found;
  };

  test('the native snapshotter serves where overlayfs does not', async () => {
    const native = containerd.runtime({ snapshotter: 'native' });
    expect(await native.info({}, call())).toMatchObject({ snapshotter: 'native' });
    const { id } = await running({ image: 'box-native', command: shell('exit 6') }, native);
    expect(await exitOf(id)).toMatchObject({ code: 6 });
    await runtime.remove({ id }, call());
    expect(await snapshotsOf('native')).not.toContain(id);
  });

  test('a snapshotter that containerd does not have is HM-CONFIG', async () => {
    expect(await codeOf(containerd.runtime({ snapshotter: 'devmapper' }).info({}, call()))).toBe('HM-CONFIG');
  });

  test('an image that is not unpacked for the snapshotter is HM-IMAGE-MISSING', async () => {
    const native = containerd.runtime({ snapshotter: 'native' });
    expect(await codeOf(native.create(await fresh({ image: 'box-app:1' }), call()))).toBe('HM-IMAGE-MISSING');
    expect((await runtime.list({}, call())).containers).toEqual([]);
  });

  test("other people's containers in the namespace are neither listed nor inspected", async () => {
    const ctr = ['--address', containerd.address, '--namespace', containerd.namespace, 'containers'];
    await run('ctr', [...ctr, 'create', 'box:latest', 'foreign', 'true']);
    expect((await runtime.list({}, call())).containers).toEqual([]);
    expect(await runtime.inspect({ id: 'foreign' }, call())).toEqual({});
    await run('ctr', [...ctr, 'rm', 'foreign']);
  });
});
