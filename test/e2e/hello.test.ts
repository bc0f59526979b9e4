/**
 * The hello app as a user has it: deployed by the command line, reached by port and by name, its processes killed one
 * by one, its data kept.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort, missingForDaemon, startDaemon, type TestDaemon } from '../kit/node/daemon.ts';
import { importHelloImages, visitHello, writeHello } from '../kit/node/images.ts';
import { findProcess, findProcesses } from '../kit/node/processes.ts';
import { until } from '../kit/until.ts';

const missing = missingForDaemon();
if (missing) console.log(`skipped: ${missing}`);

describe.skipIf(missing !== undefined)('the hello app', () => {
  let daemon: TestDaemon;
  let hostPort: number;
  let file: string;
  const visits = async (): Promise<number> => (await visitHello(hostPort)).visits;
  /** Pid of a slot's first process, as this machine sees it: by the slot in its environment. */
  const pidOf = async (slot: string): Promise<number> => {
    const { stdout } = await daemon.cli('exec', slot, '--', 'cat', '/proc/sys/kernel/random/boot_id');
    expect(stdout.trim()).not.toBe('');
    return findProcess(daemon, slot);
  };

  beforeAll(async () => {
    daemon = await startDaemon();
    hostPort = await freePort();
    await importHelloImages(daemon);
    file = await writeHello(daemon, hostPort);
  });
  afterAll(async () => {
    await daemon?.end();
  });

  test('deploys with progress, and a second deploy changes nothing', async () => {
    const first = await daemon.cli('deploy', '-f', file);
    expect(first.stderr + first.stdout).toContain('hello/web');
    expect(first.code).toBe(0);
    await daemon.converged('hello');
    const second = await daemon.cli('deploy', '-f', file);
    expect(second.code).toBe(0);
    expect((await daemon.app('hello')).revision).toBe(1);
  });

  test('answers on its published port, from both replicas, and counts in the store', async () => {
    const before = await visits();
    expect(before).toBeGreaterThan(0);
    const seen = new Set<string>();
    await until('both replicas have answered', async () => {
      seen.add(/hello\/web\.\d/.exec((await visitHello(hostPort)).page)?.[0] ?? '');
      return seen.has('hello/web.1') && seen.has('hello/web.2');
    });
    expect(await visits()).toBeGreaterThan(before);
  });

  test('names of the app resolve inside it, and only ready ones', async () => {
    const { stdout, code } = await daemon.cli(
      'exec',
      'hello/web.1',
      '--',
      'nslookup',
      'store.hello.hive.internal',
    );
    expect(code).toBe(0);
    const address = (await daemon.slots()).find((slot) => slot.slot === 'hello/store.1')?.address;
    expect(stdout).toContain(address);
    const short = await daemon.cli('exec', 'hello/web.1', '--', 'sh', '-c', 'echo PING | nc store 6379');
    expect(short.stdout).toContain('+PONG');
  });

  test.each(['hello/web.1', 'hello/web.2', 'hello/store.1'])(
    'kill -9 of %s: it is back, its neighbours untouched, its data kept',
    async (slot) => {
      const before = await daemon.slots();
      const counted = await visits();
      process.kill(await pidOf(slot), 'SIGKILL');
      await until('the slot has restarted', async () =>
        (await daemon.slots()).find(
          (one) => one.slot === slot && one.restarts > (before.find((b) => b.slot === slot)?.restarts ?? 0),
        ),
      );
      await daemon.converged('hello');
      const after = await daemon.slots();
      for (const other of before.filter((one) => one.slot !== slot)) {
        expect(after.find((one) => one.slot === other.slot)?.containerId).toBe(other.containerId);
      }
      await until('the count goes on', async () => (await visits().catch(() => 0)) > counted);
    },
  );

  test('exec passes the exit code through, ps, logs, why and events say what happened', async () => {
    expect((await daemon.cli('exec', 'hello/web.1', '--', 'sh', '-c', 'exit 42')).code).toBe(42);
    const ps = await daemon.cli('ps');
    expect(ps.stdout).toMatch(/^NAME/);
    expect(ps.stdout).toContain('hello/store.1');
    const logs = await daemon.cli('logs', 'hello/store.1');
    expect(logs.stdout).toContain('Ready to accept connections');
    const events = await daemon.cli('events');
    expect(events.stdout).toContain('container.exited');
    const why = await daemon.cli('why', 'hello/web.1');
    expect(why.code).toBe(0);
    const tree = await daemon.cli('actor', 'tree');
    expect(tree.stdout).toContain('web.1');
    expect((await daemon.cli('doctor')).stdout).toContain('containerd');
  });

  test('scales up and down', async () => {
    expect((await daemon.cli('scale', 'hello/web=3')).code).toBe(0);
    await until(
      'three replicas are ready',
      async () => (await daemon.app('hello')).services.find((s) => s.name === 'web')?.ready === 3,
    );
    expect((await daemon.cli('scale', 'hello/web=1')).code).toBe(0);
    await until(
      'one replica is left',
      async () => (await daemon.slots()).filter((slot) => slot.service === 'web').length === 1,
    );
    await daemon.cli('scale', 'hello/web=2');
    await daemon.converged('hello');
  });

  test('restart places anew, one replica after the other', async () => {
    const before = (await daemon.slots()).filter((slot) => slot.service === 'web');
    expect((await daemon.cli('restart', 'hello/web')).code).toBe(0);
    await until(
      'both have a new placement',
      async () => {
        const now = (await daemon.slots()).filter((slot) => slot.service === 'web');
        return before.every((old) =>
          now.some(
            (slot) => slot.slot === old.slot && slot.placement > old.placement && slot.readiness === 'ready',
          ),
        );
      },
      60_000,
    );
  });

  test('stopping the daemon leaves the containers, and the next one adopts them', async () => {
    const before = await daemon.slots();
    expect(await daemon.stop('SIGTERM')).toBe(0);
    expect(daemon.log()).toContain('still run');
    expect(findProcess(daemon, 'hello/store.1')).toBeGreaterThan(0);
    await daemon.start();
    const after = await daemon.converged('hello');
    expect(new Set(after.slots.map((slot) => slot.status?.containerId))).toEqual(
      new Set(before.map((slot) => slot.containerId)),
    );
  });

  test('rm removes containers and, when asked, the volume', async () => {
    expect((await daemon.cli('rm', 'hello', '--volumes', '--yes')).code).toBe(0);
    await until('the app is gone', async () => (await daemon.slots()).length === 0);
    await until('its process is gone', () => findProcesses(daemon, 'hello/store.1').length === 0);
  });
});
