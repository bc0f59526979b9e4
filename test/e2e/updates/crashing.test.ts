/**
 * An update of a service without any health check whose new revision crashes: one replica is lost, the others serve on
 * as the same processes, everything says so, and every way on works: a mended file, a rollback, a daemon killed
 * meanwhile.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { getJson, missingForDaemon, startDaemon, type TestDaemon } from '../../kit/node/daemon.ts';
import { importHelloImages } from '../../kit/node/images.ts';
import { until } from '../../kit/until.ts';

const missing = missingForDaemon();
if (missing) console.log(`skipped: ${missing}`);

const serves = 'exec sleep 3600';
const restarts = '    restart: always';

/** How a service says its command, by runtime. */
const says = {
  containerd: (command: string) => ['    image: hello-web', `    entrypoint: [/bin/sh, -c, '${command}']`],
  process: (command: string) => [`    x-hivemind: { process: { command: [/bin/sh, -c, '${command}'] } }`],
};

describe.skipIf(missing !== undefined).each(['process', 'containerd'] as const)(
  'three replicas that nothing probes, run by %s',
  (runtime) => {
    let daemon: TestDaemon;
    let version = 0;
    const write = async (command: string, more: readonly string[] = [restarts]) => {
      version += 1;
      const text = [
        'name: roll',
        'services:',
        '  web:',
        ...says[runtime](command),
        `    environment: { VERSION: '${version}' }`,
        '    deploy: { replicas: 3 }',
        ...more,
        '',
      ];
      const file = join(daemon.dir, 'roll.yaml');
      await writeFile(file, text.join('\n'));
      return file;
    };
    const deploy = async (command: string, more?: readonly string[]) =>
      daemon.cli('deploy', '-f', await write(command, more), '--progress', 'plain');
    /** Pids of a replica. */
    const pids = async (index: number) => {
      const path = `/v1/containers/roll%2Fweb.${index}/processes`;
      const { processes } = await getJson<{ processes: { pid: number }[] }>(daemon.socketPath, path);
      return processes.map(({ pid }) => pid);
    };
    const others = async () => [await pids(2), await pids(3)];
    const revision = async () => (await daemon.app('roll')).revision;
    const placements = async () => (await daemon.slots()).map(({ placement }) => placement);

    /** Three serve, as every test leaves them. */
    const well = async () => {
      await daemon.converged('roll');
      return { good: await revision(), before: await others() };
    };

    beforeAll(async () => {
      daemon = await startDaemon(runtime === 'process' ? { runtime } : {});
      if (runtime === 'containerd') await importHelloImages(daemon);
      expect(await deploy(serves)).toMatchObject({ code: 0 });
    }, 120_000);
    afterAll(async () => {
      await daemon?.end();
    }, 120_000);

    test.each([
      ['at once', 'echo broken; exit 3', [restarts]],
      ['and may not start again', 'echo broken; exit 3', []],
    ])('crashes %s: the others serve on, it is told, a mended file goes on', async (_, command, more) => {
      const { good, before } = await well();
      const { code, stderr } = await deploy(command, more);
      expect(code).toBe(1);
      expect(stderr).toMatch(/✗ roll\/web\.1: .*exited with code 3.* {2}HM-/);
      expect(stderr).toContain('        broken');
      expect(stderr).toContain(`roll/web.2 and roll/web.3 serve on as rev ${good}.`);
      expect(stderr).toContain(`To what ran before: hivemind rollback roll ${good}`);
      expect(await others()).toEqual(before);
      const held = 'goes on as it is, because roll/web.1 fails';
      const { stdout: why } = await daemon.cli('why', 'roll');
      expect(why).toContain(held);
      expect(why).toContain(`hivemind rollback roll ${good}`);
      expect((await daemon.cli('ps')).stdout).toContain(held);
      expect((await daemon.cli('status', 'roll')).stdout).toMatch(/^web +[23]\/3/m);
      // It is replaced before the others, which follow it.
      const last = await placements();
      expect(await deploy(serves)).toMatchObject({ code: 0 });
      expect(await placements()).toEqual(last.map((placement) => placement + 1));
      expect((await daemon.cli('why', 'roll')).stdout).toContain('as wished');
    });

    test('rollback: only what was replaced is replaced; once more goes forth again, and a number back', async () => {
      const { good, before } = await well();
      expect(await deploy('exit 3')).toMatchObject({ code: 1 });
      const back = await daemon.cli('rollback', 'roll');
      expect(back).toMatchObject({ code: 0, stdout: expect.stringContaining(`(as rev ${good})`) });
      expect(await others()).toEqual(before);
      const forth = await daemon.cli('rollback', 'roll');
      expect(forth).toMatchObject({ code: 1, stderr: expect.stringContaining(`(as rev ${good + 1})`) });
      expect(await others()).toEqual(before);
      expect(await daemon.cli('rollback', 'roll', String(good))).toMatchObject({ code: 0 });
      expect(await others()).toEqual(before);
      expect(await revision()).toBe(good + 4);
    });

    test.skipIf(runtime === 'process')(
      'rollback of what waits for an image: nothing that serves is touched',
      async () => {
        const { good, before } = await well();
        const first = await pids(1);
        const file = await write(serves);
        const text = 'name: roll\nservices: { web: { image: "r.test/none:1", deploy: { replicas: 3 } } }\n';
        await writeFile(file, text);
        const waits = await daemon.cli('deploy', '-f', file, '--progress', 'plain', '--timeout', '20s');
        expect(waits.code).not.toBe(0);
        expect((await daemon.cli('status', 'roll')).stdout).toMatch(/^web +3\/3/m);
        expect(await daemon.cli('rollback', 'roll', String(good), '--timeout', '60s')).toMatchObject({
          code: 0,
        });
        expect(await others()).toEqual(before);
        expect(first).toHaveLength(1);
      },
    );

    test('rollback in the middle of a roll-out, and the daemon killed in the middle of that', async () => {
      const { before } = await well();
      await daemon.cli('deploy', '-f', await write(serves), '--detach');
      await until(
        'the first is replaced',
        async () => (await daemon.slots())[0]?.revision === (await revision()),
      );
      expect((await others())[1]).toEqual(before[1]);
      expect((await daemon.cli('rollback', 'roll', '--detach')).code).toBe(0);
      await daemon.stop('SIGKILL');
      await daemon.start();
      await daemon.converged('roll');
      expect((await others())[1]).toEqual(before[1]);
    });

    test('the daemon is killed while a crashing revision is held: afterwards it still is', async () => {
      const { good, before } = await well();
      expect(await deploy('sleep 1; exit 3')).toMatchObject({ code: 1 });
      for (let kills = 0; kills < 3; kills++) {
        await daemon.stop('SIGKILL');
        await daemon.start();
        await until('it is told again', async () =>
          (await daemon.cli('why', 'roll')).stdout.includes('because roll/web.1 fails'),
        );
      }
      expect(await others()).toEqual(before);
      expect(await daemon.cli('rollback', 'roll', String(good))).toMatchObject({ code: 0 });
      expect(await others()).toEqual(before);
    });
  },
);
