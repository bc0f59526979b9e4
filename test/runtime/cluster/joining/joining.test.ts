/** Joining over a real TLS port: what a node is given, and everything that keeps it out. */
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:https';
import { createServer, type AddressInfo } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { coded } from '../../../../protocols/errors.ts';
import { limits } from '../../../../protocols/limits.ts';
import { keys } from '../../../../protocols/state/keys.ts';
import {
  issueCertificate,
  makeAuthority,
  requestCertificate,
} from '../../../../runtime/cluster/certificates/authority.ts';
import { readAuthority } from '../../../../runtime/cluster/cluster-store.ts';
import { listMembers } from '../../../../runtime/cluster/members.ts';
import { listJoinTokens, revokeJoinToken } from '../../../../runtime/cluster/joining/join-tokens.ts';
import { realRandom } from '../../../../runtime/world/real-random.ts';
import { nodeIdOf, readCredential } from '../../../../transport/secure/credentials.ts';
import { peerOf } from '../../../../transport/secure/tls-identity.ts';
import { ClusterDesk, newKey, refusalOf } from './desk.ts';

let desk: ClusterDesk;
beforeEach(async () => {
  desk = await new ClusterDesk().open();
});
afterEach(async () => {
  await desk.close();
  expect(desk.failures).toEqual([]);
});

test('a token gives a node its certificate, its credential and the keys, and its name a row', async () => {
  const { privateKey, publicKey } = newKey();
  const id = nodeIdOf(publicKey);
  const given = await desk.join('n2', await desk.token(), { key: privateKey });
  const certificate = new X509Certificate(given.certificate);
  const now = desk.ports.now();
  expect(peerOf(certificate, { label: given.label, now })).toMatchObject({ id, name: 'n2', role: 'agent' });
  expect(certificate.verify(new X509Certificate(given.authority).publicKey)).toBe(true);
  const credential = readCredential(Buffer.from(given.credential, 'base64'), {
    authorities: [new X509Certificate(given.authority).publicKey],
    label: given.label,
    nowSeconds: Math.floor(now / 1_000),
  });
  expect(credential).toMatchObject({ id, name: 'n2' });
  expect(given.gossipKeys.map((key) => Buffer.from(key, 'base64').length)).toEqual([32]);
  expect(await listMembers(desk.ports)).toMatchObject([{ name: 'n2', id, role: 'agent' }]);
});

test('the store holds neither secrets of tokens nor private keys', async () => {
  const token = await desk.token();
  await desk.join('n2', token);
  const { kvs } = await desk.store.list({ prefix: '' });
  const text = JSON.stringify(kvs);
  expect(text).not.toContain(token.split('.')[3]);
  expect(text).not.toContain('PRIVATE KEY');
});

test('tokens that are wrong, spent, expired or revoked let nobody in', async () => {
  const good = await desk.token({ uses: 1 });
  const wrong = good.slice(0, -1) + (good.endsWith('0') ? '1' : '0');
  expect(await refusalOf(desk.join('n2', wrong))).toMatchObject({ code: 'HM-CLUSTER-TOKEN' });
  await desk.join('n2', good);
  expect((await refusalOf(desk.join('n3', good)))?.message).toContain('used by 1 of 1');
  const short = await desk.token({ ttlMs: 1_000 });
  desk.skewMs = 2_000;
  expect((await refusalOf(desk.join('n3', short)))?.message).toContain('has expired');
  const revoked = await desk.token();
  await revokeJoinToken(desk.ports, revoked.split('.')[2]!);
  expect((await refusalOf(desk.join('n3', revoked)))?.message).toContain('was revoked');
  expect((await listMembers(desk.ports)).map(({ name }) => name)).toEqual(['n2']);
});

test('a node whose answer was lost asks again with the same token and key', async () => {
  const { privateKey } = newKey();
  const token = await desk.token({ uses: 1 });
  await desk.join('n2', token, { key: privateKey });
  await desk.join('n2', token, { key: privateKey, address: { host: '10.0.0.10', port: 4484 } });
  expect(await listMembers(desk.ports)).toMatchObject([{ name: 'n2', address: { host: '10.0.0.10' } }]);
  expect(await listJoinTokens(desk.ports)).toMatchObject([{ used: 1, uses: 1 }]);
});

test('a token of another cluster, and one with another fingerprint: nothing of it is sent', async () => {
  const heard: unknown[] = [];
  const join = (wish: unknown): never => {
    heard.push(wish);
    throw new Error('it was asked');
  };
  const seeds = [await desk.listen(newKey(), 'server', { join })];
  const other = await new ClusterDesk().open();
  const token = await other.token();
  await other.close();
  expect(await refusalOf(desk.join('n2', token, { seeds }))).toMatchObject({ code: 'HM-CLUSTER-FOREIGN' });
  const [start, , id, secret] = (await desk.token()).split('.');
  const changed = [start, token.split('.')[1], id, secret].join('.');
  expect(await refusalOf(desk.join('n2', changed, { seeds }))).toMatchObject({
    code: 'HM-CLUSTER-FOREIGN',
    message: expect.stringContaining(`${seeds[0]!.port}`),
  });
  expect(heard).toEqual([]);
});

test('who shows the right authority behind a certificate of his own is told nothing', async () => {
  const { label, certificate } = await readAuthority(desk.ports);
  const impostor = await makeAuthority(realRandom, { label, now: desk.ports.now() });
  const { privateKey, publicKey } = newKey();
  const leaf = { label, name: 'n1', role: 'server', key: publicKey, now: desk.ports.now() } as const;
  const heard: string[] = [];
  const liar = createTlsServer({
    key: privateKey.export({ format: 'pem', type: 'pkcs8' }),
    // Named as issued by the authority, and signed by another key.
    cert: `${await issueCertificate(realRandom, { certificate, key: impostor.key }, leaf)}\n${certificate}`,
  });
  liar.on('secureConnection', (socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => heard.push(String(bytes)));
  });
  liar.listen(0, '127.0.0.1');
  await once(liar, 'listening');
  const seeds = [{ host: '127.0.0.1', port: (liar.address() as AddressInfo).port }];
  expect(await refusalOf(desk.join('n2', await desk.token(), { seeds }))).toMatchObject({
    code: 'HM-CLUSTER-FOREIGN',
  });
  expect(heard).toEqual([]);
  liar.close();
});

test('a name is its node’s until that is dead or has left', async () => {
  const first = newKey();
  await desk.join('n2', await desk.token(), { key: first.privateKey });
  expect(await refusalOf(desk.join('n2', await desk.token()))).toMatchObject({
    code: 'HM-NODE-NAME-TAKEN',
    hint: expect.stringContaining('--name'),
  });
  desk.gone.add(nodeIdOf(first.publicKey));
  const second = newKey();
  await desk.join('n2', await desk.token(), { key: second.privateKey });
  expect(await listMembers(desk.ports)).toMatchObject([{ name: 'n2', id: nodeIdOf(second.publicKey) }]);
  // Who lost the name is no member any more, whatever its certificate says.
  const renewal = desk.admission.renew(
    { name: 'n2', id: nodeIdOf(first.publicKey) },
    {
      request: await requestCertificate(first.privateKey, 'n2'),
      address: { host: '10.0.0.2', port: 4484 },
      zone: '',
      now: desk.ports.now(),
    },
  );
  expect(await refusalOf(renewal)).toMatchObject({
    code: 'HM-NODE-NAME-LOST',
    evidence: { holder: nodeIdOf(second.publicKey) },
  });
});

test('two nodes that claim one name at the same time: one has it', async () => {
  const token = await desk.token();
  const outcomes = await Promise.all(['a', 'b', 'c'].map(() => refusalOf(desk.join('n2', token))));
  expect(outcomes.filter((because) => because === undefined)).toHaveLength(1);
  expect(outcomes.filter((because) => because?.code === 'HM-NODE-NAME-TAKEN')).toHaveLength(2);
});

test('who takes a name over joined after all that its former owner was given, and not before it', async () => {
  const former = newKey();
  const address = { host: '10.0.0.9', port: 4484 };
  await desk.join('n2', await desk.token(), { key: former.privateKey });
  desk.gone.add(nodeIdOf(former.publicKey));
  const renewal = { request: await requestCertificate(former.privateKey, 'n2'), address, zone: '' };
  const token = await desk.token();
  const before = desk.ports.now();
  const txn = desk.store.txn.bind(desk.store);
  // It is given another certificate a little later, while the claim is under way.
  const write = vi.spyOn(desk.store, 'txn').mockImplementation(async (...args) => {
    write.mockRestore();
    desk.skewMs = 9_000;
    const wish = { ...renewal, now: desk.ports.now() };
    await desk.admission.renew({ name: 'n2', id: nodeIdOf(former.publicKey) }, wish);
    return txn(...args);
  });
  const second = newKey();
  await desk.join('n2', token, { key: second.privateKey });
  const joinedAt = async () => (await listMembers(desk.ports))[0]!.joinedAt;
  const secondAt = await joinedAt();
  expect(secondAt - before).toBeGreaterThanOrEqual(9_000);
  // The server's clock was ahead, and is set right.
  desk.skewMs = 0;
  desk.gone.add(nodeIdOf(second.publicKey));
  await desk.join('n2', await desk.token());
  expect(await joinedAt()).toBe(secondAt);
});

test('a node that comes under another name gives the first one back; who left has none', async () => {
  const { privateKey, publicKey } = newKey();
  await desk.join('n2', await desk.token(), { key: privateKey });
  await desk.join('n3', await desk.token(), { key: privateKey });
  expect((await listMembers(desk.ports)).map(({ name }) => name)).toEqual(['n3']);
  await desk.admission.leave({ name: 'n3', id: nodeIdOf(publicKey) });
  expect(await listMembers(desk.ports)).toEqual([]);
});

test('an hour off is said with both times, and the token is not used up', async () => {
  const token = await desk.token({ uses: 1, ttlMs: 10 * 3_600_000 });
  desk.skewMs = 3_600_000;
  const because = await refusalOf(desk.join('n2', token));
  expect(because).toMatchObject({ code: 'HM-CLUSTER-CLOCK' });
  expect(because?.message).toMatch(/the clock here says \S+Z, that of n2 says \S+Z: 3600 s apart/);
  desk.skewMs = 0;
  await desk.join('n2', token);
});

test('an agent sends who would join on to its server, and is told no secret', async () => {
  const agent = await desk.listen(newKey(), 'agent', { server: () => desk.address });
  const given = await desk.join('n2', await desk.token(), { seeds: [agent] });
  expect(given.server.name).toBe('n1');
});

test('seeds that do not answer are passed over, and named when none does', async () => {
  const mute = createServer((socket) => socket.end('220 no TLS here\r\n'));
  mute.listen(0, '127.0.0.1');
  await once(mute, 'listening');
  const seed = { host: '127.0.0.1', port: (mute.address() as AddressInfo).port };
  const nobody = { host: '127.0.0.1', port: 1 };
  const token = await desk.token();
  expect(await refusalOf(desk.join('n2', token, { seeds: [nobody, seed] }))).toMatchObject({
    code: 'HM-CLUSTER-JOIN',
    message: expect.stringMatching(new RegExp(`127.0.0.1:1: .*ECONNREFUSED.*; 127.0.0.1:${seed.port}: `)),
  });
  await desk.join('n2', token, { seeds: [nobody, seed, desk.address] });
  mute.close();
});

test('who guesses waits after a few wrong tokens, with the right one too', async () => {
  const good = await desk.token();
  const wrong = good.slice(0, -1) + (good.endsWith('0') ? '1' : '0');
  for (let at = 0; at < limits.joinWrongTries; at++)
    expect(await refusalOf(desk.join('n2', wrong))).toMatchObject({ code: 'HM-CLUSTER-TOKEN' });
  expect(await refusalOf(desk.join('n2', good))).toMatchObject({
    code: 'HM-API-BUSY',
    hint: expect.stringMatching(/Repeat it after \d+ s/),
  });
});

test('a renewal gives a later term on the same key, and a new address a new row', async () => {
  const { privateKey, publicKey } = newKey();
  const given = await desk.join('n2', await desk.token(), { key: privateKey });
  desk.skewMs = 60_000;
  const from = { name: 'n2', id: nodeIdOf(publicKey) };
  const wish = { address: { host: '10.0.0.77', port: 4484 }, zone: 'b', now: desk.ports.now() };
  const renewed = await desk.admission.renew(from, {
    ...wish,
    request: await requestCertificate(privateKey, 'n2'),
  });
  const end = (pem: string) =>
    peerOf(new X509Certificate(pem), { label: given.label, now: wish.now }).notAfterMs;
  expect(end(renewed.certificate) - end(given.certificate)).toBeGreaterThanOrEqual(59_000);
  expect(await listMembers(desk.ports)).toMatchObject([{ address: { host: '10.0.0.77' }, zone: 'b' }]);
  const foreign = desk.admission.renew(from, {
    ...wish,
    request: await requestCertificate(newKey().privateKey, 'n2'),
  });
  expect(await refusalOf(foreign)).toMatchObject({ code: 'HM-CLUSTER-CERTIFICATE' });
});

test('a renewal while the store takes no writes gives the certificate, and leaves the row as it is', async () => {
  const { privateKey, publicKey } = newKey();
  const given = await desk.join('n2', await desk.token(), { key: privateKey });
  const [before] = await listMembers(desk.ports);
  desk.skewMs = 60_000;
  vi.spyOn(desk.store, 'txn').mockRejectedValue(coded('HM-STORE-FOREIGN'));
  const renewed = await desk.admission.renew(
    { name: 'n2', id: nodeIdOf(publicKey) },
    {
      ...{ address: before!.address, zone: '', now: desk.ports.now() },
      request: await requestCertificate(privateKey, 'n2'),
    },
  );
  expect(renewed.certificate).not.toBe(given.certificate);
  expect(await listMembers(desk.ports)).toEqual([before]);
});

test('the keys of an answer are those in use when it is given, not when it was asked for', async () => {
  const { privateKey, publicKey } = newKey();
  const token = await desk.token();
  const txn = desk.store.txn.bind(desk.store);
  // An exchange ends while the row is written.
  const write = vi.spyOn(desk.store, 'txn').mockImplementation(async (...args) => {
    desk.gossipKeys = [Buffer.alloc(32, write.mock.calls.length).toString('base64')];
    return txn(...args);
  });
  const given = await desk.join('n2', token, { key: privateKey });
  expect(given.gossipKeys).toEqual([Buffer.alloc(32, 1).toString('base64')]);
  const address = { host: '10.0.0.9', port: 4484 };
  const wish = {
    request: await requestCertificate(privateKey, 'n2'),
    address,
    zone: '',
    now: desk.ports.now(),
  };
  const renewed = await desk.admission.renew({ name: 'n2', id: nodeIdOf(publicKey) }, wish);
  expect(renewed.gossipKeys).toEqual([Buffer.alloc(32, 2).toString('base64')]);
});

test('what is no request to join is refused at the door, and changes nothing', async () => {
  const { position } = await desk.store.status();
  const ask = (method: string, body: string): Promise<{ status: number; code: string }> =>
    new Promise((resolve, reject) => {
      const { host, port } = desk.address;
      const options = { host, port, method, path: '/v1/join', rejectUnauthorized: false };
      const asked = request(options, (response) => {
        let text = '';
        response.on('data', (part) => (text += String(part)));
        response.on('end', () => {
          const { reason } = JSON.parse(text) as { reason: { code: string } };
          resolve({ status: response.statusCode!, code: reason.code });
        });
      });
      asked.on('error', reject);
      asked.end(body);
    });
  const good = { token: { id: 'x', secret: 'y' }, name: 'n2', request: '', address: { host: 'h', port: 1 } };
  for (const [method, body, code] of [
    ['GET', '', 'HM-API-METHOD'],
    ['POST', '', 'HM-API-REQUEST'],
    ['POST', 'no JSON', 'HM-API-REQUEST'],
    ['POST', 'null', 'HM-API-REQUEST'],
    ['POST', JSON.stringify({ ...good, zone: '', labels: {}, now: 1, more: true }), 'HM-API-REQUEST'],
    ['POST', JSON.stringify({ ...good, name: '../n2', zone: '', labels: {}, now: 1 }), 'HM-API-REQUEST'],
    ['POST', JSON.stringify({ ...good, zone: '', labels: {}, now: 1 }), 'HM-CLUSTER-TOKEN'],
    ['POST', 'x'.repeat(limits.joinBytes + 1), 'HM-API-TOO-LARGE'],
  ] as const)
    expect([body.slice(0, 80), (await ask(method, body)).code]).toEqual([body.slice(0, 80), code]);
  expect((await desk.store.status()).position).toEqual(position);
});

test('tokens that ended are swept when one is made', async () => {
  await desk.token({ ttlMs: 1 });
  desk.skewMs = 10;
  await desk.token();
  expect((await desk.store.list({ prefix: keys.joinTokens })).kvs).toHaveLength(1);
});
