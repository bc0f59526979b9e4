/** What only real folders can show: links that lead elsewhere, modes, what an earlier boot left. */
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { VolumeDriver } from '../../../../protocols/ports.ts';
import { createDirectoryVolumes, runFolders } from '../../../../runtime/drivers/volume/directory.ts';
import { newCall, refusal } from '../../../kit/port-call.ts';
import { realClock } from '../../../kit/containerd.ts';

let root: string;
let dataDir: string;
let volumes: VolumeDriver;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'hm-folders-'));
  dataDir = join(root, 'node');
  await mkdir(dataDir);
  volumes = createDirectoryVolumes({ dataDir, clock: realClock });
});
afterEach(() => rm(root, { recursive: true }));

it('removes nothing behind a link in place of an app', async () => {
  const outside = join(root, 'outside');
  await mkdir(join(outside, 'db'), { recursive: true });
  await writeFile(join(outside, 'db', 'rows'), 'one');
  await mkdir(join(dataDir, 'volumes'));
  await symlink(outside, join(dataDir, 'volumes', 'shop'));
  const refused = await refusal(volumes.remove({ app: 'shop', volume: 'db' }, newCall()));
  expect(refused.code).toBe('HM-VOLUME-DRIVER');
  expect(refused.message).toContain(outside);
  expect(await readFile(join(outside, 'db', 'rows'), 'utf8')).toBe('one');
});

it('removes the link, not what it leads to, where a volume lies on another disk', async () => {
  const elsewhere = join(root, 'elsewhere');
  await mkdir(elsewhere);
  await writeFile(join(elsewhere, 'rows'), 'one');
  await mkdir(join(dataDir, 'volumes', 'shop'), { recursive: true });
  await symlink(elsewhere, join(dataDir, 'volumes', 'shop', 'db'));
  expect(await volumes.ensure({ app: 'shop', volume: 'db' }, newCall())).toEqual({
    path: join(dataDir, 'volumes', 'shop', 'db'),
  });
  await volumes.remove({ app: 'shop', volume: 'db' }, newCall());
  expect(await readFile(join(elsewhere, 'rows'), 'utf8')).toBe('one');
  expect(await readdir(join(dataDir, 'volumes'))).toEqual([]);
});

it('removes what a container linked to inside its volume as links', async () => {
  await writeFile(join(root, 'secret'), 'kept');
  const { path } = await volumes.ensure({ app: 'shop', volume: 'db' }, newCall());
  await symlink(root, join(path, 'up'));
  await volumes.remove({ app: 'shop', volume: 'db' }, newCall());
  expect(await readFile(join(root, 'secret'), 'utf8')).toBe('kept');
});

it('lets every user of the container read its names, and nobody else its logs, under any umask', async () => {
  const before = process.umask(0o077);
  try {
    const files = await volumes.prepareRun({ slot: 'shop/web.2', run: '7.3', hostname: 'web-2' }, newCall());
    for (const { source } of files.mounts) expect((await stat(source)).mode & 0o777).toBe(0o644);
    expect((await stat(files.stdoutPath)).mode & 0o777).toBe(0o600);
  } finally {
    process.umask(before);
  }
});

it('finds the runs of earlier boots, and minds no strangers among them', async () => {
  expect(await runFolders(dataDir)).toEqual([]);
  const files = await volumes.prepareRun({ slot: 'shop/web.2', run: '7.3', hostname: 'web-2' }, newCall());
  await mkdir(join(dataDir, 'runs', '%zz', '1.1'), { recursive: true });
  await writeFile(join(dataDir, 'runs', 'note'), '');
  expect(await runFolders(dataDir)).toEqual([
    { slot: 'shop/web.2', run: '7.3', folder: join(files.stdoutPath, '..') },
  ]);
});

it('names the path and the cause of what the file system refuses', async () => {
  await writeFile(join(dataDir, 'volumes'), 'not a folder');
  const refused = await refusal(volumes.ensure({ app: 'shop', volume: 'db' }, newCall()));
  expect(refused).toMatchObject({ code: 'HM-VOLUME-DRIVER', evidence: { error: 'ENOTDIR' } });
  await chmod(join(dataDir, 'volumes'), 0o600);
  expect((await refusal(volumes.list({}, newCall()))).code).toBe('HM-VOLUME-DRIVER');
});
