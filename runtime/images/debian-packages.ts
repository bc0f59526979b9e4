/**
 * Debian packages as files: downloaded and unpacked into a folder, never installed. Nothing on the machine
 * changes but apt's lists, and those only when they are missing or too old to name the packages.
 */
import { execFile } from 'node:child_process';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const outputBytes = 16 * 1024 * 1024;

/**
 * Unpacks the packages and the libraries they depend on below `folder`, downloads in `folder`/.packages. Rejects with
 * the text of apt or dpkg when that cannot be done.
 */
export async function unpackPackages(names: readonly string[], folder: string): Promise<void> {
  const downloads = join(folder, '.packages');
  await mkdir(downloads, { recursive: true });
  try {
    await download(names, downloads);
  } catch {
    await run('apt-get', ['update', '-q'], { maxBuffer: outputBytes });
    await download(names, downloads);
  }
  for (const file of (await readdir(downloads)).sort()) {
    if (file.endsWith('.deb')) await run('dpkg-deb', ['-x', join(downloads, file), folder]);
  }
}

async function download(names: readonly string[], into: string): Promise<void> {
  const all = [...names, ...(await libraryPackages(names))];
  await run('apt-get', ['download', '-q', ...all], { cwd: into, maxBuffer: outputBytes });
}

/** Every library package the packages need, and those need in turn. */
async function libraryPackages(names: readonly string[]): Promise<string[]> {
  const found = new Set<string>();
  let ask = names;
  while (ask.length > 0) {
    const answer = await run('apt-cache', ['depends', '--important', ...ask], { maxBuffer: outputBytes });
    ask = dependencies(answer.stdout).filter((name) => isLibrary(name) && !found.has(name));
    for (const name of ask) found.add(name);
  }
  return [...found];
}

function isLibrary(name: string): boolean {
  return /^(lib|lua-|redis-tools$)/.test(name);
}

/** Lines `  Depends: name`; of alternatives, all but the last marked `|`, the first counts. */
function dependencies(text: string): string[] {
  const names = new Set<string>();
  let insideAlternatives = false;
  for (const line of text.split('\n')) {
    const match = /^ (\||\s)(?:Pre)?Depends: ([a-z0-9][a-z0-9+.-]*)/.exec(line);
    if (!match) continue;
    if (!insideAlternatives) names.add(match[2]!);
    insideAlternatives = match[1] === '|';
  }
  return [...names];
}
