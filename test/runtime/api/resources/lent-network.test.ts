/** A service that has the network of another one, on a whole node: its address, its place, its end with the lender's. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SlotStatus } from '../../../../protocols/apps/status.ts';
import type { ContainerStatus } from '../../../../protocols/containers/model.ts';
import type { MemoryNames } from '../../../../runtime/drivers/dns/memory-names.ts';
import type { MemoryNetwork } from '../../../../runtime/drivers/network/memory/memory-network.ts';
import { newCall } from '../../../kit/port-call.ts';
import { until } from '../../../kit/until.ts';
import { apiRig, app, service, type ApiRig } from '../rig.ts';

let rig: ApiRig;
beforeAll(async () => {
  rig = await apiRig();
});
afterAll(() => rig.end());

const shop = (tag = '') =>
  app(
    'shop',
    service('vpn', { image: 'hello-web', environment: { TAG: tag } }),
    service('web', {
      image: 'hello-web',
      networkMode: 'service:vpn',
      dependsOn: [{ service: 'vpn', condition: 'started', restart: true }],
    }),
  );
const slots = async (): Promise<Readonly<Record<string, SlotStatus>>> => {
  const { json } = await rig.ask('GET', '/v1/containers');
  const listed = (json as { slots: readonly SlotStatus[] }).slots;
  return Object.fromEntries(listed.map((one) => [one.slot, one]));
};
const containers = async (slot: string): Promise<readonly ContainerStatus[]> =>
  (await rig.node.ports.containers.list({}, newCall())).containers.filter(
    ({ key, phase }) => key.slot === slot && phase === 'running',
  );

test('it has the address of the lender, is attached to nothing itself, and both names lead there', async () => {
  await rig.deploy(shop());
  const { 'shop/vpn.1': vpn, 'shop/web.1': web } = await slots();
  expect(web!.address).toBe(vpn!.address);
  const network = rig.node.ports.network as MemoryNetwork;
  expect([...network.attachments.values()].map(({ address }) => address)).toEqual([vpn!.address]);
  const names = rig.node.ports.names as MemoryNames;
  await until('the names are there', () => names.zone.names.length === 2);
  for (const name of ['web', 'vpn'])
    expect(names.ask(`${name}.shop.hive.internal`, 'A', '127.0.0.1')).toEqual({
      kind: 'addresses',
      addresses: [vpn!.address],
    });
});

test('it ends with the lender, and is made anew in the network of the next one', async () => {
  const [vpn] = await containers('shop/vpn.1');
  const [web] = await containers('shop/web.1');
  expect(web!.lender).toBe('shop/vpn.1');
  await rig.node.ports.containers.kill({ id: vpn!.id }, newCall());
  const [next] = await until('both run anew', async () => {
    const [lenders, sharers] = [await containers('shop/vpn.1'), await containers('shop/web.1')];
    const anew = lenders[0] && sharers[0] && lenders[0].id !== vpn!.id && sharers[0].id !== web!.id;
    return anew ? [lenders[0], sharers[0]] : undefined;
  });
  expect((await containers('shop/web.1'))[0]!.createdAt).toBeGreaterThanOrEqual(next!.createdAt);
});

test('it is made anew when the lender is replaced, and none of it is left when the app goes', async () => {
  const [before] = await containers('shop/web.1');
  await rig.deploy(shop('2'));
  const [after] = await containers('shop/web.1');
  expect(after!.id).not.toBe(before!.id);
  expect(after!.createdAt).toBeGreaterThanOrEqual((await containers('shop/vpn.1'))[0]!.createdAt);
  await rig.ask('DELETE', '/v1/apps/shop');
  await until('nothing is left', async () => Object.keys(await slots()).length === 0);
  expect((rig.node.ports.network as MemoryNetwork).attachments.size).toBe(0);
});

test('the lender cannot be scaled below what has its network', async () => {
  await rig.deploy(shop());
  const scale = (name: string, replicas: number) =>
    rig.ask('POST', '/v1/apps/shop/scale', {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ service: name, replicas }),
    });
  for (const [name, replicas] of [
    ['web', 2],
    ['vpn', 0],
  ] as const)
    expect((await scale(name, replicas)).json).toMatchObject({ code: 'HM-CONTAINER-PEER' });
  expect((await scale('vpn', 2)).status).toBe(200);
});
