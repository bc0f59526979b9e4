/**
 * What every network driver promises, whatever moves its packets. Real traffic is the Linux arm's own business; the
 * containers of an arm are processes that hold a network namespace.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NodeNetwork, Publication } from '../../../protocols/network/model.ts';
import type { NetworkDriver } from '../../../protocols/ports.ts';
import { newCall, refusal } from '../../kit/port-call.ts';

export interface NetworkDriverArm {
  readonly network: NetworkDriver;
  readonly node: NodeNetwork;
  /** The same machine met by the next life of the daemon. */
  again(): NetworkDriver;
  /** A process with a network namespace of its own; answers its pid. */
  container(): Promise<number>;
  /** Its process ends; resolves when its namespace is gone. */
  end(pid: number): Promise<void>;
  /** Something else on the machine listens on these ports, on all addresses. */
  occupy(port: number): Promise<void>;
  /** Somebody removed bridge, links and rules. */
  lose(): Promise<void>;
  /** One line for each thing of the driver's on the machine; equal when nothing changed. */
  traces(): Promise<readonly string[]>;
  close(): Promise<void>;
}

const publication = (hostPort: number, ...addresses: string[]): Publication => ({
  port: { hostAddress: '0.0.0.0', hostPort, containerPort: 80, protocol: 'tcp' },
  backends: addresses.map((address) => ({ address, port: 80 })),
});

export function networkDriverConformance(name: string, makeArm: () => Promise<NetworkDriverArm>): void {
  describe(`network driver: ${name}`, () => {
    let arm: NetworkDriverArm;
    beforeEach(async () => {
      arm = await makeArm();
    });
    afterEach(() => arm.close());

    const ensure = (driver = arm.network) => driver.ensureNode(arm.node, newCall());
    const attach = (id: string, pid: number, address: string, driver = arm.network) =>
      driver.attach({ id, pid, address }, newCall());
    const detach = (id: string) => arm.network.detach({ id }, newCall());
    const list = async (driver = arm.network) =>
      (await driver.list({}, newCall())).attachments.map(({ id, address }) => `${id} ${address}`).sort();

    it('makes the node network once and leaves it alone when it is right', async () => {
      expect(await arm.traces()).toEqual([]);
      await ensure();
      const made = await arm.traces();
      expect(made).not.toEqual([]);
      await ensure();
      await ensure(arm.again());
      expect(await arm.traces()).toEqual(made);
    });

    it('tells what went over the links of those that are attached', async () => {
      await ensure();
      await attach('shop-web-1-7.1.1', await arm.container(), '10.42.0.2');
      const traffic = async () =>
        (await arm.network.traffic({ ids: ['shop-web-1-7.1.1', 'never-was'] }, newCall())).traffic;
      const [one, ...more] = await traffic();
      expect([one?.id, more]).toEqual(['shop-web-1-7.1.1', []]);
      for (const flow of [one!.received, one!.sent])
        for (const count of Object.values(flow)) expect(count).toBeGreaterThanOrEqual(0);
      await detach('shop-web-1-7.1.1');
      expect(await traffic()).toEqual([]);
    });

    it('attaches, lists and detaches; each twice is as once', async () => {
      await ensure();
      const [one, two] = [await arm.container(), await arm.container()];
      await attach('shop-web-1-7.1.1', one, '10.42.0.2');
      await attach('shop-web-2-7.1.1', two, '10.42.0.3');
      await attach('shop-web-1-7.1.1', one, '10.42.0.2');
      expect(await list()).toEqual(['shop-web-1-7.1.1 10.42.0.2', 'shop-web-2-7.1.1 10.42.0.3']);
      await detach('shop-web-1-7.1.1');
      await detach('shop-web-1-7.1.1');
      await detach('never-was');
      expect(await list()).toEqual(['shop-web-2-7.1.1 10.42.0.3']);
    });

    it('keeps the links of a daemon that died', async () => {
      await ensure();
      await attach('web', await arm.container(), '10.42.0.2');
      const next = arm.again();
      expect(await list(next)).toEqual(['web 10.42.0.2']);
      await ensure(next);
      expect(await list(next)).toEqual(['web 10.42.0.2']);
    });

    it('loses a link with its container, and gives its name and address to the next', async () => {
      await ensure();
      const first = await arm.container();
      await attach('web', first, '10.42.0.2');
      await arm.end(first);
      expect(await list()).toEqual([]);
      await attach('web', await arm.container(), '10.42.0.2');
      expect(await list()).toEqual(['web 10.42.0.2']);
    });

    it('mends what somebody removed', async () => {
      await ensure();
      const made = await arm.traces();
      await arm.network.publish({ publications: [publication(8080, '10.42.0.2')] }, newCall());
      const published = await arm.traces();
      await arm.lose();
      expect(await arm.traces()).toEqual([]);
      await ensure();
      await arm.network.publish({ publications: [publication(8080, '10.42.0.2')] }, newCall());
      expect(await arm.traces()).toEqual(published);
      await arm.network.publish({ publications: [] }, newCall());
      expect(await arm.traces()).toEqual(made);
    });

    it('refuses an address outside its block, and any without a bridge', async () => {
      const pid = await arm.container();
      expect((await refusal(attach('web', pid, '10.42.0.2'))).code).toBe('HM-NETWORK-DRIVER');
      await ensure();
      expect((await refusal(attach('web', pid, '10.43.0.2'))).code).toBe('HM-NETWORK-DRIVER');
      expect(await list()).toEqual([]);
    });

    it('takes addresses of each of its blocks, and of those alone', async () => {
      const more = { block: '10.42.3.64/26', gateway: '10.42.3.65' };
      const grown = { ...arm.node, blocks: [...arm.node.blocks, more] as const };
      await ensure();
      const [near, far] = [await arm.container(), await arm.container()];
      await attach('near', near, '10.42.0.2');
      expect((await refusal(attach('far', far, '10.42.3.66'))).code).toBe('HM-NETWORK-DRIVER');
      await arm.network.ensureNode(grown, newCall());
      await attach('far', far, '10.42.3.66');
      for (const wrong of ['10.42.3.2', '10.42.3.128', '10.42.3.65', '10.42.0.1'])
        expect((await refusal(attach('wrong', far, wrong))).code).toBe('HM-NETWORK-DRIVER');
      expect(await list()).toEqual(['far 10.42.3.66', 'near 10.42.0.2']);
      const made = await arm.traces();
      await arm.again().ensureNode(grown, newCall());
      expect(await arm.traces()).toEqual(made);
      await arm.network.purge({}, newCall());
      expect(await arm.traces()).toEqual([]);
    });

    it('keeps static addresses beside the one of the pool, and refuses those of the pool', async () => {
      await ensure();
      const pid = await arm.container();
      const on = (address: string) => [{ id: 'shop_lan', address, subnet: address.replace(/\d+$/, '0/24') }];
      const request = { id: 'db', pid, address: '10.42.0.2', networks: on('172.28.0.9') };
      await arm.network.attach(request, newCall());
      await arm.network.attach(request, newCall());
      const held = [{ id: 'db', address: '10.42.0.2', fixed: ['172.28.0.9'] }];
      expect(await arm.again().list({}, newCall())).toEqual({ attachments: held });
      const wrong = { ...request, id: 'wrong', networks: on('10.42.9.9') };
      expect((await refusal(arm.network.attach(wrong, newCall()))).code).toBe('HM-NETWORK-SUBNET');
      await arm.network.purge({}, newCall());
      expect(await arm.traces()).toEqual([]);
    });

    it('knows which ports others listen on, and does not count its own', async () => {
      await ensure();
      const port = { hostAddress: '0.0.0.0', hostPort: 8080, protocol: 'tcp' as const };
      await arm.network.publish({ publications: [publication(8080, '10.42.0.2')] }, newCall());
      expect(await arm.network.taken({ ports: [port] }, newCall())).toEqual({ taken: [] });
      await arm.occupy(8081);
      const ports = [port, { ...port, hostPort: 8081 }, { ...port, hostPort: 8082 }];
      expect(await arm.network.taken({ ports }, newCall())).toEqual({ taken: [ports[1]] });
      expect(await arm.network.taken({ ports: [] }, newCall())).toEqual({ taken: [] });
    });

    it('knows the addresses of the machine, its own of the bridge among them', async () => {
      // Link-local ones come when the kernel is done asking for duplicates, a second after their link.
      const held = async () =>
        (await arm.network.addresses({}, newCall())).addresses.filter((one) => !one.startsWith('fe80:'));
      const before = await held();
      expect(before).toEqual(expect.arrayContaining(['127.0.0.1', '192.0.2.1']));
      await ensure();
      expect(await held()).toEqual([...before, '10.42.0.1'].sort());
    });

    it('leaves nothing after a purge, which may be repeated and come first', async () => {
      await arm.network.purge({}, newCall());
      await ensure();
      await attach('web', await arm.container(), '10.42.0.2');
      await arm.network.publish({ publications: [publication(8080, '10.42.0.2')] }, newCall());
      await arm.again().purge({}, newCall());
      expect(await arm.traces()).toEqual([]);
      expect(await list()).toEqual([]);
      await arm.network.purge({}, newCall());
      await ensure();
      expect(await list()).toEqual([]);
    });
  });
}
