/**
 * The daemon and containerd killed at bad moments, for real: kill −9 of `hivemind-node` at ten random moments of a
 * deploy; containerd killed and frozen. Afterwards everything is as wished: nothing doubled, nothing lost, data kept.
 * The simulation does this thousands of times; here the disks, sockets and processes are real.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort, missingForDaemon, startDaemon, type TestDaemon } from '../kit/node/daemon.ts';
import { importHelloImages, visitHello, writeHello } from '../kit/node/images.ts';
import { findProcess, findProcesses } from '../kit/node/processes.ts';
import { until } from '../kit/until.ts';

const missing = missingForDaemon();
if (missing) console.log(`skipped: ${missing}`);

describe.skipIf(missing !== undefined)('crashes', () => {
  let daemon: TestDaemon;
  let hostPort: number;
  let file: string;
  /** Transitions of a deploy. */
  let whole: number;
  const slots = ['hello/web.1', 'hello/web.2', 'hello/store.1'];
  const visits = async (): Promise<number> => (await visitHello(hostPort)).visits;
  const pidOf = (slot: string): number => findProcess(daemon, slot);
  const once = (): void => {
    for (const slot of slots) expect([slot, findProcesses(daemon, slot).length]).toEqual([slot, 1]);
  };

  beforeAll(async () => {
    daemon = await startDaemon();
    hostPort = await freePort();
    await importHelloImages(daemon);
    file = await writeHello(daemon, hostPort);
    // One that nobody disturbs: the moments spread over all of it.
    const transcript = await daemon.transcript();
    expect((await daemon.cli('deploy', '-f', file)).code).toBe(0);
    await daemon.converged('hello');
    whole = transcript.seen();
    transcript.close();
  });
  afterAll(async () => {
    await daemon?.end();
  });

  test.each(Array.from({ length: 10 }, (_, at) => at))(
    'kill -9 of the daemon in a deploy, moment %i of 10',
    async (moment) => {
      expect((await daemon.cli('rm', 'hello', '--yes')).code).toBe(0);
      await until('the app is gone', async () => (await daemon.slots()).length === 0, 60_000);
      const transcript = await daemon.transcript();
      const deploy = daemon.cli('deploy', '-f', file, '--detach');
      // No two deploys have quite as many: at the latest when it has settled.
      const settled = deploy.then(() => daemon.converged('hello')).catch(() => undefined);
      await Promise.race([transcript.reached((whole * (moment + Math.random())) / 10), settled]);
      await daemon.stop('SIGKILL');
      transcript.close();
      await deploy;
      await daemon.start();
      // The command may have been cut off before it was accepted: a user types it again.
      expect((await daemon.cli('deploy', '-f', file)).code).toBe(0);
      await daemon.converged('hello');
      once();
    },
  );

  test('kill -9 of an idle daemon: every container is adopted, none restarted', async () => {
    await daemon.converged('hello');
    const before = slots.map(pidOf);
    await daemon.stop('SIGKILL');
    expect(slots.map(pidOf)).toEqual(before);
    await daemon.start();
    await daemon.converged('hello');
    expect(slots.map(pidOf)).toEqual(before);
    expect((await daemon.slots()).map((slot) => slot.restarts)).toEqual([0, 0, 0]);
  });

  test('a daemon that starts anew refuses no visitor of what runs', async () => {
    await daemon.stop('SIGKILL');
    const refused: unknown[] = [];
    let visiting = true;
    const visitor = (async () => {
      while (visiting) await visits().catch((thrown: unknown) => refused.push(thrown));
    })();
    await daemon.start();
    await daemon.converged('hello');
    visiting = false;
    await visitor;
    expect(refused).toEqual([]);
  });

  test('containerd is killed: containers run on, a new containerd is started, and a later crash is healed', async () => {
    await daemon.converged('hello');
    // A daemon that has just started may hold all for ready a moment before its name server answers.
    const counted = await until('the page counts', visits);
    const before = slots.map(pidOf);
    process.kill(daemon.containerdPid(), 'SIGKILL');
    expect(await visits()).toBeGreaterThan(counted);
    await until(
      'containerd answers again',
      async () => (await daemon.cli('doctor')).stdout.match(/containerd.*1\.|containerd.*2\./),
      60_000,
    );
    expect(slots.map(pidOf)).toEqual(before);
    process.kill(findProcess(daemon, 'hello/web.1'), 'SIGKILL');
    await until(
      'the killed container is back',
      () => findProcesses(daemon, 'hello/web.1').some((pid) => !before.includes(pid)),
      60_000,
    );
    await daemon.converged('hello');
    once();
    await until('the count goes on', async () => (await visits().catch(() => 0)) > counted);
  });

  test('containerd hangs: containers and API go on, trouble is said, and it heals when it wakes', async () => {
    const before = slots.map(pidOf);
    process.kill(daemon.containerdPid(), 'SIGSTOP');
    try {
      const findings = await until('doctor says that containerd hangs', async () => {
        const { stdout } = await daemon.cli('doctor');
        return stdout.includes('HM-RUNTIME') ? stdout : undefined;
      });
      expect(findings).toContain('containerd');
      expect(await visits()).toBeGreaterThan(0);
      expect((await daemon.cli('ps')).code).toBe(0);
    } finally {
      process.kill(daemon.containerdPid(), 'SIGCONT');
    }
    await until(
      'doctor is content',
      async () => !(await daemon.cli('doctor')).stdout.includes('HM-RUNTIME'),
      60_000,
    );
    await daemon.converged('hello', 90_000);
    expect(slots.map(pidOf)).toEqual(before);
  });
});
