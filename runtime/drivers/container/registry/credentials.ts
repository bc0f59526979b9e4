/**
 * Who the node is to a registry: a secret `registry.HOST` before Docker's config file, whose helpers are asked as
 * Docker asks them. Read at each login: a `docker login` counts at once.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { Credential } from '../../../../protocols/containers/registry/challenge.ts';
import {
  credentialSource,
  helperCredential,
  secretCredential,
} from '../../../../protocols/containers/registry/docker-config.ts';
import { coded } from '../../../../protocols/errors.ts';
import { limits } from '../../../../protocols/limits.ts';

/** `undefined`: none is known, ask as anybody. HM-REGISTRY-AUTH when the file or a helper fails. */
export type Credentials = (registry: string, signal: AbortSignal) => Promise<Credential | undefined>;

export interface CredentialPlaces {
  /** Docker's `config.json`; it need not exist. */
  readonly dockerConfig?: string;
  /** A secret of the node by its name, or `undefined`. */
  readonly secret?: (name: string) => Promise<string | undefined>;
}

export function createCredentials({ dockerConfig, secret }: CredentialPlaces): Credentials {
  return async (registry, signal) => {
    const kept = await secret?.(`registry.${registry}`);
    if (kept !== undefined) {
      const credential = secretCredential(kept);
      if (credential) return credential;
      throw coded('HM-REGISTRY-AUTH', `The secret registry.${registry} is not user:password.`, { registry });
    }
    const config = dockerConfig === undefined ? undefined : await readConfig(dockerConfig, registry);
    const source = credentialSource(config, registry);
    if (source.from === 'file') return source.credential;
    if (source.from === 'nowhere') return undefined;
    return askHelper(source.program, source.server, registry, signal);
  };
}

async function readConfig(path: string, registry: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as unknown;
  } catch (thrown) {
    const { code, message } = thrown as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    // Its content never stands in a message: it holds passwords.
    const what = code === undefined ? 'is not JSON' : message;
    throw coded('HM-REGISTRY-AUTH', `${path} cannot be used: ${what}`, { registry, path });
  }
}

async function askHelper(
  program: string,
  server: string,
  registry: string,
  signal: AbortSignal,
): Promise<Credential | undefined> {
  const command = `docker-credential-${program}`;
  const fail = (what: string) =>
    coded('HM-REGISTRY-AUTH', `${command} ${what}.`, { registry, program: command });
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(limits.registryHelperMs)]);
  const helper = spawn(command, ['get'], { stdio: ['pipe', 'pipe', 'ignore'], signal: bounded });
  const ended = once(helper, 'close') as Promise<[number | null]>;
  ended.catch(() => {});
  helper.stdin.on('error', () => {});
  helper.stdin.end(server);
  let text = '';
  try {
    for await (const piece of helper.stdout.setEncoding('utf8')) {
      text += piece as string;
      if (text.length <= limits.registryHelperBytes) continue;
      helper.kill('SIGKILL');
      throw fail('says too much');
    }
    const [code] = await ended;
    if (/credentials not found/.test(text)) return undefined;
    if (code !== 0) throw fail(`ended with ${code}`);
  } catch (thrown) {
    signal.throwIfAborted();
    const { code, name } = thrown as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw fail('is not installed');
    if (name === 'AbortError') throw fail(`did not answer in ${limits.registryHelperMs} ms`);
    throw thrown;
  }
  const answer = parsed(text);
  if (answer === undefined) throw fail('did not answer in JSON');
  return helperCredential(answer);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
