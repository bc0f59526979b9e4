/** Configs and secrets of apps, from the API into containers: sealed at the door, in memory at the end, nowhere else. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AppSpec } from '../../../protocols/apps/model.ts';
import type { FileGrant, FileSource, ServiceParts } from '../../../protocols/apps/service-model.ts';
import type { SlotStatus } from '../../../protocols/apps/status.ts';
import type { Frame } from '../../../protocols/inspection.ts';
import { limits } from '../../../protocols/limits.ts';
import { newCall } from '../../kit/port-call.ts';
import { until } from '../../kit/until.ts';
import { apiRig, app, json, service, type Answer, type ApiRig } from './rig.ts';

let rig: ApiRig;
beforeAll(async () => void (rig = await apiRig()));
afterAll(() => rig.end());

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const grant = (source: string, more: Partial<FileGrant> = {}): FileGrant => ({
  kind: 'secret',
  source,
  target: `/run/secrets/${source}`,
  ...more,
});
const source = (name: string, more: Partial<FileSource>): Record<string, FileSource> => ({
  [name]: { name, ...more },
});
const withFiles = (name: string, files: FileGrant[], more: ServiceParts & Partial<AppSpec>): AppSpec => {
  const { secrets = {}, configs = {}, ...parts } = more;
  return { ...app(name, service('web', { files, ...parts } as never)), secrets, configs };
};
const deploy = (spec: AppSpec): Promise<Answer> => rig.ask('PUT', `/v1/apps/${spec.name}`, json({ spec }));
const setSecret = (name: string, value: string) =>
  rig.ask('PUT', `/v1/secrets/${name}`, {
    body: value,
    headers: { 'content-type': 'application/octet-stream' },
  });

const slot = async (name: string): Promise<SlotStatus | undefined> => {
  const { slots } = (await rig.ask('GET', '/v1/containers')).json as { slots: SlotStatus[] };
  return slots.find((one) => one.slot === `${name}/web.1`);
};
/** Contents of the files of the app's container, by path; only while it runs. */
const contents = async (name: string): Promise<Record<string, string> | undefined> => {
  const found = await slot(name);
  if (found?.phase !== 'running') return undefined;
  const files = rig.grants.runs.get(found.containerId ?? '')?.files.values() ?? [];
  return Object.fromEntries(
    [...files].map(({ path, content }) => [path, Buffer.from(content).toString()] as const),
  );
};
const settled = (name: string, expected: Record<string, string>) =>
  until(`${name} has ${JSON.stringify(expected)}`, async () => {
    const found = await contents(name);
    return found && JSON.stringify(found) === JSON.stringify(expected) ? found : undefined;
  });
const rows = async (prefix: string) =>
  (await rig.node.ports.store.list({ prefix }, newCall())).kvs.map(({ key }) => key);

describe('configs and secrets of an app', () => {
  it('reach its container and stand nowhere else', async () => {
    const marker = 'PLANTED-7f3a';
    const spec = withFiles('shop', [grant('pw'), grant('conf', { kind: 'config', target: '/etc/conf' })], {
      secrets: source('pw', { content: base64(marker) }),
      configs: source('conf', { content: base64(`${marker} too`) }),
    });
    const frames: Frame[] = [];
    const stop = rig.node.actors.watch((frame) => frames.push(frame));
    await rig.deploy(spec);
    await settled('shop', { 'whole/pw': marker, 'single/1': `${marker} too` });
    stop();
    expect(frames.length).toBeGreaterThan(10);
    const { entries } = await rig.node.ports.journal.read({ prefix: '' }, newCall());
    const shown = await rig.ask('GET', '/v1/apps/shop');
    expect(shown.text).toMatch(/"digest":"sha256:[0-9a-f]{64}"/);
    const transcript = await rig.ask('GET', '/v1/actors/transcript?limit=1000');
    const { kvs } = await rig.node.ports.store.list({ prefix: '' }, newCall());
    const contexts = rig.node.actors.tree().map(({ path }) => rig.node.actors.show(path));
    const everything = [
      shown.text,
      transcript.text,
      JSON.stringify(kvs),
      JSON.stringify([contexts, frames, entries]),
    ].join();
    for (const text of [marker, base64(marker), Buffer.from(marker).toString('hex')])
      expect(everything).not.toContain(text);
  });

  it('that stay the same are no new revision; what GET shows can be deployed again', async () => {
    const spec = withFiles('same', [grant('pw')], { secrets: source('pw', { content: base64('one') }) });
    expect((await deploy(spec)).json).toMatchObject({ revision: 1, changed: true });
    expect((await deploy(spec)).json).toMatchObject({ revision: 1, changed: false });
    const { spec: shown } = (await rig.ask('GET', '/v1/apps/same?reveal=true')).json as { spec: AppSpec };
    expect((await deploy(shown)).json).toMatchObject({ revision: 1, changed: false });
  });

  it('with another content make another container, as a plan says without saying more', async () => {
    const spec = (text: string) =>
      withFiles('changed', [grant('pw')], { secrets: source('pw', { content: base64(text) }) });
    await rig.deploy(spec('one'));
    await settled('changed', { 'whole/pw': 'one' });
    const before = await slot('changed');
    const plan = (text: string) => rig.ask('POST', '/v1/apps/changed/plan', json({ spec: spec(text) }));
    expect((await plan('one')).json).toMatchObject({ changed: false });
    const planned = await plan('two');
    expect(planned.json).toMatchObject({ changed: true, services: [{ name: 'web', action: 'replace' }] });
    const { services, fields } = planned.json as { services: unknown; fields: unknown };
    expect(JSON.stringify([services, fields])).not.toMatch(/[0-9a-f]{64}/);
    await rig.deploy(spec('two'));
    await settled('changed', { 'whole/pw': 'two' });
    expect((await slot('changed'))?.placement).toBe(before!.placement + 1);
    expect([...rig.grants.runs.keys()]).not.toContain(before!.containerId);
  });

  it('from the secret store follow its rotation', async () => {
    const spec = withFiles('outside', [grant('pw')], { secrets: source('pw', { externalName: 'theirs' }) });
    expect((await deploy(spec)).json).toMatchObject({ code: 'HM-SECRET-UNKNOWN' });
    await setSecret('theirs', 'one');
    await rig.deploy(spec);
    await settled('outside', { 'whole/pw': 'one' });
    const before = await slot('outside');
    await setSecret('theirs', 'two');
    await settled('outside', { 'whole/pw': 'two' });
    expect((await slot('outside'))?.placement).toBe(before!.placement + 1);
  });

  it.each([
    ['signal', { signal: 'SIGHUP' }, 'two'],
    ['none', 'none' as const, 'one'],
  ])('with onSecretChange %s keep their container', async (name, onSecretChange, expected) => {
    await setSecret(`kept-${name}`, 'one');
    const spec = withFiles(name, [grant('pw')], {
      secrets: source('pw', { externalName: `kept-${name}` }),
      onSecretChange,
    });
    await rig.deploy(spec);
    await settled(name, { 'whole/pw': 'one' });
    const before = await slot(name);
    await setSecret(`kept-${name}`, 'two');
    await until('the assignment names the new version', async () => {
      const { kv } = await rig.node.ports.store.get({ key: `nodes/n1/slots/${name}/web.1` }, newCall());
      return JSON.stringify(kv?.value).includes('00000002');
    });
    await settled(name, { 'whole/pw': expected });
    expect(await slot(name)).toMatchObject({ containerId: before!.containerId, restarts: 0 });
    await rig.ask('POST', `/v1/apps/${name}/restart`, json({}));
    await settled(name, { 'whole/pw': 'two' });
  });

  it('go with the app', async () => {
    const spec = withFiles('gone', [grant('pw')], { secrets: source('pw', { content: base64('one') }) });
    await rig.deploy(spec);
    const before = await slot('gone');
    expect(await rows('sealed/apps/gone/')).toHaveLength(1);
    await rig.ask('DELETE', '/v1/apps/gone');
    await until('the app is gone', async () => (await rig.ask('GET', '/v1/apps/gone')).status === 404);
    expect(await rows('sealed/apps/gone/')).toEqual([]);
    expect([...rig.grants.runs.keys()]).not.toContain(before!.containerId);
  });

  it('are refused when they are too large, too many, wrongly named or held by another app', async () => {
    const one = (content: string, name = 'pw') =>
      withFiles('refused', [], { secrets: source(name, { content }) });
    const large = Buffer.alloc(limits.secretBytes + 1).toString('base64');
    expect((await deploy(one(large))).json).toMatchObject({ code: 'HM-SECRET-LIMIT' });
    expect((await deploy(one(base64('x'), '../../etc'))).json).toMatchObject({ code: 'HM-API-REQUEST' });
    const many = Array.from({ length: limits.appFiles + 1 }, (_, nth) => [
      `s${nth}`,
      { name: `s${nth}`, content: base64(String(nth)) },
    ]);
    const much = { ...one(base64('x')), secrets: Object.fromEntries(many) as never };
    expect((await deploy(much)).json).toMatchObject({ code: 'HM-SECRET-LIMIT' });
    const { spec: shown } = (await rig.ask('GET', '/v1/apps/same?reveal=true')).json as { spec: AppSpec };
    const stolen = { ...shown, name: 'refused' };
    expect((await deploy(stolen)).json).toMatchObject({ code: 'HM-SECRET-UNKNOWN' });
    const held = { ...grant('pw'), held: { name: 'apps/same/secret.pw', version: 'x' } };
    expect((await deploy(withFiles('refused', [held], {}))).status).toBe(400);
    expect(await rows('sealed/apps/refused/')).toEqual([]);
  });

  it('that cannot be in memory keep the slot waiting, with the reason', async () => {
    rig.grants.broken = true;
    await deploy(withFiles('waits', [grant('pw')], { secrets: source('pw', { content: base64('one') }) }));
    await until('it says why', async () => (await slot('waits'))?.reason?.code === 'HM-SECRET-TMPFS');
    rig.grants.broken = false;
    await settled('waits', { 'whole/pw': 'one' });
  });
});
