/** Secrets through the API of a real node: values go in and never come out. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { limits } from '../../../protocols/limits.ts';
import type { SecretView } from '../../../protocols/security/model.ts';
import { secretText } from '../../../runtime/secrets/secret-text.ts';
import { newCall } from '../../kit/port-call.ts';
import { apiRig, app, linesOf, service, type ApiRig, type Answer } from './rig.ts';

let rig: ApiRig;
beforeAll(async () => void (rig = await apiRig()));
afterAll(() => rig.end());

const bytes = (body: string | Uint8Array) => ({
  body,
  headers: { 'content-type': 'application/octet-stream' },
});
const set = (name: string, value: string | Uint8Array) => rig.ask('PUT', `/v1/secrets/${name}`, bytes(value));
const rotate = (name: string, value: string) => rig.ask('POST', `/v1/secrets/${name}/rotate`, bytes(value));
const show = async (name: string) => (await rig.ask('GET', `/v1/secrets/${name}`)).json as SecretView;
const codeOf = ({ json }: Answer) => (json as { code?: string }).code;

/** Everything the store holds now, as text. */
async function storeText(): Promise<string> {
  const { kvs } = await rig.node.ports.store.list({ prefix: '' }, newCall());
  return JSON.stringify(kvs);
}

describe('secrets', () => {
  it('have versions; the same value is no new one, and only so many are kept', async () => {
    expect((await set('db', 'one')).json).toEqual({ name: 'db', version: 1, changed: true });
    expect((await set('db', 'one')).json).toEqual({ name: 'db', version: 1, changed: false });
    for (let nth = 2; nth <= limits.secretVersions + 3; nth++) await rotate('db', `value ${nth}`);
    const { version, versions } = await show('db');
    expect(version).toBe(limits.secretVersions + 3);
    expect(versions).toHaveLength(limits.secretVersions);
    const sealed = await rig.node.ports.store.list({ prefix: 'sealed/secrets/db/' }, newCall());
    expect(sealed.kvs).toHaveLength(limits.secretVersions);
  });

  it('are lost by nobody when many set one at once', async () => {
    const answers = await Promise.all(['a', 'b', 'c'].map((value) => set('raced', value)));
    const written = answers.filter(({ status }) => status === 200);
    expect(new Set(written.map(({ json }) => (json as { version: number }).version)).size).toBe(
      written.length,
    );
    expect((await show('raced')).version).toBe(written.length);
  });

  it('show no value, in no answer, error or store row', async () => {
    const marker = 'PLANTED-e0b1c4';
    const encodings = [marker, Buffer.from(marker).toString('base64'), Buffer.from(marker).toString('hex')];
    const answers = [
      await set('planted', marker),
      await rotate('planted', `${marker}2`),
      await set('bad%20name', marker),
      await rotate('absent', marker),
      await set('large', marker.repeat(limits.secretBytes / 8)),
      await rig.ask('GET', '/v1/secrets'),
      await rig.ask('GET', '/v1/secrets/planted'),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 400, 404, 422, 200, 200]);
    const all = answers.map(({ text }) => text).join() + (await storeText());
    for (const text of encodings) expect(all).not.toContain(text);
  });

  it('are refused without a value, with a wrong name, and when they are unknown', async () => {
    expect(codeOf(await rig.ask('PUT', '/v1/secrets/empty'))).toBe('HM-API-REQUEST');
    expect(codeOf(await set('-x', 'v'))).toBe('HM-API-REQUEST');
    expect(codeOf(await rig.ask('GET', '/v1/secrets/none'))).toBe('HM-SECRET-UNKNOWN');
    expect(codeOf(await rig.ask('DELETE', '/v1/secrets/none'))).toBe('HM-SECRET-UNKNOWN');
  });

  it('are not removed while an app uses them', async () => {
    await set('held', 'v');
    const web = service('web', { files: [{ kind: 'secret', source: 'pw', target: '/run/secrets/pw' }] });
    await rig.deploy({ ...app('holder', web), secrets: { pw: { name: 'pw', externalName: 'held' } } });
    expect((await show('held')).usedBy).toEqual(['holder/web']);
    const refused = await rig.ask('DELETE', '/v1/secrets/held');
    expect(codeOf(refused)).toBe('HM-SECRET-USED');
    expect(refused.text).toContain('hivemind rm holder');
    await rig.ask('DELETE', '/v1/apps/holder');
    await expect
      .poll(async () => (await rig.ask('DELETE', '/v1/secrets/held')).status, { timeout: 10_000 })
      .toBe(200);
    expect(await storeText()).not.toContain('secrets/held');
  });

  it('are listed as everything is: in pages, filtered, and watched', async () => {
    for (const name of ['listed-a', 'listed-b', 'listed-c']) await set(name, 'PLANTED-listed');
    const first = await rig.ask('GET', '/v1/secrets?filter=name:listed-*&sort=-name&limit=2&fields=name');
    const { secrets, nextPageToken } = first.json as { secrets: object[]; nextPageToken: string };
    expect(secrets).toEqual([{ name: 'listed-c' }, { name: 'listed-b' }]);
    const rest = `limit=2&fields=name&pageToken=${nextPageToken}`;
    expect((await rig.ask('GET', `/v1/secrets?filter=name:listed-*&sort=-name&${rest}`)).json).toEqual({
      secrets: [{ name: 'listed-a' }],
    });
    const watched = await rig.open('/v1/secrets?watch=true&filter=name:listed-*&fields=name,version');
    const lines = linesOf(watched);
    const next = async () =>
      JSON.parse((await lines.next()).value as string) as { type: string; row?: object };
    const seen = [await next(), await next(), await next(), await next()];
    expect(seen.map(({ type }) => type)).toEqual(['row', 'row', 'row', 'synced']);
    await rotate('listed-b', 'PLANTED-again');
    expect(await next()).toEqual({ type: 'changed', row: { name: 'listed-b', version: 2 } });
    expect(JSON.stringify(seen)).not.toContain('PLANTED');
    watched.destroy();
  });

  it('may be read by the node itself, as credentials of a registry', async () => {
    await set('registry.localhost:5000', 'user:pass\n');
    const { ports } = rig.node;
    expect(await secretText(ports, 'registry.localhost:5000', newCall())).toBe('user:pass');
    for (const name of ['registry.elsewhere.example', 'no/name'])
      expect(await secretText(ports, name, newCall())).toBeUndefined();
  });

  it('go under a new key without a new version', async () => {
    await set('rekeyed', 'v');
    const key = 'sealed/secrets/rekeyed/00000001';
    const sealed = async () =>
      (await rig.node.ports.store.get({ key }, newCall())).kv!.value as { keyId: string; body: string };
    const before = await sealed();
    const { json } = await rig.ask('POST', '/v1/secrets/rekey');
    const after = await sealed();
    expect(after.keyId).toBe((json as { keyId: string }).keyId);
    expect(after.keyId).not.toBe(before.keyId);
    expect(after.body).toBe(before.body);
    expect((await set('rekeyed', 'v')).json).toMatchObject({ version: 1, changed: false });
  });
});
