/** How a registry wants to be asked: its `WWW-Authenticate` challenges, and the question to its token server. Pure. */

export interface Challenge {
  /** Lower case: `bearer`, `basic`. */
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/** A header longer than this is no challenge. */
const headerChars = 8_192;
const challengesKept = 8;

/** Reads `Bearer realm="…",service="…", Basic realm="…"`. What cannot be read ends the list. */
export function parseChallenges(header: string): readonly Challenge[] {
  if (header.length > headerChars) return [];
  const challenges: { scheme: string; parameters: Record<string, string> }[] = [];
  const token = /\s*,?\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)(\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+)))?/y;
  while (token.lastIndex < header.length) {
    const match = token.exec(header);
    if (!match) break;
    const [, word = '', assigned, quoted, plain] = match;
    if (assigned === undefined) {
      if (challenges.length === challengesKept) break;
      challenges.push({
        scheme: word.toLowerCase(),
        parameters: Object.create(null) as Record<string, string>,
      });
      continue;
    }
    const present = challenges.at(-1);
    if (!present) break;
    present.parameters[word.toLowerCase()] ??= plain ?? quoted!.replace(/\\(.)/g, '$1');
  }
  return challenges;
}

export interface Credential {
  readonly username: string;
  readonly password: string;
  /** Instead of a password: what Docker's login keeps of some registries. */
  readonly identityToken?: string;
}

/** What to do about a 401. */
export type Authentication =
  | { readonly by: 'basic'; readonly authorization: string }
  | { readonly by: 'token'; readonly request: TokenRequest }
  | { readonly by: 'nothing'; readonly because: string };

export interface TokenRequest {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Form, URL-encoded. */
  readonly body?: string;
}

const clientId = 'hivemind';

export function authenticate(
  challenges: readonly Challenge[],
  repository: string,
  credential: Credential | undefined,
  plainHttp: boolean,
): Authentication {
  const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
  if (bearer) return askForToken(bearer.parameters, repository, credential, plainHttp);
  if (!challenges.some(({ scheme }) => scheme === 'basic'))
    return { by: 'nothing', because: 'it asks for a login of a kind that is not known' };
  if (!credential || credential.identityToken !== undefined)
    return { by: 'nothing', because: 'it asks for a user and a password, and none are known for it' };
  return { by: 'basic', authorization: basic(credential) };
}

function askForToken(
  { realm = '', service, scope }: Readonly<Record<string, string>>,
  repository: string,
  credential: Credential | undefined,
  plainHttp: boolean,
): Authentication {
  if (!URL.canParse(realm)) return { by: 'nothing', because: 'its token server has no address' };
  const url = new URL(realm);
  // Whoever is asked over TLS does not send passwords elsewhere in the clear.
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && plainHttp))
    return { by: 'nothing', because: `its token server is not reached over TLS: ${url.origin}` };
  if (url.username !== '' || url.password !== '')
    return { by: 'nothing', because: 'the address of its token server holds a password' };
  const wish = { service, scope: scope ?? `repository:${repository}:pull` };
  if (credential?.identityToken !== undefined) {
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      client_id: clientId,
      scope: wish.scope,
      refresh_token: credential.identityToken,
      ...(service === undefined ? {} : { service }),
    });
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    return { by: 'token', request: { method: 'POST', url: url.href, headers, body: form.toString() } };
  }
  for (const [name, value] of Object.entries(wish))
    if (value !== undefined) url.searchParams.set(name, value);
  if (credential) url.searchParams.set('account', credential.username);
  const headers: Record<string, string> = credential ? { authorization: basic(credential) } : {};
  return { by: 'token', request: { method: 'GET', url: url.href, headers } };
}

function basic({ username, password }: Credential): string {
  const bytes = new TextEncoder().encode(`${username}:${password}`);
  return `Basic ${btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))}`;
}

/** The token in a token server's answer. `undefined`: there is none. When it has run out the registry says so. */
export function readToken(answer: unknown): string | undefined {
  if (typeof answer !== 'object' || answer === null) return undefined;
  const { token, access_token: accessToken } = answer as Record<string, unknown>;
  const text = typeof token === 'string' && token !== '' ? token : accessToken;
  // It becomes a header: nothing that would end one.
  return typeof text === 'string' && /^[\x21-\x7e]{1,16384}$/.test(text) ? text : undefined;
}
