/**
 * `npm run cluster -- 3`: several nodes on this machine, each in a network of its own. Sets up what they need and builds
 * before nodes are started; `hello` deploys the hello app; everything else is `runtime/desk`.
 */
import { build } from './build.mjs';
import { packageProgram, run, say } from './commands.mjs';
import { ensureDebianPackages } from './debian-packages.mjs';
import { ensureNpmPackages } from './npm-packages.mjs';

const args = process.argv.slice(2);
ensureNpmPackages();
// A change of the sources while nodes run is theirs at their next start.
if (/^(\d+|start|heal)$/.test(args[0] ?? '')) {
  ensureDebianPackages('node');
  await build();
}
if (args.length === 1 && args[0] === 'hello') {
  await build();
  const { deployHello } = await import('./hello.mjs');
  const deployed = await deployHello({});
  if (deployed) say('try next  npx hivemind port-forward hello/web 8080:8000, and http://127.0.0.1:8080/');
  process.exitCode = deployed ? 0 : 1;
} else {
  process.exitCode = await run(packageProgram('tsx'), ['runtime/desk/main.ts', ...args]);
}
