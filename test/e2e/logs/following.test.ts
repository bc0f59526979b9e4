/**
 * Logs on a real node: followed over the death of the daemon and of the container without a number missing or twice,
 * kept as the service says, read after the app is gone.
 */
import { statSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { missingForDaemon, startDaemon, type TestDaemon } from '../../kit/node/daemon.ts';
import { followLogs } from '../../kit/node/following.ts';
import { importBusybox } from '../../kit/node/images.ts';
import { findProcess } from '../../kit/node/processes.ts';
import { until } from '../../kit/until.ts';

const missing = missingForDaemon();
if (missing) console.log(`skipped: ${missing}`);

const last = 10_000;
const half = last / 2;
/** Waits in the middle, however busy the machine is, until there is a file; in the end it is quiet. */
const counter =
  `sleep 1; i=0; while [ $$i -lt ${last} ]; do i=$$((i+1)); echo $$i; [ $$((i % 100)) = 0 ] && sleep 0.03; ` +
  `[ $$i = ${half} ] && until [ -e /go/on ]; do sleep 0.05; done; done; sleep 1000`;
const numbers = (to: number): number[] => Array.from({ length: to }, (_, nth) => nth + 1);

describe.skipIf(missing !== undefined)('logs', () => {
  let daemon: TestDaemon;
  beforeAll(async () => {
    daemon = await startDaemon();
    await importBusybox(daemon);
  });
  afterAll(() => daemon?.end());

  const deploy = async (app: string, services: string): Promise<void> => {
    const file = join(daemon.dir, `${app}.yaml`);
    await writeFile(file, `services:\n${services}`);
    const { code, stderr } = await daemon.cli('deploy', '-f', file, '-p', app, '--detach');
    expect([code, stderr]).toEqual([0, expect.any(String)]);
  };

  /** Counts to the half; answers what lets it go on. */
  const deployCounter = async (app: string): Promise<() => Promise<void>> => {
    const folder = join(daemon.dir, `${app}-go`);
    await mkdir(folder);
    const lines = ['  web:', '    image: busybox', '    restart: always', '    stop_grace_period: 0s'];
    const more = [`    volumes: ['${folder}:/go']`, `    command: [sh, -c, '${counter}']`, ''];
    await deploy(app, [...lines, ...more].join('\n'));
    return () => writeFile(join(folder, 'on'), '');
  };

  test('followed while the node is killed at 3 000, and the container with it', async () => {
    const goOn = await deployCounter('count');
    await until('it runs', async () => (await daemon.slots()).some(({ phase }) => phase === 'running'));
    const seen: number[] = [];
    const following = followLogs(daemon.socketPath, ['count/web', '-n', '10000'], (text) =>
      seen.push(Number(text)),
    );
    await until('3 000 is there', () => seen.includes(3_000), 60_000);
    await daemon.stop('SIGKILL');
    process.kill(findProcess(daemon, 'count/web.1'), 'SIGKILL');
    await goOn();
    await daemon.start();
    await until('the next run has counted to its end', () => seen.at(-1) === last, 60_000);
    await following.stop();
    const first = seen.indexOf(1, 1);
    expect(first).toBeGreaterThanOrEqual(3_000);
    expect(seen.slice(0, first)).toEqual(numbers(first));
    expect(seen.slice(first)).toEqual(numbers(last));
    expect(following.told()).toContain('-- connected again');
    expect(following.told()).toContain('count/web.1 ── restarted (#1 after exit 137) ──');
  });

  test('followed while only the daemon is killed: the container counts on, and nothing is missing', async () => {
    const goOn = await deployCounter('on');
    await until('it runs', async () =>
      (await daemon.slots()).some(({ slot, phase }) => slot === 'on/web.1' && phase === 'running'),
    );
    const seen: number[] = [];
    const following = followLogs(daemon.socketPath, ['on/web', '-n', '10000'], (text) =>
      seen.push(Number(text)),
    );
    await until('the middle is there', () => seen.length >= 2_000, 60_000);
    await daemon.stop('SIGKILL');
    await goOn();
    await daemon.start();
    await until('all is there', () => seen.at(-1) === last, 60_000);
    await following.stop();
    expect(seen).toEqual(numbers(last));
    expect(following.told()).not.toContain('restarted');
  });

  test('kept as the service says; readable after the app is gone, by the exact name', async () => {
    const shout = "sh, -c, 'echo out; echo err >&2; sleep 1000'";
    await deploy(
      'kept',
      `  mute:\n    image: busybox\n    stop_grace_period: 0s\n    logging: { driver: none }\n    command: [${shout}]\n` +
        `  loud:\n    image: busybox\n    stop_grace_period: 0s\n    logging: { options: { max-size: 1m } }\n` +
        `    command: [sh, -c, 'busybox seq 1 300000; sleep 1000']\n`,
    );
    await daemon.converged('kept');
    const mute = await daemon.cli('logs', 'kept/mute');
    expect([mute.code, mute.stdout]).toEqual([expect.any(Number), '']);
    expect(mute.stderr).toContain('HM-LOGS-NONE');
    await until('the end is there', async () =>
      (await daemon.cli('logs', 'kept', '-n', '1')).stdout.includes('300000'),
    );
    // 2 MB were said, 1 MB is kept.
    const [run] = (await daemon.slots()).filter(({ slot }) => slot === 'kept/loud.1');
    const path = join(daemon.dataDir, 'runs/kept%2Floud.1', `${run!.placement}.${run!.run}`, 'stdout');
    await until('old bytes are given back', () => statSync(path).blocks * 512 < 1_200_000);
    expect(statSync(path).size).toBeGreaterThan(1_900_000);
    const kept = (await daemon.cli('logs', 'kept/loud', '-n', '1000')).stdout.trimEnd().split('\n');
    expect(kept).toEqual(numbers(300_000).slice(-1_000).map(String));
    expect((await daemon.cli('rm', 'kept', '--yes')).code).toBe(0);
    await until('it is gone', async () => (await daemon.slots()).every(({ app }) => app !== 'kept'));
    expect((await daemon.cli('logs', 'kept/loud.1', '-n', '2')).stdout).toBe('299999\n300000\n');
    await daemon.stop('SIGTERM');
    await daemon.start();
    expect((await daemon.cli('logs', 'kept/loud.1', '-n', '1')).stdout).toBe('300000\n');
    expect((await daemon.cli('logs', 'kept/loud')).stderr).toContain('HM-TARGET-UNKNOWN');
  });
});
