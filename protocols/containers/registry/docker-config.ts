/** Docker's `config.json`: who may pull from where, and which program knows. Pure. */
import type { Credential } from './challenge.ts';

export type CredentialSource =
  | { readonly from: 'file'; readonly credential: Credential }
  /** Ask `docker-credential-PROGRAM get` for this server. */
  | { readonly from: 'helper'; readonly program: string; readonly server: string }
  | { readonly from: 'nowhere' };

/** Docker's own registry stands in the file under an address of old. */
const dockerKeys = ['https://index.docker.io/v1/', 'index.docker.io', 'docker.io', 'registry-1.docker.io'];

/** `config` is the parsed file; what is not well formed in it counts as not there. */
export function credentialSource(config: unknown, registry: string): CredentialSource {
  const { credHelpers, credsStore, auths } = entries(config);
  const servers = registry === 'docker.io' ? dockerKeys : [registry];
  const [first = registry] = servers;
  const own = servers.map((server) => entries(credHelpers)[server]).find(isProgram);
  if (own !== undefined) return { from: 'helper', program: own, server: first };
  const known = Object.entries(entries(auths));
  const match = known.find(([key]) => servers.includes(key) || servers.includes(hostOf(key)));
  const credential = match ? credentialOf(entries(match[1])) : undefined;
  if (credential) return { from: 'file', credential };
  if (isProgram(credsStore)) return { from: 'helper', program: credsStore, server: match?.[0] ?? first };
  return { from: 'nowhere' };
}

/** What a helper printed. `undefined`: nothing usable. */
export function helperCredential(answer: unknown): Credential | undefined {
  const { Username: username, Secret: secret } = entries(answer);
  if (typeof username !== 'string' || typeof secret !== 'string' || secret === '') return undefined;
  if (username === '<token>') return { username: '', password: '', identityToken: secret };
  return { username, password: secret };
}

/** What a secret `registry.HOST` holds: `user:password`, or the JSON of an entry of Docker's file. */
export function secretCredential(text: string): Credential | undefined {
  try {
    return credentialOf(entries(JSON.parse(text)));
  } catch {
    return userAndPassword(text.trim());
  }
}

function credentialOf(entry: Readonly<Record<string, unknown>>): Credential | undefined {
  const { auth, identitytoken, username, password } = entry;
  if (typeof identitytoken === 'string' && identitytoken !== '')
    return { username: '', password: '', identityToken: identitytoken };
  if (typeof username === 'string' && typeof password === 'string' && username !== '')
    return { username, password };
  if (typeof auth !== 'string') return undefined;
  try {
    const bytes = Uint8Array.from(atob(auth), (char) => char.charCodeAt(0));
    return userAndPassword(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}

function userAndPassword(text: string): Credential | undefined {
  const colon = text.indexOf(':');
  // Docker pads passwords with zeros.
  const password = text.slice(colon + 1).replace(/\0+$/, '');
  return colon > 0 && password !== '' ? { username: text.slice(0, colon), password } : undefined;
}

/** A program's name is part of a command: nothing but a plain word. */
const isProgram = (name: unknown): name is string =>
  typeof name === 'string' && /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(name);

const hostOf = (key: string): string => key.replace(/^https?:\/\//, '').split('/')[0]!;

const entries = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : {};
