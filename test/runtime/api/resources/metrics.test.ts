/** /metrics as Prometheus reads it: promtool has nothing to say, and the figures are those of the node. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { limits } from '../../../../protocols/limits.ts';
import { DiskMeter } from '../../../../runtime/api/metrics/disk-use.ts';
import { metricsText } from '../../../../runtime/api/metrics/text.ts';
import { parseTraffic } from '../../../../runtime/drivers/network/linux/traffic.ts';
import { newCall } from '../../../kit/port-call.ts';
import { apiRig, app, json, service, type ApiRig } from '../rig.ts';

let rig: ApiRig;

beforeAll(async () => {
  rig = await apiRig();
  await rig.deploy(app('shop', service('web', { replicas: 3 }), service('db', { image: 'hello-store' })));
  await rig.ask('GET', '/v1/apps');
});
afterAll(() => rig.end());

const promtool = spawnSync('promtool', ['--version']).status === 0;

test.runIf(promtool)('promtool accepts every line', async () => {
  const { text, headers } = await rig.ask('GET', '/metrics');
  expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
    input: text,
    encoding: 'utf8',
  });
  expect([status, stdout, stderr]).toEqual([0, '', '']);
});

test('the figures are those of the node', async () => {
  const { text } = await rig.ask('GET', '/metrics');
  const value = (line: string): number => {
    const found = text.split('\n').find((one) => one.startsWith(`${line} `));
    if (found === undefined) throw new Error(`no ${line} in\n${text}`);
    return Number(found.slice(line.length + 1));
  };
  expect(value('hivemind_build_info{version="0.0.1",node="n1"}')).toBe(1);
  expect(value('hivemind_replicas{app="shop",state="wanted"}')).toBe(4);
  expect(value('hivemind_replicas{app="shop",state="ready"}')).toBe(4);
  expect(value('hivemind_slots{app="shop",phase="running"}')).toBe(4);
  expect(value('hivemind_app_converged{app="shop"}')).toBe(1);
  expect(
    value('hivemind_http_requests_total{route="/v1/apps",method="GET",code="200"}'),
  ).toBeGreaterThanOrEqual(1);
  expect(
    value('hivemind_http_request_duration_seconds_count{route="/v1/apps",method="GET"}'),
  ).toBeGreaterThanOrEqual(1);
  expect(value('hivemind_events_total{type="node.started",level="info"}')).toBe(1);
  expect(value('hivemind_scrape_failed{part="runtime"}')).toBe(0);
  const containers = text.split('\n').filter((line) => line.startsWith('container_cpu_usage_seconds_total{'));
  expect(containers).toHaveLength(4);
  expect(containers[0]).toMatch(
    /id="[^"]+",name="shop\/\w+\.\d",image="hello-\w+",app="shop",service="\w+",node="n1"/,
  );
});

test('traffic stands under the names that dashboards know, disk use is measured once a minute', async () => {
  await rig.ask('POST', '/v1/volumes', json({ app: 'shop', volume: 'spare' }));
  const { text } = await rig.ask('GET', '/metrics');
  const samples = (name: string) => text.split('\n').filter((line) => line.startsWith(`${name}{`));
  for (const side of ['receive', 'transmit'])
    for (const what of ['bytes', 'packets', 'errors', 'packets_dropped'])
      expect(samples(`container_network_${side}_${what}_total`)).toHaveLength(4);
  expect(samples('container_network_receive_bytes_total')[0]).toContain('interface="eth0"');
  for (const part of ['network', 'disk'])
    expect(samples('hivemind_scrape_failed')).toContain(`hivemind_scrape_failed{part="${part}"} 0`);

  const asked = { stats: 0, volumes: 0 };
  let nowMs = 0;
  const { containers, volumes } = rig.node.ports;
  const ports = {
    ...rig.node.ports,
    containers: Object.assign(Object.create(containers) as typeof containers, {
      stats: () => {
        asked.stats += 1;
        return Promise.resolve({ stats: [{ id: 'c', diskBytes: 7 }] });
      },
    }),
    volumes: Object.assign(Object.create(volumes) as typeof volumes, {
      list: () => {
        asked.volumes += 1;
        return Promise.resolve({ volumes: [{ app: 'shop', volume: 'v', path: '/v', diskBytes: 9 }] });
      },
    }),
  };
  const meter = new DiskMeter({ ...rig.node, ports, clock: { ...rig.node.clock, monotonicMs: () => nowMs } });
  const read = () => meter.read(['c'], newCall());
  expect([await read(), await read()].map(({ volumes: [one] }) => one?.bytes)).toEqual([9, 9]);
  expect((await read()).containers.get('c')).toBe(7);
  expect(asked).toEqual({ stats: 1, volumes: 1 });
  nowMs = limits.metricsDiskMs;
  await read();
  expect(asked).toEqual({ stats: 2, volumes: 2 });
});

test('of the links of this machine, as the kernel tells them', () => {
  const told = parseTraffic(readFileSync('/proc/net/dev', 'utf8'));
  expect(told.get('lo')?.received).toEqual(told.get('lo')?.sent);
  const line = '  hp1: 1 2 3 4 0 0 0 0 11 12 13 14 0 0 0 0\nhp2:5 6 0 0 0 0 0 0 7 8 0 0 0 0 0 0\n';
  expect(parseTraffic(`Inter-|   Receive\n face |bytes\n${line}`).get('hp1')).toEqual({
    received: { bytes: 11, packets: 12, errors: 13, dropped: 14 },
    sent: { bytes: 1, packets: 2, errors: 3, dropped: 4 },
  });
  expect(parseTraffic(line).get('hp2')?.received.bytes).toBe(7);
});

test('any text may stand in a label', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (label) => {
      const text = metricsText([
        { name: 'a', help: 'b', type: 'gauge', samples: [{ value: 1, labels: { label } }] },
      ]);
      const [, , sample, end] = text.split('\n');
      expect(end).toBe('');
      const said = /^a\{label="(.*)"\} 1$/s.exec(sample!)![1]!;
      expect(said.replaceAll(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char))).toBe(label);
    }),
  );
});
