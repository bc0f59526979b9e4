/** Host ports through the API: those that nobody named are assigned by what the machine's listeners leave. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PortSpec } from '../../../../protocols/apps/model.ts';
import type { AppView } from '../../../../protocols/apps/status.ts';
import { limits } from '../../../../protocols/limits.ts';
import type { MemoryNetwork } from '../../../../runtime/drivers/network/memory/memory-network.ts';
import { apiRig, app, service, type ApiRig } from '../rig.ts';

let rig: ApiRig;
beforeAll(async () => {
  rig = await apiRig();
});
afterAll(() => rig.end());

/** Ports that something else listens on. */
const foreign = (): Set<number> => (rig.node.ports.network as MemoryNetwork).foreign;
const json = { 'content-type': 'application/json' };
const first = limits.portRangeFirst;
const port = (more: Partial<PortSpec> = {}): PortSpec => ({
  hostAddress: '0.0.0.0',
  hostPort: 0,
  containerPort: 80,
  protocol: 'tcp',
  ...more,
});
const spec = (name: string, ...ports: PortSpec[]) => app(name, service('web', { ports }));
const shown = async (name: string): Promise<readonly number[]> => {
  const { json: found } = await rig.ask('GET', `/v1/apps/${name}`);
  return (found as { view: AppView }).view.services[0]!.ports.map(({ hostPort }) => hostPort);
};

test('is shown wherever the app is, survives the next deploy, and a plan of the same changes nothing', async () => {
  foreign().add(first);
  await rig.deploy(spec('a', port()));
  expect(await shown('a')).toEqual([first + 1]);
  foreign().delete(first);
  await rig.deploy(spec('a', port()));
  expect(await shown('a')).toEqual([first + 1]);
  const { json: plan } = await rig.ask('POST', '/v1/apps/a/plan', {
    headers: json,
    body: JSON.stringify({ spec: spec('a', port()) }),
  });
  expect(plan).toMatchObject({ changed: false });
  await rig.deploy(spec('b', port(), port({ protocol: 'udp', containerPort: 53 })));
  expect(await shown('b')).toEqual([first, first]);
});

test('an address that no port can be published at is refused at the deploy and in a plan', async () => {
  const body = JSON.stringify({ spec: spec('six', port({ hostAddress: 'fe80::1', hostPort: 8080 })) });
  for (const [method, path] of [
    ['PUT', '/v1/apps/six'],
    ['POST', '/v1/apps/six/plan'],
  ] as const) {
    const { status, json: problem } = await rig.ask(method, path, { headers: json, body });
    expect([status, (problem as { code: string }).code]).toEqual([422, 'HM-PORT-ADDRESS']);
  }
});

test('an address that the node lacks is told by plan, deploy and why, until it is there', async () => {
  const lacking = spec('lacking', port({ hostAddress: '192.0.2.9', hostPort: 9000 }));
  const body = JSON.stringify({ spec: lacking });
  const warning = {
    code: 'HM-PORT-ADDRESS',
    message:
      'lacking/web publishes at 192.0.2.9, which this node does not have: it has 10.42.0.1, 127.0.0.1, 192.0.2.1, ::1',
  };
  const asked = await rig.ask('POST', '/v1/apps/lacking/plan', { headers: json, body });
  const taken = await rig.ask('PUT', '/v1/apps/lacking', { headers: json, body });
  for (const { json: answer } of [asked, taken]) expect(answer).toMatchObject({ warnings: [warning] });
  await rig.deploy(lacking);
  const why = async () => (await rig.ask('GET', '/v1/containers/lacking%2Fweb.1/why')).json;
  expect(await why()).toMatchObject({ reasons: [warning] });
  const network = rig.node.ports.network as MemoryNetwork;
  network.own = [...network.own, '192.0.2.9'];
  expect(await why()).toMatchObject({ reasons: [] });
  expect((await rig.ask('PUT', '/v1/apps/lacking', { headers: json, body })).json).not.toHaveProperty(
    'warnings',
  );
});
