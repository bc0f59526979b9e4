/**
 * Where the API is: a flag, else a variable, else the context in use, else the one socket of a node on this machine.
 * The socket needs no token (its file mode is the lock); TCP needs one, from a file and never from the command line.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { coded } from '../../../protocols/errors.ts';
import { usage, type CliProcess, type CommonOptions } from '../cli.ts';
import { contextNamed, readContexts, type Context, type Contexts } from './contexts.ts';

interface ToldWhenSilent {
  /** What to do when nobody answers there; the usual, when there is nothing better. */
  readonly whenSilent?: string;
}

export type ApiAddress = ToldWhenSilent &
  (
    | { readonly kind: 'socket'; readonly path: string }
    | {
        readonly kind: 'tcp';
        readonly host: string;
        readonly port: number;
        readonly token: string | undefined;
      }
  );

/** Rejects with HM-CLI-USAGE for an address that is none, HM-API-UNREACHABLE when nothing is there, HM-API-TOKEN for an unreadable token file. */
export async function resolveAddress(process: CliProcess, options: CommonOptions): Promise<ApiAddress> {
  const { environment } = process;
  const chosen = await chosenPlace(process, options);
  if (chosen === undefined) {
    const { contexts } = await readContexts(process);
    return localSocket(process.socketDirectories, Object.keys(contexts));
  }
  const { whenSilent } = chosen;
  const parsed = { ...parseAddress(chosen.address), ...(whenSilent === undefined ? {} : { whenSilent }) };
  if (parsed.kind === 'socket') return parsed;
  const file = options.tokenFile ?? chosen.tokenFile ?? environment['HIVEMIND_TOKEN_FILE'];
  if (file !== undefined && file !== '') return { ...parsed, token: await readToken(file) };
  const usual = join(environment['HIVEMIND_DATA_DIR'] ?? '/var/lib/hivemind', 'token');
  return { ...parsed, token: await readToken(usual).catch(() => undefined) };
}

/** Flags before variables before the context in use; an address before a context. */
async function chosenPlace(
  process: CliProcess,
  options: CommonOptions,
): Promise<(Context & ToldWhenSilent) | undefined> {
  const { environment } = process;
  const among = (known: Contexts, name: string): Context & ToldWhenSilent => {
    const context = contextNamed(known, name);
    const others = 'hivemind context ls';
    const whenSilent = context.start ?? `Start the node there; or ask another, by --context: ${others}`;
    return { ...context, whenSilent };
  };
  const named = async (name: string) => among(await readContexts(process), name);
  if (options.address) return { address: options.address };
  if (options.context) return named(options.context);
  if (environment['HIVEMIND_ADDRESS']) return { address: environment['HIVEMIND_ADDRESS'] };
  if (environment['HIVEMIND_CONTEXT']) return named(environment['HIVEMIND_CONTEXT']);
  const known = await readContexts(process);
  return known.current === undefined ? undefined : among(known, known.current);
}

/** `unix:///run/hivemind/n1.sock`, `/run/…`, `127.0.0.1:4483`, `http://127.0.0.1:4483`. */
export function parseAddress(text: string): ApiAddress {
  const path = text.replace(/^unix:(\/\/)?(?=\/)/, '');
  if (path.startsWith('/')) return { kind: 'socket', path };
  const match = /^(?:http:\/\/)?(\[[0-9a-f:]+\]|[a-z0-9.-]+)(?::(\d{1,5}))?\/?$/i.exec(text);
  if (!match || Number(match[2] ?? 1) > 65_535) {
    throw usage(`${text} is not an address`, 'As in 127.0.0.1:4483 or unix:///run/hivemind/n1.sock');
  }
  return {
    kind: 'tcp',
    host: match[1]!.replace(/^\[|\]$/g, ''),
    port: Number(match[2] ?? 4483),
    token: undefined,
  };
}

async function readToken(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (thrown) {
    throw coded(
      'HM-API-TOKEN',
      `The token file ${file} cannot be read`,
      { file },
      `${(thrown as Error).message}`,
    );
  }
}

/** `contexts` that could be meant when no node is here. */
async function localSocket(directories: readonly string[], contexts: readonly string[]): Promise<ApiAddress> {
  const found: string[] = [];
  for (const directory of directories) {
    const names = await readdir(directory).catch(() => []);
    found.push(...names.filter((name) => name.endsWith('.sock')).map((name) => join(directory, name)));
  }
  if (found.length === 0) {
    const looked = { looked: directories.join(' ') };
    const [first] = contexts;
    const hint =
      first === undefined
        ? undefined
        : `Ask one that you have a context of: --context ${first}, or hivemind context use ${first}`;
    throw coded('HM-API-UNREACHABLE', 'No hivemind-node runs on this machine', looked, hint);
  }
  const living = found.length === 1 ? found : await answering(found);
  if (living.length === 0) throw coded('HM-API-UNREACHABLE', undefined, { sockets: found.join(' ') });
  if (living.length === 1) return { kind: 'socket', path: living[0]! };
  throw usage(
    'More than one node runs on this machine',
    `Choose: ${living.map((path) => `--address ${path}`).join(' | ')}`,
  );
}

/** A node that was killed leaves its socket behind: only those that somebody listens on count. */
async function answering(paths: readonly string[]): Promise<string[]> {
  const { connect } = await import('node:net');
  const listens = (path: string): Promise<boolean> =>
    new Promise((resolve) => {
      const socket = connect(path, () => {
        socket.destroy();
        resolve(true);
      });
      // Not being allowed to connect still means that somebody listens.
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EACCES'));
    });
  const answers = await Promise.all(paths.map(listens));
  return paths.filter((_, i) => answers[i]);
}
