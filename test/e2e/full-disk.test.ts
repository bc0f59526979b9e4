/**
 * The disk of the data folder runs full under a working node: what runs goes on, what is asked for is refused with a
 * code and the next step, nothing is lost, and with space it all works again. The disk is a small tmpfs.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { missingForDaemon, startDaemon, type TestDaemon } from '../kit/node/daemon.ts';
import { importHelloImages } from '../kit/node/images.ts';
import { findProcess } from '../kit/node/processes.ts';
import { until } from '../kit/until.ts';

const missing = missingForDaemon();
if (missing) console.log(`skipped: ${missing}`);

describe.skipIf(missing !== undefined)('a full disk', () => {
  let mount: string;
  let daemon: TestDaemon;
  const filler = (): string => join(mount, 'filler');
  const deploy = async (name: string, timeout = '10s') => {
    const file = join(daemon.dir, `${name}.yaml`);
    await writeFile(
      file,
      `services:\n  a:\n    image: hello-web\n    entrypoint: ['sleep', '1000']\n    restart: always\n    stop_grace_period: 0s\n`,
    );
    return daemon.cli('deploy', '-f', file, '-p', name, '--timeout', timeout);
  };

  beforeAll(async () => {
    mount = mkdtempSync(join(tmpdir(), 'hm-full-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256m', 'tmpfs', mount]);
    mkdirSync(join(mount, 'data'));
    daemon = await startDaemon({ dataDir: join(mount, 'data') });
    await importHelloImages(daemon);
    expect((await deploy('steady')).code).toBe(0);
  });
  afterAll(async () => {
    if (mount) rmSync(filler(), { force: true });
    await daemon?.end();
    if (mount) {
      execFileSync('umount', [mount]);
      rmSync(mount, { recursive: true, force: true });
    }
  });

  test('refuses with HM-DISK-FULL, stops nothing, and heals', async () => {
    const pid = findProcess(daemon, 'steady/a.1');
    fill(filler());
    const refused = await deploy('late', '2s');
    expect(refused.code).not.toBe(0);
    await until('the reason is said', async () =>
      `${refused.stderr}${(await daemon.cli('why', 'late/a.1')).stdout}${(await daemon.cli('events', '-o', 'jsonl')).stdout}`.includes(
        'HM-DISK-FULL',
      ),
    );
    expect(findProcess(daemon, 'steady/a.1')).toBe(pid);
    expect((await daemon.cli('ps')).stdout).toContain('steady/a.1');
    rmSync(filler());
    await until('the deploy is taken', async () => (await deploy('late')).code === 0, 60_000);
    await daemon.converged('late');
    expect(findProcess(daemon, 'steady/a.1')).toBe(pid);
  });

  test('a process that dies while the disk is full is started again once there is space', async () => {
    const before = findProcess(daemon, 'steady/a.1');
    fill(filler());
    process.kill(before, 'SIGKILL');
    await until('its end is known', async () =>
      (await daemon.slots()).some((slot) => slot.slot === 'steady/a.1' && slot.phase !== 'running'),
    );
    rmSync(filler());
    await until(
      'it runs again',
      async () =>
        (await daemon.slots()).some((slot) => slot.slot === 'steady/a.1' && slot.phase === 'running'),
      60_000,
    );
    expect(findProcess(daemon, 'steady/a.1')).not.toBe(before);
  });
});

/** To the last byte. */
function fill(path: string): void {
  const file = openSync(path, 'w');
  try {
    for (let size = 1 << 20; size >= 1; size = Math.floor(size / 4)) {
      const chunk = Buffer.alloc(size);
      try {
        for (;;) writeSync(file, chunk);
      } catch (thrown) {
        if ((thrown as NodeJS.ErrnoException).code !== 'ENOSPC') throw thrown;
      }
    }
  } finally {
    closeSync(file);
  }
}
