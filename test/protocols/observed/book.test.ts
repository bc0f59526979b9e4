/** Whose records are taken, and until when: a table of members, sets and tombstones. */
import { expect, test } from 'vitest';
import { limits } from '../../../protocols/limits.ts';
import type { MemberStatus } from '../../../protocols/membership/model.ts';
import type { MemberChange, MemberView } from '../../../protocols/membership/views/view.ts';
import { judge, withHeld, withMember, withMembers, type Book } from '../../../protocols/observed/book.ts';
import type { HeldSet } from '../../../protocols/observed/model.ts';

const set: HeldSet = {
  records: {},
  gone: [],
  floor: 0,
  boot: 2,
  sequence: 5,
  hash: '8'.repeat(64),
  head: new Uint8Array(1),
  name: 'n2',
  signedAt: 0,
  confirmedAt: 0,
};
const view = (status: MemberStatus, since = 0): MemberChange['member'] =>
  ({ id: 'n2', name: 'n2', self: false, address: { host: 'h', port: 1 }, status, since }) as MemberView;
const empty: Book = { self: 'n1', held: {}, members: {}, buried: {} };
const known = withHeld(withMember(empty, view('alive'), 0), 'n2', set);
const digest = (boot: number, sequence: number, hash = '8') => ({
  id: 'n2',
  boot,
  sequence,
  hash: hash.repeat(16),
});

test.each([
  ['an older one', digest(2, 4, 'f'), 'known'],
  ['the same', digest(2, 5), 'known'],
  ['another of this version, by its hash', digest(2, 5, '7'), 'known'],
  ['another of this version, by its hash', digest(2, 5, '9'), 'newer'],
  ['a newer one', digest(2, 6, '0'), 'newer'],
  ['one of an older boot', digest(1, 900, 'f'), 'known'],
  ['one of a newer boot', digest(3, 1, '0'), 'newer'],
  ['one of who is no member', { ...digest(1, 1), id: 'n9' }, 'stranger'],
  ['one of who has a name like a method', { ...digest(1, 1), id: 'constructor' }, 'stranger'],
  ['its own, unknown to it', { ...digest(1, 1), id: 'n1' }, 'own'],
] as const)('%s: %o is %s', (_what, told, verdict) => {
  expect(judge(known, told)).toBe(verdict);
});

test('of who left nothing is taken in that life, whether its records were here or not', () => {
  const gone = withMember(known, view('left'), 1);
  expect(gone.held).toEqual({});
  for (const book of [gone, withMember(empty, view('left'), 1)])
    for (const told of [digest(2, 4), digest(2, 900)]) expect(judge(book, told)).toBe('buried');
  // It comes back: membership hears of its next life.
  const back = withMember(gone, view('alive'), 2);
  expect(judge(back, digest(2, 900))).toBe('buried');
  expect(judge(back, digest(3, 1))).toBe('newer');
  expect(withHeld(back, 'n2', { ...set, boot: 3 }).buried).toEqual({});
});

test('the dead are buried after their time; who was not dead after all is not', () => {
  const dead = withMember(known, view('dead', 0), 1);
  expect(withMembers(dead, [view('dead', 0)], limits.recordsDeadMs - 1).held).toHaveProperty('n2');
  const buried = withMembers(dead, [view('dead', 0)], limits.recordsDeadMs);
  expect(judge(buried, digest(2, 900))).toBe('buried');
  expect(judge(withMember(buried, view('alive'), limits.recordsDeadMs), digest(2, 6))).toBe('newer');
});

test('tombstones are kept for a day, and so many', () => {
  const buried = withMember(known, view('left'), 0);
  expect(withMembers(buried, [], limits.recordsBuriedMs - 1).buried).toHaveProperty('n2');
  expect(withMembers(buried, [], limits.recordsBuriedMs).buried).toEqual({});
  // And even then nothing of it is taken: it is no member.
  expect(judge(withMembers(buried, [], limits.recordsBuriedMs), digest(2, 5))).toBe('stranger');
});
