/** What a daemon says last: a next step that works from where the node is then. */
import { expect, test } from 'vitest';
import { farewell } from '../../../runtime/telemetry/farewell.ts';

const left = ['shop/web/1', 'shop/web/2', 'blog/web/1'].map((slot) => ({ slot, app: slot.split('/')[0]! }));

test('a node that was stopped: its containers are looked after when it starts again, or removed with their apps', () => {
  expect(farewell(left, { departed: false })).toEqual([
    '3 containers still run: shop/web/1, shop/web/2, blog/web/1',
    'start the node again to look after them; to stop them: hivemind rm shop blog, to remove everything: hivemind purge',
  ]);
});

test('a node that is no member any more: its apps are the business of the cluster, and its containers of nobody', () => {
  expect(farewell(left.slice(0, 1), { departed: true })).toEqual([
    '1 container still runs: shop/web/1',
    'nobody looks after them; to remove everything that this node made: hivemind purge',
  ]);
});

test('nothing is said of nothing', () => {
  expect(farewell([], { departed: false })).toEqual([]);
});
