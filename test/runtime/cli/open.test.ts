/** `open`: where a service answers people. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { NodeDouble } from './kit/node-double.ts';
import { run, type RunOptions } from './kit/run.ts';
import { shopNode } from './kit/shop.ts';

let node: NodeDouble;
beforeAll(async () => {
  node = shopNode();
  await node.listen();
});
afterAll(() => node.close());

async function open(args: readonly string[], options: RunOptions = {}) {
  const opened: string[] = [];
  const ran = await run(['open', ...args], {
    socket: node.socket,
    onOpen: (url) => opened.push(url),
    ...options,
  });
  return { ...ran, opened };
}

test('on a terminal it is printed and shown', async () => {
  expect(await open(['shop/web'], { terminal: [80, 24] })).toMatchObject({
    code: 0,
    stdout: 'http://127.0.0.1:8080/\n',
    opened: ['http://127.0.0.1:8080/'],
  });
});

test.each([[['shop']], [['shop/web.2']], [['shop', '--print']]])(
  '%j in a pipe is only printed',
  async (args) => {
    expect(await open(args)).toMatchObject({ code: 0, stdout: 'http://127.0.0.1:8080/\n', opened: [] });
  },
);

test('what publishes nothing says how it would', async () => {
  const { code, stderr } = await open(['shop/db']);
  expect(code).toBe(3);
  expect(stderr).toContain('HM-TARGET-PORT');
  expect(stderr).toContain('hivemind deploy');
});
