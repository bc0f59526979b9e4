/**
 * `npm run bench`: sets up what the figures need (npm and Debian packages, bundles, images of the hello app), then
 * measures. A figure whose peer this machine does not have says so.
 */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from './build.mjs';
import { packageProgram, root, run, say } from './commands.mjs';
import { ensureDebianPackages } from './debian-packages.mjs';
import { ensureNpmPackages } from './npm-packages.mjs';

ensureNpmPackages();
ensureDebianPackages('bench');
await build();
const { buildHelloImages } = await import(pathToFileURL(join(root, 'dist', 'build-hello.js')).href);
await buildHelloImages({
  imagesDir: join(root, '.cache', 'images'),
  contentDir: join(root, 'examples', 'hello', 'web'),
  progress: (line) => say(line),
});
// Ctrl-C reaches the bench by itself, which then removes what it made: waited for.
process.on('SIGINT', () => undefined);
const measure = ['--expose-gc', 'test/bench/main.ts', ...process.argv.slice(2)];
process.exitCode = await run(packageProgram('tsx'), measure);
