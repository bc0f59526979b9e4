/** /metrics as Prometheus reads it: promtool has nothing to say, and the figures are those of the node. */
import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { metricsText } from '../../../../runtime/api/metrics/text.ts';
import { apiRig, app, service, type ApiRig } from '../rig.ts';

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
