/**
 * Contexts: clusters by name, so that nobody types addresses. They live in the person's own configuration folder,
 * hold an address and the file of a token (never a token), and are replaced whole, so that a crash leaves the old ones.
 */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { coded } from '../../../protocols/errors.ts';
import { nearest } from '../../../protocols/suggest.ts';
import type { CliProcess } from '../cli.ts';

export interface Context {
  /** As `--address` takes it. */
  readonly address: string;
  readonly tokenFile?: string;
  /** What starts its node when it does not run, where that is known. */
  readonly start?: string;
}

export interface Contexts {
  /** Used when nothing else is said. */
  readonly current?: string;
  readonly contexts: Readonly<Record<string, Context>>;
}

/** Whose they are. */
type Person = Pick<CliProcess, 'environment'>;

/** `$XDG_CONFIG_HOME/hivemind/contexts.json`, else below `$HOME/.config`. */
export function contextsFile({ environment }: Person): string {
  const own = environment['XDG_CONFIG_HOME'];
  const base = own?.startsWith('/') ? own : join(environment['HOME'] ?? '/', '.config');
  return join(base, 'hivemind', 'contexts.json');
}

/** None when there is no file. Rejects with HM-CLI-CONTEXT for one that cannot be read. */
export async function readContexts(process: Person): Promise<Contexts> {
  const file = contextsFile(process);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (thrown) {
    if (['ENOENT', 'ENOTDIR'].includes((thrown as NodeJS.ErrnoException).code ?? '')) return { contexts: {} };
    throw unreadable(file, (thrown as Error).message);
  }
  try {
    const read: unknown = JSON.parse(text);
    if (isContexts(read)) return read;
  } catch {
    // Said below.
  }
  throw unreadable(file, 'it is not what `hivemind context` writes');
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const mayBeText = (value: unknown): boolean => value === undefined || typeof value === 'string';

function isContexts(read: unknown): read is Contexts {
  if (!isMap(read) || !mayBeText(read['current']) || !isMap(read['contexts'])) return false;
  return Object.values(read['contexts']).every(
    (each) =>
      isMap(each) &&
      typeof each['address'] === 'string' &&
      mayBeText(each['tokenFile']) &&
      mayBeText(each['start']),
  );
}

export async function writeContexts(process: Person, contexts: Contexts): Promise<void> {
  const file = contextsFile(process);
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await writeFile(`${file}.new`, `${JSON.stringify(contexts, null, 2)}\n`, { mode: 0o600 });
    await rename(`${file}.new`, file);
  } catch (thrown) {
    throw coded('HM-CLI-CONTEXT', `${file} cannot be written: ${(thrown as Error).message}`, { file });
  }
}

/** Rejects with HM-CLI-CONTEXT for a name that nobody gave. */
export function contextNamed({ contexts }: Contexts, name: string): Context {
  const context = Object.hasOwn(contexts, name) ? contexts[name] : undefined;
  if (context) return context;
  const near = nearest(name, Object.keys(contexts));
  const hint = near === undefined ? 'hivemind context ls' : `Did you mean ${near}?`;
  throw coded('HM-CLI-CONTEXT', `There is no context ${name}`, { context: name }, hint);
}

const unreadable = (file: string, why: string): Error =>
  coded('HM-CLI-CONTEXT', `${file} cannot be read: ${why}`, { file }, `Mend or remove ${file}.`);
