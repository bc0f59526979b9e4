/** A registry behind a certificate that was made here: refused as it is, taken with its authority or by explicit wish. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RegistrySettings } from '../../../protocols/containers/registry/endpoints.ts';
import { registryReference } from '../../../protocols/containers/registry/reference.ts';
import { createRegistryClient } from '../../../runtime/drivers/container/registry/registry.ts';
import { realClock } from '../../../runtime/world/real-clock.ts';
import { seededRandom } from '../../../runtime/world/seeded-random.ts';
import { refusal } from '../../kit/port-call.ts';
import { missingForRegistry } from '../../kit/registries/registry.ts';

const missing = missingForRegistry();
const digest = `sha256:${'a'.repeat(64)}`;

describe.skipIf(missing)(`TLS${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let dir: string;
  let server: Server;
  let host: string;
  let asked = 0;
  const certify = async (name: string, forWhom: string) => {
    const files = ['-keyout', join(dir, `${name}.key`), '-out', join(dir, `${name}.pem`)];
    const what = ['-subj', '/CN=registry', '-days', '2', '-addext', `subjectAltName=${forWhom}`];
    await promisify(execFile)('openssl', [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      ...files,
      ...what,
    ]);
  };
  const ask = (settings: RegistrySettings): Promise<string> => {
    const client = createRegistryClient({
      clock: { ...realClock, setTimer: (_delayMs, fire) => realClock.setTimer(0, fire) },
      random: seededRandom(1),
      registries: { [host]: settings },
      credentials: () => Promise.resolve(undefined),
    });
    const repository = client.repository(registryReference(`${host}/box:1`));
    return repository.digestOf('1', new AbortController().signal).finally(() => client.close());
  };

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'hm-tls-'));
    await certify('right', 'IP:127.0.0.1');
    await certify('other', 'IP:127.0.0.1');
    const [key, cert] = await Promise.all(['key', 'pem'].map((kind) => readFile(join(dir, `right.${kind}`))));
    server = createServer({ key: key!, cert: cert! }, (_, response) => {
      asked += 1;
      response.writeHead(200, { 'docker-content-digest': digest }).end();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    server.closeAllConnections();
    server.close();
    await rm(dir, { recursive: true });
  });

  it.each([
    ['its own authority', () => ({ caFile: join(dir, 'right.pem') })],
    ['an explicit wish not to check', () => ({ insecure: true })],
  ])('is taken with %s', async (_, settings) => expect(await ask(settings())).toBe(digest));

  it.each([
    ['without either', () => ({})],
    ['with another authority', () => ({ caFile: join(dir, 'other.pem') })],
    ['with an authority that is not there', () => ({ caFile: join(dir, 'none.pem') })],
    ['with an authority that is no certificate', () => ({ caFile: join(dir, 'right.key') })],
    ['by plain HTTP', () => ({ plainHttp: true })],
  ])('is refused %s, and never hears the question', async (_, settings) => {
    asked = 0;
    const { code, evidence } = await refusal(ask(settings()));
    expect([code, evidence['registry']]).toEqual(['HM-REGISTRY-UNREACHABLE', host]);
    expect(asked).toBe(0);
  });
});
