/** What an agent may reach in the store: every kind of key with every operation, as a table. */
import { describe, expect, test } from 'vitest';
import type { Assignment } from '../../../protocols/apps/model.ts';
import { mayReach, type StoreAgent, type StoreWish } from '../../../protocols/cluster/access.ts';
import { keys } from '../../../protocols/state/keys.ts';

const files = [
  { kind: 'secret', source: 's', target: '/s', held: { name: 'apps/shop', version: 'v1' } },
] as const;
const agent: StoreAgent = { name: 'n2', assignments: [{ spec: { files } } as unknown as Assignment] };

const mine = { node: 'n2' };
const theirs = { node: 'n3' };

/** Every place of the store; `read` and `list` say what the agent may, writes are below. */
const places: readonly { readonly key: string; readonly read?: true; readonly list?: true }[] = [
  { key: keys.cluster, read: true },
  { key: keys.member('n2'), read: true },
  { key: keys.member('n3') },
  { key: keys.joinToken('0123456789abcdef') },
  { key: keys.gossipRing },
  { key: keys.app('shop') },
  { key: keys.revision('shop', 1) },
  { key: keys.assignment('n2', 'shop/web.1'), read: true, list: true },
  { key: keys.assignment('n3', 'shop/web.1') },
  { key: keys.assignment('n22', 'shop/web.1') },
  { key: keys.placement('shop/web.1') },
  { key: keys.block('10.42.0.0/26'), read: true, list: true },
  { key: keys.volume('shop', 'pages'), read: true, list: true },
  { key: keys.token('ci') },
  { key: keys.secret('password') },
  { key: keys.sealed('apps/shop', 'v1'), read: true },
  { key: keys.sealed('apps/shop', 'v2') },
  { key: keys.sealed('cluster/authority', '1') },
  { key: keys.sealed('cluster/gossip', '00112233') },
  { key: 'anything' },
];

const may = (wish: StoreWish): boolean => mayReach(agent, wish);

test('every place that keys.ts knows is in the table', () => {
  const names = Object.keys(keys).length;
  expect(names, 'a new key: say in access.ts and in this table what agents may do with it').toBe(25);
});

describe.each(places)('$key', ({ key, read = false, list = false }) => {
  test('reading', () => {
    expect(may({ do: 'get', key })).toBe(read);
    expect(may({ do: 'compare', key })).toBe(read);
    expect(may({ do: 'list', prefix: key })).toBe(list);
    // A prefix above it would show the neighbours.
    expect(may({ do: 'list', prefix: '' })).toBe(false);
    expect(may({ do: 'list', prefix: key.slice(0, 3) })).toBe(false);
  });

  test('writing', () => {
    const isBlock = key.startsWith(keys.blocks);
    const isVolume = key.startsWith(keys.volumes);
    expect(may({ do: 'put', key, value: mine })).toBe(isBlock);
    expect(may({ do: 'put', key, value: mine, present: mine })).toBe(isBlock);
    expect(may({ do: 'put', key, value: mine, present: theirs })).toBe(false);
    expect(may({ do: 'put', key, value: theirs })).toBe(false);
    expect(may({ do: 'put', key, value: null })).toBe(false);
    // What is not there may be deleted again.
    expect(may({ do: 'delete', key })).toBe(isVolume);
    expect(may({ do: 'delete', key, present: mine })).toBe(false);
    expect(may({ do: 'delete', key, present: { ...theirs, removing: true } })).toBe(false);
    expect(may({ do: 'delete', key, present: { ...mine, removing: true } })).toBe(isVolume);
  });
});
