/**
 * `npm run package`: what people install, below `dist/`: an executable that needs no Node, the Debian package around
 * it, and the npm package. `--executable` makes the executable alone.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { build } from './build.mjs';
import { gather, giveUp, hasProgram, root } from './commands.mjs';
import { makeDebianPackage } from './package/debian-package.mjs';
import { makeExecutable } from './package/executable.mjs';
import { ensureNpmPackages } from './npm-packages.mjs';

ensureNpmPackages();
await build();
const executable = await makeExecutable();
console.log(executable);
if (!process.argv.includes('--executable')) {
  if (hasProgram('dpkg-deb')) console.log(makeDebianPackage(executable));
  const { code, output } = gather('npm', [
    'pack',
    '--ignore-scripts',
    '--json',
    '--pack-destination',
    'dist',
  ]);
  const packed = join(root, 'dist', /"filename": "([^"]+)"/.exec(output)?.[1] ?? '');
  if (code !== 0 || !existsSync(packed)) giveUp(`npm pack failed:\n${output.trim()}`);
  console.log(packed);
}
