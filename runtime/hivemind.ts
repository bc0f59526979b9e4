/** `hivemind`, the command line tool: the real process around `runtime/cli`. */
import { isAbsolute, join } from 'node:path';
import manifest from '../package.json' with { type: 'json' };
import { runCli } from './cli/main.ts';
import { readEnvironment } from './config/environment.ts';
import { realClock } from './world/real-clock.ts';

const environment = readEnvironment();
const interrupt = new AbortController();

process.on('SIGINT', () => {
  // The second Ctrl-C does not wait for anything.
  if (interrupt.signal.aborted) process.exit(130);
  interrupt.abort();
});
for (const stream of [process.stdout, process.stderr]) {
  // `hivemind ps | head`: nobody reads any more, which is no failure.
  stream.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
}

const runtimeDirectory = environment['XDG_RUNTIME_DIR'];
const own = runtimeDirectory && isAbsolute(runtimeDirectory) ? [join(runtimeDirectory, 'hivemind')] : [];

void runCli(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  environment,
  directory: process.cwd(),
  clock: realClock,
  version: manifest.version,
  socketDirectories: ['/run/hivemind', ...own],
  purge: async (config, progress) => (await import('./purge.ts')).purge(config, progress),
  openInBrowser: async (url) => (await import('./cli/output/browser.ts')).openInBrowser(url, environment),
  interrupted: interrupt.signal,
}).then((code) => {
  process.exitCode = code;
  process.stdin.unref?.();
});
