/** ps where there are several nodes: which node, as of when, and what to think of a node that does not answer. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { reason } from '../../../../protocols/errors.ts';
import type { NodeView } from '../../../../runtime/api/schemas/nodes.ts';
import type { NodeDouble } from '../kit/node-double.ts';
import { run, startMs, type Ran, type RunOptions } from '../kit/run.ts';
import { shopNode, slot } from '../kit/shop.ts';

const rows = [
  slot('db', 1, { address: '10.42.0.2' }),
  { ...slot('web', 1, { node: 'n2', address: '10.42.1.2' }), observedAt: startMs - 4_000 },
  {
    ...slot('web', 2, { node: 'n3', address: '10.42.2.2' }),
    observedAt: startMs - 600_000,
    nodeStatus: 'dead',
  },
];

const machine = {
  hostname: 'h',
  os: 'Debian GNU/Linux 12',
  kernel: '6.1.0',
  architecture: 'x64',
  cpus: 4,
  load: 0.42,
  memoryBytes: 8 * 2 ** 30,
  memoryFreeBytes: 6 * 2 ** 30,
  diskBytes: 100 * 2 ** 30,
  diskFreeBytes: 70 * 2 ** 30,
  labels: { zone: 'a' },
};
const member = {
  id: 'b'.repeat(32),
  self: false,
  address: '10.0.0.2:4484',
  zone: '',
  condition: 'ready',
  since: startMs - 60_000,
  suspectedBy: [],
  planes: { datagram: {}, stream: {} },
} as const;
const held = { slots: 3, running: 2, machine, reserved: { cpus: 1.5, memoryBytes: 2 ** 29 } };
const n1: NodeView = {
  ...held,
  ...{ name: 'n1', state: 'alive', role: 'server', leader: true, boot: 1, version: '0.1.0' },
  member: { ...member, self: true, address: '10.0.0.1:4484' },
};
const n2: NodeView = {
  ...held,
  ...{ name: 'n2', state: 'alive', role: 'agent', leader: false, boot: 2, version: '0.1.0' },
  runtime: {
    name: 'containerd',
    version: '1.7.1',
    snapshotter: 'overlayfs',
    cgroups: 2,
    platform: 'linux/amd64',
  },
  observed: { at: startMs - 4_000, version: { boot: 2, sequence: 17 } },
  member,
};

const endpoint = { app: 'shop', ports: [], ready: true, usable: true, placement: 7, run: 1 } as const;
const endpoints = [
  { ...endpoint, slot: 'shop/db.1', service: 'db', node: 'n1', address: '10.42.0.2', since: startMs - 9_000 },
  {
    ...endpoint,
    ...{ slot: 'shop/web.1', service: 'web', node: 'n2', address: '10.42.1.2', since: startMs - 300_000 },
    ports: [
      { containerPort: 80, protocol: 'tcp' },
      { containerPort: 53, protocol: 'udp' },
    ],
    ...{ observedAt: startMs - 4_000, nodeStatus: 'suspected' },
  },
  {
    ...endpoint,
    ...{ slot: 'shop/web.2', service: 'web', node: 'n3', address: '10.42.2.2', since: startMs - 900_000 },
    ...{ usable: false, observedAt: startMs - 600_000, nodeStatus: 'dead' },
  },
];

let node: NodeDouble;
beforeAll(async () => {
  node = shopNode()
    .on('GET /v1/apps', () => ({ apps: [] }))
    .on('GET /v1/containers', () => ({ slots: rows }))
    .on('GET /v1/endpoints', () => ({ endpoints }))
    .on('GET /v1/nodes', () => ({ nodes: [n1, n2] }))
    .on('GET /v1/nodes/n2', () => n2)
    .on('GET /v1/nodes/n4', () => ({ name: 'n4', state: 'alive' }))
    .refuse('GET /v1/nodes/n9', reason('HM-NODE-UNKNOWN', 'No node is called n9; there are: n1, n2, n3, n4'));
  await node.listen();
});
afterAll(() => node.close());

const hive = (line: string, options: RunOptions = {}): Promise<Ran> =>
  run(line.split(' '), { socket: node.socket, ...options });

test('rows say as of when they are, and which node is dead', async () => {
  expect((await hive('ps')).stdout).toBe(
    `NAME        STATE    HEALTH  RESTARTS  NODE       ADDRESS    PORTS  REV  AS OF    AGE
shop/db.1   running  ready   0         n1         10.42.0.2  -      3    now      4m
shop/web.1  running  ready   0         n2         10.42.1.2  -      3    4s ago   4m
shop/web.2  running  ready   0         n3 (dead)  10.42.2.2  -      3    10m ago  4m   ! n3 is dead: so it was 10m ago
`,
  );
});

test('as JSON both are fields', async () => {
  const picked = JSON.parse((await hive('ps --json slot,observedAt,nodeStatus')).stdout) as unknown;
  expect(picked).toEqual([
    { slot: 'shop/db.1' },
    { slot: 'shop/web.1', observedAt: startMs - 4_000 },
    { slot: 'shop/web.2', observedAt: startMs - 600_000, nodeStatus: 'dead' },
  ]);
});

test('--node: of one node; one without containers has none, one that is not there is a mistake', async () => {
  expect((await hive('ps --node n2 -o name')).stdout).toBe('shop/web.1\n');
  expect(await hive('ps --node n4 -o name')).toMatchObject({ code: 0, stdout: '' });
  const wrong = await hive('ps --node n9');
  expect(wrong.code).toBe(3);
  expect(wrong.stderr).toContain('there are: n1, n2, n3, n4');
});

test('endpoint ls: where services answer, which endpoints are used, and why of a node that is not well', async () => {
  expect((await hive('endpoint ls')).stdout)
    .toBe(`SLOT        ADDRESS    PORTS      READY  USED  NODE            AS OF    SINCE
shop/db.1   10.42.0.2  -          yes    yes   n1              now      9s
shop/web.1  10.42.1.2  80,53/udp  yes    yes   n2 (suspected)  4s ago   5m     ! n2 is suspected: so it was 4s ago; used all the same: its service has none of a node that is well
shop/web.2  10.42.2.2  -          yes    no    n3 (dead)       10m ago  15m    ! n3 is dead: so it was 10m ago
`);
  expect((await hive('endpoint ls shop/web -o name')).stdout).toBe('shop/web.1@n2\nshop/web.2@n3\n');
  expect((await hive('endpoint ls shop/web.2 -o name')).stdout).toBe('shop/web.2@n3\n');
  expect((await hive('endpoint ls --node n2 -o name')).stdout).toBe('shop/web.1@n2\n');
  expect(JSON.parse((await hive('endpoint ls web --json slot,usable,nodeStatus')).stdout)).toEqual([
    { slot: 'shop/web.1', usable: true, nodeStatus: 'suspected' },
    { slot: 'shop/web.2', usable: false, nodeStatus: 'dead' },
  ]);
  expect((await hive('endpoint ls --node n9')).code).toBe(3);
  expect((await hive('endpoint ls shop/nothing')).code).toBe(3);
});

test('node ls and show: what a node has and what is taken of it, as of when', async () => {
  expect((await hive('node ls')).stdout)
    .toBe(`NODE  STATUS  ROLE           SINCE  ADDRESS        SLOTS  LOAD   MEMORY         AS OF
n1 *  alive   server, leads  60s    10.0.0.1:4484  2/3    0.4/4  2.0GiB/8.0GiB  now
n2    alive   agent          60s    10.0.0.2:4484  2/3    0.4/4  2.0GiB/8.0GiB  4s ago
`);
  expect((await hive('node ls -o wide')).stdout).toContain('30.0GiB/100.0GiB  1.5 CPUs, 512.0MiB');
  const shown = (await hive('node show n2')).stdout;
  expect(shown).toContain('  as of      4.0s ago, version 2.17 of its records');
  expect(shown).toContain('  labels     zone=a');
  expect(shown).toContain('  runtime    containerd 1.7.1, linux/amd64');
});

test('at an agent, which knows no apps, what runs is listed all the same', async () => {
  node.refuse('GET /v1/apps', reason('HM-CLUSTER-AGENT', 'the node n2 is an agent; the server is n1'));
  expect((await hive('ps -o name')).stdout).toBe('shop/db.1\nshop/web.1\nshop/web.2\n');
  node.on('GET /v1/apps', () => ({ apps: [] }));
});
