/** `npm install -g .` in a clone that nobody has built: the programs are on the PATH afterwards, and run. */
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '../../..');
let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'hivemind-linked-'));
});
afterEach(() => rm(dir, { recursive: true }));

test('builds what it links', async () => {
  const clone = join(dir, 'clone');
  for (const part of [
    'actors',
    'protocols',
    'runtime',
    'supervisors',
    'transport',
    'package.json',
    'package-lock.json',
  ])
    await cp(join(root, part), join(clone, part), { recursive: true });
  await cp(join(root, 'tsconfig.json'), join(clone, 'tsconfig.json'));
  // The packages are there; that they come from a registry is the end-to-end test's.
  await symlink(join(root, 'node_modules'), join(clone, 'node_modules'));
  const prefix = join(dir, 'prefix');
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  await run('npm', ['install', '-g', '--offline', '--prefix', prefix, '.'], { cwd: clone });
  for (const program of ['hivemind', 'hivemind-node']) {
    const { stdout } = await run(join(prefix, 'bin', program), ['--version'], { cwd: '/' });
    expect(stdout).toBe(`${version}\n`);
  }
}, 120_000);
