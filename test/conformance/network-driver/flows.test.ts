/** Callers by UDP who go on calling from the same port while the containers behind a published port are replaced. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { NodeNetwork } from '../../../protocols/network/model.ts';
import { createLinuxNetwork, type LinuxNetwork } from '../../../runtime/drivers/network/linux/driver.ts';
import { realClock } from '../../kit/containerd.ts';
import { newCall } from '../../kit/port-call.ts';
import { until } from '../../kit/until.ts';
import { missingForNetwork, openMachine, type Machine, type Station } from './machine.ts';

const missing = missingForNetwork();
const node: NodeNetwork = {
  bridge: 'hive0',
  blocks: [{ block: '10.42.0.0/26', gateway: '10.42.0.1' }],
  pool: '10.42.0.0/16',
  mtu: 1500,
  tag: 'a1',
};
/** How long an answer is waited for that may be lost. */
const lostMs = 300;
const one = '10.42.0.2';
const two = '10.42.0.3';

describe.skipIf(missing)(`flows of UDP${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let machine: Machine;
  let network: LinuxNetwork;
  let callers: readonly (readonly [who: string, from: Station, to: string])[];

  const publish = (...addresses: string[]) => {
    const backends = addresses.map((address) => ({ address, port: 80 }));
    const port = { hostAddress: '0.0.0.0', hostPort: 8080, containerPort: 80, protocol: 'udp' as const };
    return network.publish({ publications: [{ port, backends }] }, newCall());
  };
  const named = (said: string): string => said.split(' ')[0]!;
  const hears = (from: Station, wanted: string) =>
    until(`the flow says ${wanted}`, async () => named(await from.talk('flow', lostMs)) === wanted);

  beforeAll(async () => {
    machine = await openMachine();
    network = createLinuxNetwork({ clock: realClock, tag: 'a1', netns: machine.netns });
    await network.ensureNode(node, newCall());
    const other = await machine.container();
    for (const [name, address] of [
      ['one', one],
      ['two', two],
    ] as const) {
      const station = await machine.container();
      await network.attach({ id: name, pid: station.pid, address }, newCall());
      await station.serve('udp', 80, name);
    }
    await network.attach({ id: 'other', pid: other.pid, address: '10.42.0.4' }, newCall());
    callers = [
      ['the world', machine.outside, machine.nodeAddress],
      ['the machine itself', machine.node, '127.0.0.1'],
      ['another container', other, machine.nodeAddress],
    ];
  });
  afterAll(() => machine?.close());

  it.each([0, 1, 2])('follow their port to a container that replaces another, and back', async (which) => {
    const [, from, to] = callers[which]!;
    await publish(one);
    expect(named(await from.keep('flow', to, 8080, 'udp'))).toBe('one');
    for (const [address, name] of [
      [two, 'two'],
      [one, 'one'],
      [two, 'two'],
    ] as const) {
      await publish(address);
      await hears(from, name);
      // The table is written anew: one more may be lost, and none goes elsewhere.
      await publish(address);
      await hears(from, name);
      for (let n = 0; n < 5; n++) expect(named(await from.talk('flow'))).toBe(name);
    }
  });

  it('stay where they are while that container is there, whoever comes and goes', async () => {
    await publish(one);
    const { outside, nodeAddress } = machine;
    expect(named(await outside.keep('flow', nodeAddress, 8080, 'udp'))).toBe('one');
    for (const ends of [[one, two], [one], [one, two]]) {
      await publish(...ends);
      for (let n = 0; n < 5; n++) expect(named(await outside.talk('flow'))).toBe('one');
    }
  });

  it('are refused when nothing is behind their port any more', async () => {
    await publish(one);
    const { outside, nodeAddress } = machine;
    expect(named(await outside.keep('flow', nodeAddress, 8080, 'udp'))).toBe('one');
    await publish();
    await hears(outside, 'ECONNREFUSED');
  });

  it('are looked after only where the kernel can', async () => {
    expect(await machine.node.run('nft', 'list', 'tables')).not.toContain('check');
    expect(await machine.node.run('nft', 'list', 'table', 'ip', 'hivemind_a1')).toContain('set moved');
  });
});
