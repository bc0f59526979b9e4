/** A clock that goes wrong here, or on the node: ages and times are the node's, and doctor says so. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Lines, type NodeDouble } from '../kit/node-double.ts';
import { run, startMs, type Ran } from '../kit/run.ts';
import { shopNode } from '../kit/shop.ts';

let node: NodeDouble;
beforeEach(async () => {
  node = shopNode();
  await node.listen();
  node.on('GET /v1/doctor', () => ({ findings: [] }));
});
afterEach(() => node.close());

const hive = (line: string): Promise<Ran> => run(line.split(' '), { socket: node.socket });
const hour = 3_600_000;
const dateOf = (ms: number): string => new Date(ms).toUTCString();

test('within two seconds nothing is said of it, and nothing is shifted', async () => {
  node.date = dateOf(startMs + 1_000);
  expect(await hive('doctor')).toMatchObject({ code: 0, stdout: '0 ok, 0 warnings, 0 failed\n' });
  expect((await hive('ps')).stdout).toMatch(/shop\/db\.1 .* 4m\s*$/m);
});

test.each([
  ['ahead', 2 * hour, 'behind'],
  ['behind', -2 * hour, 'ahead of'],
] as const)('a node that is %s', async (_, skewMs, side) => {
  node.date = dateOf(startMs + skewMs);
  if (skewMs > 0) expect((await hive('ps')).stdout).toMatch(/shop\/db\.1 .* 2h\s*$/m);
  node.on('GET /v1/containers/shop/db.1/logs', () => new Lines([]));
  await hive('logs shop/db.1 --since 5m');
  const asked = node.requests.map(({ url }) => /logs\?.*since=(\d+)/.exec(url)?.[1]).find(Boolean);
  // The header has whole seconds.
  expect(Math.abs(Number(asked) - (startMs + skewMs - 300_000))).toBeLessThanOrEqual(1_000);
  const { code, stdout } = await hive('doctor');
  expect(code).toBe(0);
  expect(stdout).toMatch(new RegExp(`! clock +the clock here is (2h|119m) ${side} the node's`));
});
