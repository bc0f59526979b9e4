/**
 * `npm run cluster -- 3`: several nodes on this machine, each in a network of its own. Sets up what they need and builds
 * before nodes are started; everything else is `runtime/desk`.
 */
import { build } from './build.mjs';
import { packageProgram, run } from './commands.mjs';
import { ensureDebianPackages } from './debian-packages.mjs';
import { ensureNpmPackages } from './npm-packages.mjs';

const args = process.argv.slice(2);
ensureNpmPackages();
// A change of the sources while nodes run is theirs at their next start.
if (/^(\d+|start|heal)$/.test(args[0] ?? '')) {
  ensureDebianPackages('node');
  await build();
}
process.exitCode = await run(packageProgram('tsx'), ['runtime/desk/main.ts', ...args]);
