/** `volume`: what is listed and asked for, and what is not removed without a word. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { NodeDouble } from './kit/node-double.ts';
import { run, type Ran } from './kit/run.ts';
import { shopNode } from './kit/shop.ts';

let node: NodeDouble;
beforeEach(async () => {
  node = shopNode();
  node
    .on('GET /v1/volumes', () => ({
      volumes: [
        {
          name: 'shop/data',
          app: 'shop',
          volume: 'data',
          node: 'n1',
          path: '/v/shop/data',
          removing: false,
          usedBy: ['shop/db'],
          diskBytes: 12_582_912,
        },
        { name: 'shop/spare', app: 'shop', volume: 'spare', node: 'n1', removing: false, usedBy: [] },
      ],
    }))
    .on('POST /v1/volumes', () => ({}))
    .on('DELETE /v1/volumes/shop/spare', () => ({}));
  await node.listen();
});
afterEach(() => node.close());

const hive = (...args: readonly string[]): Promise<Ran> => run(['volume', ...args], { socket: node.socket });

test('ls asks for what they take on disk; what is not known is a dash', async () => {
  const { code, stdout } = await hive('ls');
  expect([code, stdout.split('\n').slice(0, 3)]).toEqual([
    0,
    [
      expect.stringMatching(/^VOLUME +DISK +USED BY +NODE$/),
      expect.stringMatching(/^shop\/data +12\.?0? ?Mi?B? +shop\/db +n1$/),
      expect.stringMatching(/^shop\/spare +- +- +n1$/),
    ],
  ]);
  expect(node.requests.at(-1)!.url).toBe('/v1/volumes?disk=true');
});

test('create and rm name one volume; rm wants a yes', async () => {
  expect((await hive('create', 'shop/spare')).code).toBe(0);
  expect(JSON.parse(node.requests.at(-1)!.body.toString())).toEqual({ app: 'shop', volume: 'spare' });
  expect((await hive('rm', 'shop/spare')).code).toBe(2);
  expect(await hive('rm', 'shop/spare', '--yes')).toMatchObject({
    code: 0,
    stdout: 'shop/spare is removed\n',
  });
  expect(node.requests.at(-1)!.method).toBe('DELETE');
});

test.each(['data', 'shop/', 'a/b/c'])('%s is no volume', async (name) => {
  expect((await hive('create', name)).code).toBe(2);
});
