/** What the Linux driver makes of the kernel's reports, and the commands it gives: text against text. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NodeBlock, NodeNetwork } from '../../../../protocols/network/model.ts';
import {
  attachmentOf,
  bridgeBatch,
  hardwareAddress,
  insideBatch,
  linkName,
  markedAlias,
  outsideBatch,
  switchedBy,
  type LinkReport,
} from '../../../../runtime/drivers/network/linux/links.ts';
import { collides, parseListeners } from '../../../../runtime/drivers/network/linux/listeners.ts';

const node: NodeNetwork = {
  bridge: 'hive0',
  blocks: [{ block: '10.42.0.0/26', gateway: '10.42.0.1' }],
  pool: '10.42.0.0/16',
  mtu: 1450,
  tag: 'a1',
};
const right: LinkReport = {
  ifname: 'hive0',
  flags: ['BROADCAST', 'UP'],
  mtu: 1450,
  address: '02:68:0a:2a:00:01',
  ifalias: 'hivemind/a1',
  linkinfo: { info_kind: 'bridge' },
  addr_info: [
    { family: 'inet', local: '10.42.0.1', prefixlen: 26 },
    { family: 'inet6', local: 'fe80::1', prefixlen: 64 },
  ],
};

describe('the bridge', () => {
  it('is made with all it needs', () => {
    expect(bridgeBatch(node, undefined, true)).toEqual([
      'link add name hive0 address 02:68:0a:2a:00:01 mtu 1450 type bridge',
      'link set dev hive0 addrgenmode none',
      'link set dev hive0 alias hivemind/a1',
      'address add 10.42.0.1/26 dev hive0',
      'link set dev hive0 up',
    ]);
    expect(bridgeBatch(node, undefined, false).join()).not.toContain('addrgenmode');
  });

  it.each<[string, Partial<LinkReport>, readonly string[], NodeBlock?]>([
    ['nothing', {}, []],
    ['nothing that a purge must remember', { ifalias: 'hivemind/a1+forwarding+redirects' }, []],
    ['its MTU', { mtu: 1500 }, ['link set dev hive0 mtu 1450']],
    [
      'its hardware address',
      { address: '02:00:00:00:00:01' },
      ['link set dev hive0 address 02:68:0a:2a:00:01'],
    ],
    ['that it is down', { flags: ['BROADCAST'] }, ['link set dev hive0 up']],
    [
      'the address of another block',
      { addr_info: [{ family: 'inet', local: '10.42.1.1', prefixlen: 26 }] },
      ['address delete 10.42.1.1/26 dev hive0', 'address add 10.42.0.1/26 dev hive0'],
    ],
    [
      'one address of two',
      { addr_info: [{ family: 'inet', local: '10.42.7.65', prefixlen: 26 }] },
      ['address add 10.42.0.1/26 dev hive0'],
      { block: '10.42.7.64/26', gateway: '10.42.7.65' },
    ],
  ])('has mended: %s', (_, difference, commands, more) => {
    const blocks = [...node.blocks, ...(more ? [more] : [])] as const;
    expect(bridgeBatch({ ...node, blocks }, { ...right, ...difference }, true)).toEqual(commands);
  });
});

describe('the link of a container', () => {
  const request = { id: 'shop-web-1-0123456789abcdef-7.3.1', pid: 4711, address: '10.42.0.2' };

  it('is named by node and container, in what Linux allows', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), (one, other) => {
        expect(linkName('a1', one)).toMatch(/^hv[0-9a-f]{13}$/);
        if (one !== other) expect(linkName('a1', one)).not.toBe(linkName('a1', other));
        expect(linkName('a2', one)).not.toBe(linkName('a1', one));
      }),
    );
  });

  it('tells by its alias whose it is', () => {
    const alias = outsideBatch(node, request, true)
      .find((line) => line.includes(' alias '))
      ?.split(' alias ')[1];
    const link = { ...right, ifname: linkName('a1', request.id), ifalias: alias ?? '' };
    expect(attachmentOf('a1', link)).toEqual({ id: request.id, address: '10.42.0.2' });
    expect(attachmentOf('a', link)).toBeUndefined();
    expect(attachmentOf('a1', right)).toBeUndefined();
    expect(attachmentOf('a1', { ...right, ifalias: 'uplink' })).toBeUndefined();
  });

  it('is told apart from the bridge, which remembers what was switched', () => {
    const bridge = (ifalias: string) => switchedBy('a1', { ...right, ifalias });
    expect(bridge(markedAlias('a1', []))).toEqual([]);
    expect(bridge(markedAlias('a1', ['redirects']))).toEqual(['redirects']);
    expect(bridge(markedAlias('a1', ['redirects', 'forwarding', 'redirects']))).toEqual([
      'forwarding',
      'redirects',
    ]);
    expect(bridge('hivemind/a1/10.42.0.2/web')).toBeUndefined();
    expect(bridge('hivemind/a11')).toBeUndefined();
    expect(switchedBy('a1', { ifname: 'eth7', flags: [], mtu: 1500 })).toBeUndefined();
  });

  it('has a hardware address that comes with the address', () => {
    expect(hardwareAddress('10.42.255.9')).toBe('02:68:0a:2a:ff:09');
    expect(insideBatch(node, request, false)).toEqual([
      'link set dev lo up',
      'address replace 10.42.0.2/26 dev eth0',
      'link set dev eth0 up',
      'route replace default via 10.42.0.1 dev eth0',
    ]);
  });
});

describe('listeners', () => {
  const table = (rows: readonly [local: string, state: string][]): string =>
    [
      '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
      ...rows.map(
        ([local, state], n) => `   ${n}: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000`,
      ),
      '',
    ].join('\n');

  it('are read from the tables of the kernel', () => {
    const tcp = table([
      ['00000000:1F90', '0A'],
      ['0100007F:0016', '0A'],
      ['0100007F:D431', '01'],
    ]);
    expect(parseListeners('tcp', tcp)).toEqual([
      { protocol: 'tcp', address: '0.0.0.0', port: 8080 },
      { protocol: 'tcp', address: '127.0.0.1', port: 22 },
    ]);
    const tcp6 = table([
      ['00000000000000000000000000000000:0050', '0A'],
      ['0000000000000000FFFF00000200000A:0051', '0A'],
      ['00000000000000000000000001000000:0052', '0A'],
      ['B80D0120000000000000000001000000:0053', '0A'],
    ]);
    expect(parseListeners('tcp', tcp6)).toEqual([
      { protocol: 'tcp', address: '::', port: 80 },
      { protocol: 'tcp', address: '10.0.0.2', port: 81 },
      { protocol: 'tcp', address: '::1', port: 82 },
      { protocol: 'tcp', address: '2001:db8::1', port: 83 },
    ]);
    expect(parseListeners('udp', table([['3500007F:0035', '07']]))).toEqual([
      { protocol: 'udp', address: '127.0.0.53', port: 53 },
    ]);
  });

  it.each<[string, string, boolean]>([
    ['0.0.0.0', '192.0.2.1', true],
    ['0.0.0.0', '0.0.0.0', true],
    ['0.0.0.0', '::', true],
    ['0.0.0.0', '::1', false],
    ['192.0.2.1', '0.0.0.0', true],
    ['192.0.2.1', '::', true],
    ['192.0.2.1', '192.0.2.1', true],
    ['192.0.2.1', '127.0.0.1', false],
    ['::1', '::', true],
    ['::1', '::1', true],
    ['::1', '2001:db8::1', false],
    ['::1', '0.0.0.0', false],
    ['::', '::1', true],
    ['::', '127.0.0.1', false],
  ])('at %s and %s collide where one would cover up the other: %s', (hostAddress, address, collision) => {
    const wanted = { hostAddress, hostPort: 80, protocol: 'tcp' as const };
    expect(collides(wanted, { protocol: 'tcp', address, port: 80 })).toBe(collision);
    expect(collides(wanted, { protocol: 'tcp', address, port: 81 })).toBe(false);
    expect(collides(wanted, { protocol: 'udp', address, port: 80 })).toBe(false);
  });
});
