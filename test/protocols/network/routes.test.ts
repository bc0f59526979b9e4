/** Which routes of the host lead into the addresses of containers, from what `ip -json -4 route show` says. */
import { expect, test } from 'vitest';
import { foreignRoutes } from '../../../protocols/network/forwarding.ts';

const route = (dst: string, dev?: string) => ({ dst, ...(dev === undefined ? {} : { dev }) });
const blocks = ['10.42.0.0/16', '172.28.0.0/24'];

test.each<[string, ReturnType<typeof route>, readonly string[]]>([
  ['the way out', route('default', 'eth0'), []],
  ['another range', route('192.168.0.0/24', 'eth0'), []],
  ['our own block', route('10.42.0.0/26', 'hive0'), []],
  ['our own static address', route('172.28.0.10', 'hive0'), []],
  ['a part of the pool', route('10.42.7.0/24', 'tun0'), ['10.42.0.0/16 by 10.42.7.0/24 to tun0']],
  ['what holds a subnet', route('172.28.0.0/14', 'docker0'), ['172.28.0.0/24 by 172.28.0.0/14 to docker0']],
  ['one host of a subnet', route('172.28.0.9', 'tun0'), ['172.28.0.0/24 by 172.28.0.9 to tun0']],
  ['a hole', route('10.42.9.0/24'), ['10.42.0.0/16 by 10.42.9.0/24 to nowhere']],
])('%s', (_what, one, met) => {
  const found = foreignRoutes(JSON.stringify([one]), 'hive0', blocks);
  expect(found.map(({ block, destination, link }) => `${block} by ${destination} to ${link}`)).toEqual(met);
});
