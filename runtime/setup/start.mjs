/**
 * `npm start`: from a fresh clone to a running node with an app on it. Sets up what is missing, builds, runs one node
 * in the foreground, deploys the hello app and says what to try next. `--no-demo` skips the app; every other flag
 * goes to hivemind-node.
 */
import { request } from 'node:http';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, daemonEnvironment } from './build.mjs';
import { giveUp, isRoot, root, say } from './commands.mjs';
import { ensureDebianPackages } from './debian-packages.mjs';
import { deployHello } from './hello.mjs';
import { ensureNpmPackages } from './npm-packages.mjs';
import { keepRunning } from './restarter.mjs';

const readyWithinMs = 60_000;
const bundle = (name) => join(root, 'dist', `${name}.js`);
const load = (name) => import(pathToFileURL(bundle(name)).href);

const flags = process.argv.slice(2).filter((flag) => flag !== '--no-demo');
const withDemo =
  flags.length === process.argv.length - 2 && !flags.some((flag) => /^(--help|-h|--version|-V)$/.test(flag));

ensureNpmPackages();
const missing = ensureDebianPackages('node');
await build();
const config = await readConfig();
if (config?.runtime === 'containerd' && missing.length > 0) {
  giveUp(`containers need ${missing.join(', ')}`, `sudo apt-get install ${missing.join(' ')}`);
}
if (config?.runtime === 'containerd' && !isRoot()) {
  say('! not root: containers, addresses and published ports need it. Try: sudo npm start');
}
if (config && (await answers(config.socketPath))) {
  giveUp(
    `a node answers at ${config.socketPath} already`,
    'Stop it first, or give this one another --name and --data-dir.',
  );
}
let welcomed = false;
// Here a person reads along; what happens in detail is told by `hivemind events`.
const env = { ...daemonEnvironment, HIVEMIND_LOG_LEVEL: 'warn', ...process.env };
process.exitCode = await keepRunning(process.execPath, [bundle('hivemind-node'), ...flags], env, (child) => {
  if (welcomed || !config) return;
  welcomed = true;
  welcome(child).catch((error) => say(`✗ ${error.message}`));
});

/** The node's settings as it will read them itself, or nothing when it will refuse them: then it says why. */
async function readConfig() {
  const { loadNodeConfig } = await load('node-config');
  try {
    return loadNodeConfig(flags).config;
  } catch {
    return undefined;
  }
}

async function welcome(child) {
  if (!(await ready(child))) return;
  const { host, port } = config.apiAddress;
  const running = withDemo ? await deployHello({ HIVEMIND_ADDRESS: `unix://${config.socketPath}` }) : true;
  if (child.exitCode !== null) return;
  say('');
  if (withDemo && running) say('hello runs        http://127.0.0.1:8080/');
  say(`API               http://${host}:${port}/v1/openapi.json  (token: ${join(config.dataDir, 'token')})`);
  // The tool looks for nodes in this folder alone.
  if (dirname(config.socketPath) !== '/run/hivemind')
    say(`in other shells   export HIVEMIND_ADDRESS=unix://${config.socketPath}`);
  say('try next          npx hivemind ps');
  say(
    withDemo
      ? '                  npx hivemind logs -f hello'
      : '                  npx hivemind deploy -f YOUR/compose.yaml',
  );
  say('                  npx hivemind actor tree');
  say('stop              Ctrl-C: the node goes, its containers stay');
}

/** False when the daemon ended, or does not answer in time. */
async function ready(child) {
  const deadline = performance.now() + readyWithinMs;
  while (child.exitCode === null && child.signalCode === null) {
    if (await answers(config.socketPath)) return true;
    if (performance.now() > deadline) {
      say(`! the node does not answer at ${config.socketPath} yet; look: npx hivemind doctor`);
      return false;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return false;
}

function answers(socketPath) {
  return new Promise((resolve) => {
    const asked = request({ socketPath, path: '/readyz', timeout: 2_000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    asked.on('timeout', () => asked.destroy());
    asked.on('error', () => resolve(false));
    asked.end();
  });
}
