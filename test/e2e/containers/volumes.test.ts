/** Volumes that nobody named, on a real node: they stay over a new container of their replica, and go with `rm --volumes`. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeBusyboxArchive } from '../../kit/busybox-image.ts';
import { missingForDaemon, startDaemon, type TestDaemon } from '../../kit/node/daemon.ts';

const missing = missingForDaemon();
if (missing) console.log(`skipped: ${missing}`);

describe.skipIf(missing !== undefined)('volumes without a name', () => {
  let daemon: TestDaemon;
  beforeAll(async () => {
    daemon = await startDaemon();
    const archive = join(daemon.dir, 'box.tar');
    await writeBusyboxArchive(archive, { name: 'box:1', config: { Volumes: { '/tmp': {}, '/own': {} } } });
    expect((await daemon.cli('image', 'import', archive)).code).toBe(0);
  }, 120_000);
  afterAll(() => daemon?.end(), 120_000);

  const sh = async (slot: string, script: string): Promise<string> => {
    const { code, stdout, stderr } = await daemon.cli('exec', slot, '--', 'sh', '-c', script);
    if (code !== 0) throw new Error(stderr);
    return stdout.trim();
  };
  const volumes = async (): Promise<readonly string[]> => {
    const { stdout } = await daemon.cli('volume', 'ls', '--json=name,usedBy');
    const rows = JSON.parse(stdout) as { name: string; usedBy: string[] }[];
    return rows.map(({ name, usedBy }) => `${name.replace(/[0-9a-f]{12}$/, 'x')} ${usedBy.join()}`).sort();
  };

  test('of the file and of the image', async () => {
    const web = `{ image: "box:1", command: [sleep, '1000'], stop_signal: SIGKILL, volumes: [/data] }`;
    await writeFile(join(daemon.dir, 'a.yaml'), `name: a\nservices: { web: ${web} }\n`);
    expect((await daemon.cli('deploy', '-f', 'a.yaml', '--progress', 'quiet')).code).toBe(0);
    await sh('a/web.1', 'for at in data own tmp; do echo $at > /$at/file; done');
    expect(await volumes()).toEqual(['a/web.1.x a/web.1', 'a/web.1.x a/web.1', 'a/web.1.x a/web.1']);
    // As the image has it there.
    expect(await sh('a/web.1', '/bin/busybox stat -c %a /tmp')).toBe('1777');

    expect((await daemon.cli('restart', 'a/web')).code).toBe(0);
    await daemon.converged('a');
    expect(await sh('a/web.1', 'cat /data/file /own/file /tmp/file')).toBe('data\nown\ntmp');

    expect((await daemon.cli('scale', 'a/web=2')).code).toBe(0);
    await daemon.converged('a');
    expect(await sh('a/web.2', 'cat /data/file /own/file || echo none')).toBe('none');
    const used = (await daemon.cli('volume', 'ls', '-o', 'name')).stdout.split('\n')[0]!;
    expect(await daemon.cli('volume', 'rm', used, '--yes')).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('is mounted by a/web.1') as string,
    });
  });

  test('stay over a removal, and go when volumes are to go', async () => {
    expect((await daemon.cli('rm', 'a', '--yes')).code).toBe(0);
    expect(await volumes()).toHaveLength(6);
    expect((await daemon.cli('deploy', '-f', 'a.yaml', '--progress', 'quiet')).code).toBe(0);
    expect(await sh('a/web.1', 'cat /data/file')).toBe('data');
    expect((await daemon.cli('rm', 'a', '--volumes', '--yes')).code).toBe(0);
    expect(await volumes()).toEqual([]);
    const { stdout } = await daemon.cli('events', '--json', '--limit', '100');
    expect(stdout.match(/"volume\.removed"/g)).toHaveLength(6);
  });
});
