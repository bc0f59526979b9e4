/**
 * The bundles in `dist/`: the daemon with all of its libraries in one file, so that it needs little memory; the tool in
 * parts, each read only when a command asks for it, so that `hivemind ps` does not wait for a Compose parser. Native
 * modules stay outside. Nothing is done when no source has changed.
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gather, giveUp, root, say } from './commands.mjs';
import { ensureNpmPackages, lockDigest } from './npm-packages.mjs';
import { bundleInParts } from './parts.mjs';

/** In one file each: the daemon, and modules that the set-up scripts themselves use. */
const whole = {
  'hivemind-node': 'runtime/hivemind-node.ts',
  'hivemind-membership': 'runtime/membership/host/worker.ts',
  'hivemind-x509': 'runtime/cluster/certificates/x509-library.ts',
  'build-hello': 'runtime/images/build-hello.ts',
  'node-config': 'runtime/config/node-config.ts',
  client: 'runtime/client/client.ts',
  'client-types': 'runtime/client/declare.ts',
};
/**
 * The C library's memory for the daemon, which idles: one arena for all threads, and what is free at the end of it goes
 * back to the machine. It would keep 20 MB. Read before `main`, so nothing in the program can say it.
 */
export const daemonEnvironment = { MALLOC_ARENA_MAX: '1', MALLOC_TRIM_THRESHOLD_: '131072' };
const settings = Object.entries(daemonEnvironment).map(([name, value]) => `${name}=${value}`);
const daemonInterpreter = `#!/usr/bin/env -S ${settings.join(' ')} node`;

const programs = ['hivemind-node', 'hivemind'];
const external = ['lmdb', 'msgpackr-extract'];
const dist = join(root, 'dist');
const recordFile = join(dist, 'build.json');

/** zod's messages in fifty languages, of which ours has none: we write our own. */
export const oneLanguage = {
  name: 'one-language',
  setup: ({ onLoad }) =>
    onLoad({ filter: /\/zod\/v4\/locales\/index\.js$/ }, ({ path }) => ({
      contents: "export { default as en } from './en.js';",
      resolveDir: dirname(path),
    })),
};

/** Half a megabyte that only a node with others needs stays a file of its own: V8 keeps the text of what it has read. */
const besideDaemon = {
  name: 'beside-daemon',
  setup: ({ onResolve }) =>
    onResolve({ filter: /\/x509-library\.ts$/ }, ({ kind }) =>
      kind === 'dynamic-import' ? { path: './hivemind-x509.js', external: true } : undefined,
    ),
};

const shared = {
  absWorkingDir: root,
  outdir: dist,
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  external,
  metafile: true,
  plugins: [oneLanguage],
  legalComments: 'none',
  // Without comments it is ASCII: V8 then keeps the source at one byte a character, all the while the program runs.
  minifyWhitespace: true,
  lineLimit: 200,
  logLevel: 'error',
  // CommonJS libraries inside an ES module still call `require`.
  banner: {
    js: "#!/usr/bin/env node\nimport { createRequire as createRequireHere } from 'node:module';\nconst require = createRequireHere(import.meta.url);",
  },
};
/** `hivemind`, see `parts.mjs`. With `write: false` nothing is written: a test reads what a command line loads. */
export const bundleTool = (bundle, options) => bundleInParts(bundle, shared, options);

/** Idempotent. Rejects with esbuild's own message when a source does not parse. */
export async function build() {
  if (upToDate()) return;
  const started = performance.now();
  const { build: bundle, stop } = await import('esbuild');
  // Parts have their content in their names: those of an earlier build would stay.
  rmSync(join(dist, 'hivemind'), { recursive: true, force: true });
  const built = [
    await bundle({ ...shared, plugins: [...shared.plugins, besideDaemon], entryPoints: whole }),
    await bundleTool(bundle),
  ];
  const daemon = join(dist, 'hivemind-node.js');
  writeFileSync(daemon, readFileSync(daemon, 'utf8').replace('#!/usr/bin/env node', daemonInterpreter));
  // Its service would stay for as long as the node runs, and holds more memory than the node.
  await stop();
  // A process of its own: the whole API would stay in this one's memory.
  const types = gather(process.execPath, [join(dist, 'client-types.js'), join(dist, 'client.d.ts')]);
  if (types.code !== 0) giveUp(`the types of the client cannot be written:\n${types.output}`);
  for (const name of programs) chmodSync(join(dist, `${name}.js`), 0o755);
  const all = (kind) => built.flatMap(({ metafile }) => Object.keys(metafile[kind]));
  const sources = all('inputs').filter((path) => !path.startsWith('node_modules/'));
  const record = {
    recipe: recipe(),
    sources: Object.fromEntries(sources.map((path) => [path, timeOf(path)])),
    outputs: all('outputs'),
  };
  mkdirSync(dist, { recursive: true });
  writeFileSync(recordFile, JSON.stringify(record));
  say(`built dist/ in ${Math.round(performance.now() - started)} ms`);
}

/** What makes another bundle from the same sources: these files and the locked libraries. */
const recipe = () =>
  [lockDigest(), ...['build', 'parts'].map((name) => timeOf(`runtime/setup/${name}.mjs`))].join(' ');

function upToDate() {
  try {
    const record = JSON.parse(readFileSync(recordFile, 'utf8'));
    return (
      record.recipe === recipe() &&
      record.outputs.every((path) => existsSync(join(root, path))) &&
      existsSync(join(dist, 'client.d.ts')) &&
      Object.entries(record.sources).every(([path, time]) => timeOf(path) === time)
    );
  } catch {
    return false;
  }
}

const timeOf = (path) => statSync(join(root, path)).mtimeMs;

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes('--clean')) rmSync(dist, { recursive: true, force: true });
  ensureNpmPackages();
  await build();
}
