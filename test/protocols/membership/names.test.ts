/** Which of several members of one name is shown and spoken to. */
import { expect, test } from 'vitest';
import type { MemberStatus } from '../../../protocols/membership/model.ts';
import { holderOf, oneOfEachName } from '../../../protocols/membership/views/names.ts';

const row = (id: string, status: MemberStatus, vouchedUntil: number, since: number, self = false) => ({
  ...{ id, name: 'n3', status, vouchedUntil, since, self },
});

test.each([
  ['the one that the authority vouched for last', row('a', 'alive', 9, 1), row('b', 'alive', 5, 2)],
  ['it, also while it is suspected', row('a', 'suspected', 9, 1), row('b', 'alive', 5, 2)],
  ['who lives, whatever the dead have', row('a', 'suspected', 5, 1), row('b', 'dead', 9, 2)],
  ['who lives, whatever those have that left', row('a', 'alive', 5, 1), row('b', 'left', 9, 2)],
  ['of two that are gone the later one', row('a', 'dead', 9, 1), row('b', 'left', 5, 2)],
  ['who came last, where nobody vouches with an end', row('a', 'alive', 0, 2), row('b', 'alive', 0, 1)],
  ['this node itself', row('a', 'alive', 0, 1, true), row('b', 'alive', 9, 2)],
])('of two of one name: %s', (_what, holder, other) => {
  const stranger = { ...row('c', 'alive', 99, 99), name: 'n4' };
  for (const rows of [
    [holder, other, stranger],
    [stranger, other, holder],
  ]) {
    expect(holderOf('n3', rows)?.id).toBe('a');
    expect(new Set(oneOfEachName(rows))).toEqual(new Set([holder, stranger]));
  }
  expect(holderOf('n5', [holder])).toBeUndefined();
});
