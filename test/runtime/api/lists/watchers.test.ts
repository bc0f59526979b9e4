/** Who watches, over real sockets: however slowly they read and however they leave, nothing is lost and nothing stays. */
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../../../kit/until.ts';
import { apiRig, app, service, type ApiRig } from '../rig.ts';

let rig: ApiRig;
beforeAll(async () => {
  rig = await apiRig();
  await rig.deploy(app('shop', service('web')));
});
afterAll(() => rig.end());

/** Open streams: all, those of events, watched lists. */
async function clients(): Promise<(number | undefined)[]> {
  const { text } = await rig.ask('GET', '/metrics');
  return ['all', 'events', 'lists'].map((kind) => {
    const found = new RegExp(`^hivemind_stream_clients\\{kind="${kind}"\\} (\\d+)`, 'm').exec(text);
    return found ? Number(found[1]) : undefined;
  });
}
const nobodyIsLeft = () =>
  until('nobody is left', async () => (await clients()).every((count) => count === 0));

test('who does not read for a while hears everything in order then', async () => {
  const response = await rig.open('/v1/events/stream?topic=bench');
  const words = 'x'.repeat(1_000);
  const count = 2_000;
  for (let i = 0; i < count; i++)
    rig.node.note({ type: 'bench.happened', subject: `thing-${i}`, message: words, level: 'info' });
  // The second half comes while the first fills the connection.
  await clients();
  for (let i = count; i < 2 * count; i++)
    rig.node.note({ type: 'bench.happened', subject: `thing-${i}`, message: words, level: 'info' });
  let rest = '';
  let next = 0;
  response.setEncoding('utf8');
  for await (const chunk of response as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop()!;
    for (const line of lines)
      expect((JSON.parse(line) as { subject: string }).subject).toBe(`thing-${next++}`);
    if (next === 2 * count) break;
  }
  await nobodyIsLeft();
});

test.each(['/v1/events/stream', '/v1/containers?watch=true'])('who leaves %s is forgotten', async (path) => {
  const streams = await Promise.all(Array.from({ length: 5 }, () => rig.open(path)));
  expect((await clients())[0]).toBe(5);
  for (const stream of streams) stream.destroy();
  await nobodyIsLeft();
});

test.each(['/v1/events/stream', '/v1/containers?watch=true', '/v1/actors/transcript?follow=true'])(
  'who asks for the head of %s alone opens nothing',
  async (path) => {
    expect(await rig.ask('HEAD', path)).toMatchObject({ status: 200, text: '' });
    await nobodyIsLeft();
  },
);

test('a thousand may come at once', async () => {
  const streams = await Promise.all(Array.from({ length: 1_000 }, () => rig.open('/v1/events/stream')));
  const heard = Promise.all(streams.map((stream) => once(stream, 'data')));
  rig.node.note({ type: 'bench.happened', subject: 'all', message: 'x', level: 'info' });
  expect(new Set((await heard).map(([chunk]) => String(chunk))).size).toBe(1);
  for (const stream of streams) stream.destroy();
  await nobodyIsLeft();
});
