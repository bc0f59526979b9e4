/** `node ls|show|rtt` and `why NODE`: what people and programs get to read of a cluster. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { NodeView } from '../../../../runtime/api/schemas/nodes.ts';
import { coded } from '../../../../protocols/errors.ts';
import type { NodeDouble } from '../kit/node-double.ts';
import { run, startMs, type Ran } from '../kit/run.ts';
import { shopNode } from '../kit/shop.ts';

const member = (change: Partial<NonNullable<NodeView['member']>>): NonNullable<NodeView['member']> => ({
  id: '0123456789abcdef0123456789abcdef',
  self: false,
  address: '10.0.0.2:4484',
  zone: '',
  condition: 'ready',
  since: startMs - 60_000,
  suspectedBy: [],
  planes: { datagram: {}, stream: {} },
  ...change,
});

const rows: readonly NodeView[] = [
  {
    name: 'n1',
    state: 'alive',
    role: 'server',
    leader: true,
    boot: 3,
    version: '0.1.0',
    startedAt: startMs - 90_000,
    member: member({ self: true, address: '10.0.0.1:4484', since: startMs - 90_000 }),
  },
  {
    name: 'n2',
    state: 'suspected',
    role: 'agent',
    leader: false,
    boot: 1,
    apiAddress: '127.0.0.1:4483',
    connection: {
      ...{ open: true, idle: false, since: startMs - 60_000, asking: 1, answering: 2 },
      ...{ queuedFrames: 3, queuedBytes: 4_096 },
    },
    member: member({
      since: startMs - 3_000,
      suspectedBy: [
        { id: 'a', name: 'n1', since: startMs - 3_000 },
        { id: 'b', name: 'n3', since: startMs - 1_500 },
      ],
      planes: {
        datagram: { heardAt: startMs - 4_100, rttMs: 0.4, failingSince: startMs - 3_500 },
        stream: { heardAt: startMs - 200, rttMs: 1.25 },
      },
    }),
  },
  {
    name: 'n3',
    state: 'alive',
    role: 'agent',
    leader: false,
    boot: 2,
    member: member({
      address: '10.0.0.3:4484',
      condition: 'stalled',
      zone: 'cellar',
      planes: { datagram: { heardAt: startMs - 100, rttMs: 0.5 }, stream: { failingSince: startMs - 9_000 } },
    }),
  },
];

let node: NodeDouble;
beforeAll(async () => {
  node = shopNode()
    .on('GET /v1/nodes', () => ({ nodes: rows }))
    .on('GET /v1/nodes/n2', () => rows[1])
    .on('GET /v1/nodes/n9', () => {
      throw coded('HM-NODE-UNKNOWN', 'No node is called n9; there are: n1, n2, n3');
    });
  await node.listen();
});
afterAll(() => node.close());

const hive = (line: string): Promise<Ran> => run(line.split(' '), { socket: node.socket });

test('node ls: the node that answers is marked, and what is not well says what to do', async () => {
  const { code, stdout } = await hive('node ls');
  expect(code).toBe(0);
  expect(stdout).toBe(`NODE  STATUS               ROLE           SINCE  ADDRESS
n1 *  alive                server, leads  90s    10.0.0.1:4484
n2    suspected by n1, n3  agent          3s     10.0.0.2:4484  ! Look at its machine and the network between: hivemind why n2 shows what each plane says.
n3    alive, stalled       agent          60s    10.0.0.3:4484  ! Look at its machine's processors, memory and disk; its containers run on.
`);
  expect((await hive('node ls -o name')).stdout).toBe('n1\nn2\nn3\n');
  expect(JSON.parse((await hive('node ls --json')).stdout)).toHaveLength(3);
});

test('node rtt: what each plane says of every other', async () => {
  expect((await hive('node rtt')).stdout)
    .toBe(`NODE  DATAGRAMS  STREAMS  OVER DATAGRAMS                     OVER STREAMS
n2    0.4 ms     1.3 ms   silent for 4.1s                    heard 0.2s ago, round trip 1.3 ms
n3    0.5 ms     -        heard 0.1s ago, round trip 0.5 ms  never heard
`);
});

test('node traffic: what passed, by type on streams and by kind of packet', async () => {
  const counts = {
    answered: 9,
    refused: 1,
    timedOut: 2,
    letGo: 3,
    failed: 4,
    received: 7,
    given: 6,
    denied: 1,
  };
  node.on('GET /v1/cluster/traffic', () => ({
    traffic: [
      { plane: 'stream', type: 'store.txn', sent: 19, ...counts, bytesSent: 2_048, bytesReceived: 12 },
      { plane: 'datagram', type: 'ping', sent: 30, received: 29 },
      { plane: 'datagram', type: 'gossip', sent: 8, received: 7, failed: 5 },
    ],
  }));
  expect((await hive('node traffic')).stdout)
    .toBe(`TYPE       PLANE     SENT  ANSWERED  REFUSED  TIMED OUT  FAILED  RECEIVED  GIVEN  DENIED  BYTES OUT  BYTES IN
store.txn  stream    19    9         1        2          4       7         6      1       2.0KiB     12B
ping       datagram  30    -         -        -          -       29        -      -       -          -
gossip     datagram  8     -         -        -          5       7         -      -       -          -
`);
  expect(JSON.parse((await hive('node traffic --json=type,letGo')).stdout)).toEqual([
    { type: 'store.txn', letGo: 3 },
    { type: 'ping' },
    { type: 'gossip' },
  ]);
});

test('node show, and an unknown one', async () => {
  expect((await hive('node show n2')).stdout).toBe(`n2  suspected by n1, n3
  role       agent
  since      11:59:57.000 (3.0s)
  address    10.0.0.2:4484
  id         0123456789abcdef0123456789abcdef
  API        127.0.0.1:4483 of its machine
  boot       1
  datagrams  silent for 4.1s
  streams    heard 0.2s ago, round trip 1.3 ms
  connection open for 60s, 1 asked and 2 being answered, 3 frames (4.0KiB) wait
  n1 says so since 11:59:57.000 (3.0s)
  n3 says so since 11:59:58.500 (1.5s)
`);
  const unknown = await hive('node show n9');
  expect([unknown.code === 0, unknown.stderr]).toEqual([false, expect.stringContaining('HM-NODE-UNKNOWN')]);
});

test('why NODE: who suspects it, since when, and what each plane says', async () => {
  expect((await hive('why n2')).stdout).toBe(`✗ n2 is suspected by n1, n3  HM-MEMBER-SUSPECTED, for 3.0s
  n1 says so since 11:59:57.000 (3.0s)
  n3 says so since 11:59:58.500 (1.5s)
  datagrams  silent for 4.1s
  streams    heard 0.2s ago, round trip 1.3 ms
  next  Look at its machine and the network between. It is declared dead unless it answers within seconds.
`);
  const row = (change: object) => ({ ...rows[1]!, ...change });
  const indirect = { datagram: { heardAt: startMs - 200, indirectSince: startMs - 24_900 }, stream: {} };
  node.on('GET /v1/nodes', () => ({
    nodes: [
      row({ state: 'alive', member: member({ suspectedBy: [], planes: indirect }) }),
      row({ name: 'n4', state: 'left', member: member({ since: startMs - 3_300 }) }),
    ],
  }));
  expect((await hive('why n2')).stdout).toContain(
    'datagrams  heard 0.2s ago, for 24.9s by way of others alone',
  );
  expect((await hive('why n4')).stdout).toBe('✓ n4 has left, 3.3s ago\n');
  node.on('GET /v1/nodes', () => ({ nodes: rows }));
  expect((await hive('why n1')).stdout).toBe('✓ n1 is alive, for 1m30s\n');
  const said = JSON.parse((await hive('why n2 --json')).stdout) as {
    reasons: { code: string }[];
    node: NodeView;
  };
  expect([said.reasons.map(({ code }) => code), said.node.name]).toEqual([['HM-MEMBER-SUSPECTED'], 'n2']);
  // What is deployed goes first, and what is neither is refused as ever.
  expect((await hive('why shop/web.2')).stdout).toContain('shop/web.2');
  expect((await hive('why n9')).stderr).toContain('HM-TARGET-UNKNOWN');
});
