/** Granted files on real memory under their conformance suite; and that it is memory. Needs root: it mounts. */
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createTmpfsGrants, removeAllGrants } from '../../../runtime/drivers/grants/tmpfs-grants.ts';
import { realClock } from '../../../runtime/world/real-clock.ts';
import { newCall, refusal } from '../../kit/port-call.ts';
import { grantFilesConformance, movableClock } from './suite.ts';

const isRoot = process.getuid?.() === 0;

describe.runIf(isRoot)('on real memory', () => {
  grantFilesConformance('tmpfs', async (unseal) => {
    const dir = await mkdtemp(join(tmpdir(), 'hm-grants-'));
    const folder = join(dir, 'grants');
    const { clock, age } = movableClock();
    const open = () => createTmpfsGrants({ folder, clock, unseal });
    return {
      grants: open(),
      again: open,
      see: async (source, below) => {
        const path = join(source, below);
        const found = await stat(path).catch(() => undefined);
        if (!found) return undefined;
        const { mode, uid, gid } = found;
        return { text: await readFile(path, 'utf8'), mode: mode & 0o7777, uid, gid };
      },
      holders: async () => (await readdir(folder).catch(() => [])).sort((a, b) => (a < b ? -1 : 1)),
      age,
      close: async () => {
        await removeAllGrants(folder, newCall());
        await rm(dir, { recursive: true });
      },
    };
  });

  it('is a tmpfs that only root enters, and a purge unmounts it', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'hm-grants-'));
    const folder = join(dir, 'grants');
    const unseal = () => Promise.resolve(Buffer.from('x'));
    const grants = createTmpfsGrants({ folder, clock: realClock, unseal });
    const files = [{ kind: 'secret' as const, source: 's', target: '/run/secrets/s' }];
    await grants.place({ id: 'c-1', files, owner: { uid: 0, gid: 0 } }, newCall());
    const mount = (await readFile('/proc/self/mountinfo', 'utf8'))
      .split('\n')
      .find((line) => line.includes(`${folder}/c-1 `));
    expect(mount).toMatch(/nosuid,nodev,noexec.* - tmpfs /);
    expect((await stat(`${folder}/c-1`)).mode & 0o777).toBe(0o700);
    await removeAllGrants(folder, newCall());
    expect(await readFile('/proc/self/mountinfo', 'utf8')).not.toContain(folder);
    await rm(dir, { recursive: true });
  });

  it('is refused where nothing can be mounted', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'hm-grants-'));
    await writeFile(join(dir, 'file'), '');
    const unseal = () => Promise.resolve(Buffer.from('x'));
    const grants = createTmpfsGrants({ folder: join(dir, 'file'), clock: realClock, unseal });
    const files = [{ kind: 'secret' as const, source: 's', target: '/run/secrets/s' }];
    const because = await refusal(grants.place({ id: 'c-1', files, owner: { uid: 0, gid: 0 } }, newCall()));
    expect(because).toMatchObject({ code: 'HM-SECRET-TMPFS', evidence: { error: 'ENOTDIR' } });
    await rm(dir, { recursive: true });
  });
});
