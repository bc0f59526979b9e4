/**
 * A token server as Docker's registry trusts it: tokens signed with a key made for the test, for one user, or for
 * anybody. Counts who asked.
 */
import { execFile } from 'node:child_process';
import { createSign } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { RegistryAuth } from './registry.ts';

export interface TokenServer {
  readonly auth: RegistryAuth;
  /** `authorization` headers it was asked with, in order; `''` for none. */
  readonly asked: string[];
  /** Paths whose first part is `public` may be pulled by anybody. */
  close(): Promise<void>;
}

/** `dir` holds key and certificate. */
export async function startTokenServer(dir: string, login: string): Promise<TokenServer> {
  const [key, cert] = [join(dir, 'token.key'), join(dir, 'token.crt')];
  const subject = ['-subj', '/CN=token', '-days', '2'];
  const files = ['-keyout', key, '-out', cert];
  await promisify(execFile)('openssl', [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    ...files,
    ...subject,
  ]);
  const [pem, certificate] = await Promise.all([readFile(key, 'utf8'), readFile(cert, 'utf8')]);
  const chain = [certificate.replace(/-----[^-]+-----|\s/g, '')];
  const asked: string[] = [];
  const good = `Basic ${Buffer.from(login).toString('base64')}`;
  const server = createServer((request, response) => {
    const authorization = request.headers.authorization ?? '';
    const scope = new URL(request.url ?? '/', 'http://token').searchParams.get('scope') ?? '';
    const [, name = '', actions = ''] = /^repository:([^:]+):(.+)$/.exec(scope) ?? [];
    asked.push(authorization);
    if (authorization !== '' && authorization !== good) return void response.writeHead(401).end('{}');
    const granted = authorization === good ? actions.split(',') : name.startsWith('public/') ? ['pull'] : [];
    const now = Math.floor(performance.timeOrigin / 1_000 + performance.now() / 1_000);
    const access = granted.length > 0 ? [{ type: 'repository', name, actions: granted }] : [];
    const claims = {
      iss: 'tokens',
      aud: 'registry',
      sub: '',
      iat: now,
      nbf: now - 60,
      exp: now + 600,
      access,
      jti: '1',
    };
    const text = [{ typ: 'JWT', alg: 'RS256', x5c: chain }, claims]
      .map((part) => base64url(JSON.stringify(part)))
      .join('.');
    const signature = createSign('RSA-SHA256').update(text).sign(pem, 'base64url');
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ token: `${text}.${signature}`, expires_in: 600 }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const realm = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
  const config = `  token:\n    realm: ${realm}\n    service: registry\n    issuer: tokens\n    rootcertbundle: ${cert}\n`;
  return {
    asked,
    auth: { config, pusher: login },
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const base64url = (text: string): string => Buffer.from(text).toString('base64url');
