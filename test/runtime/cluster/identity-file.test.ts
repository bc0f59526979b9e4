/** The file that makes a node who it is: made once, the same ever after, and refused when it is not whole. */
import { chmod, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { reasonOf } from '../../../protocols/errors.ts';
import { ensureIdentity } from '../../../runtime/cluster/identity-file.ts';
import { clusterFiles } from '../../../runtime/cluster/secret-file.ts';
import { realRandom } from '../../../runtime/world/real-random.ts';

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

async function fresh(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'hm-identity-'));
  folders.push(folder);
  return join(folder, 'cluster', 'node.key');
}

const identityIn = (path: string) => ensureIdentity(clusterFiles, realRandom, path);

const refusal = (path: string) =>
  identityIn(path).then(
    () => 'none',
    (thrown: unknown) => reasonOf(thrown).code,
  );

test('made once with mode 0600, the same at the next start', async () => {
  const path = await fresh();
  const made = await identityIn(path);
  expect(made.id).toMatch(/^[0-9a-f]{32}$/);
  expect((await identityIn(path)).id).toBe(made.id);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test('every cut and every changed character is damage, and the error quotes nothing of it', async () => {
  const path = await fresh();
  await identityIn(path);
  const whole = await readFile(path, 'utf8');
  const { key } = JSON.parse(whole) as { key: string };
  for (const length of [0, 10, whole.length >> 1, whole.length - 1]) {
    await writeFile(path, whole);
    await truncate(path, length);
    expect(await refusal(path)).toBe('HM-CLUSTER-KEY');
  }
  for (let at = key.length - 40; at < key.length - 2; at += 7) {
    const changed = key.slice(0, at) + (key[at] === 'A' ? 'B' : 'A') + key.slice(at + 1);
    await writeFile(path, whole.replace(key, changed));
    expect(await refusal(path)).toBe('HM-CLUSTER-KEY');
    await expect(identityIn(path)).rejects.not.toThrow(changed);
  }
});

test('a key that others can read is refused, with the command that mends it', async () => {
  const path = await fresh();
  await identityIn(path);
  await chmod(path, 0o644);
  await expect(identityIn(path)).rejects.toMatchObject({
    reason: { code: 'HM-CLUSTER-KEY', hint: expect.stringContaining(`chmod 600 ${path}`) },
  });
});
