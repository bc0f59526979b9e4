/**
 * `dist/hivemind`: both programs and Node itself in one file (Node's single executable applications). Who has only
 * this file runs Hivemind. It is made for the machine's own platform, out of the Node that makes it.
 */
import { chmodSync, copyFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { oneLanguage } from '../build.mjs';
import { gather, giveUp, packageProgram, root, say } from '../commands.mjs';

const require = createRequire(import.meta.url);
/** What postject looks for in the binary: Node's own mark. */
const fuse = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';

const settings = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  // An executable has no packages beside it: lmdb's native part is an asset, msgpackr's optional one is left out.
  alias: { 'node-gyp-build-optional-packages': join(root, 'runtime/executable/native-addon.ts') },
  external: ['msgpackr-extract'],
  define: { 'import.meta.url': 'ownUrl' },
  banner: {
    js: "require = require('node:module').createRequire(process.execPath);\nconst ownUrl = require('node:url').pathToFileURL(process.execPath).href;",
  },
  plugins: [oneLanguage],
  legalComments: 'none',
  minifyWhitespace: true,
  lineLimit: 200,
  logLevel: 'error',
};

/** Answers its path. Ends the program with the failing step's own words. */
export async function makeExecutable() {
  const started = performance.now();
  const folder = join(root, 'dist', 'executable');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const script = join(folder, 'main.cjs');
  const thread = join(folder, 'hivemind-membership.cjs');
  await bundle({ [script]: 'runtime/executable/main.ts', [thread]: 'runtime/membership/host/worker.ts' });
  const blob = join(folder, 'hivemind.blob');
  const config = {
    main: script,
    output: blob,
    disableExperimentalSEAWarning: true,
    useCodeCache: true,
    assets: { 'lmdb.node': nativePart(), 'hivemind-membership.cjs': thread },
  };
  writeFileSync(join(folder, 'sea.json'), JSON.stringify(config));
  step(process.execPath, ['--experimental-sea-config', join(folder, 'sea.json')]);
  const executable = join(folder, 'hivemind');
  copyFileSync(process.execPath, executable);
  chmodSync(executable, 0o755);
  step(packageProgram('postject'), [executable, 'NODE_SEA_BLOB', blob, '--sentinel-fuse', fuse]);
  for (const part of [blob, script, thread, join(folder, 'sea.json')]) rmSync(part);
  say(`built dist/executable/hivemind in ${Math.round(performance.now() - started)} ms`);
  return executable;
}

/** By output, its entry. */
async function bundle(programs) {
  const { build, stop } = await import('esbuild');
  for (const [outfile, entry] of Object.entries(programs))
    await build({ ...settings, entryPoints: [entry], outfile });
  await stop();
}

/** The build for every Node version of this platform. */
function nativePart() {
  const manifest = require.resolve(`@lmdb/lmdb-${process.platform}-${process.arch}/package.json`, {
    paths: [require.resolve('lmdb')],
  });
  const folder = join(manifest, '..');
  const names = readdirSync(folder).filter((name) => name.startsWith('node.napi'));
  const name = names.find((each) => each.includes('glibc')) ?? names[0];
  if (name === undefined) giveUp(`lmdb has no build for ${process.platform}-${process.arch}`);
  return join(folder, name);
}

function step(command, args) {
  const { code, output } = gather(command, args);
  if (code !== 0) giveUp(`${command} failed:\n${output.trim()}`);
}
