/** Join tokens as text, and when one no longer lets a node in. */
import { expect, test } from 'vitest';
import {
  formatJoinToken,
  joinTokenView,
  parseJoinToken,
  tokenReason,
  type JoinTokenRecord,
} from '../../../protocols/cluster/token.ts';
import { reasonOf } from '../../../protocols/errors.ts';

const token = { fingerprint: 'A-_b'.repeat(10) + 'abc', id: '0123456789abcdef', secret: 'f'.repeat(64) };
const record: JoinTokenRecord = {
  id: token.id,
  hash: 'h',
  createdAt: 0,
  expiresAt: 1_000,
  uses: 2,
  usedBy: ['a'],
};

test('what is written is read, also with a line end', () => {
  expect(parseJoinToken(`${formatJoinToken(token)}\n`, 'the file /t')).toEqual(token);
});

test('what is no token is refused, and the error does not hold it', () => {
  const good = formatJoinToken(token);
  for (const text of ['', 'hm1', good.slice(1), good.slice(0, -1), `${good}0`, good.replace('hm1', 'hm2')]) {
    try {
      parseJoinToken(text, 'the file /t');
      expect(text).toBe('refused');
    } catch (thrown) {
      const because = reasonOf(thrown);
      expect(because.code).toBe('HM-CLUSTER-TOKEN');
      expect(JSON.stringify(because)).not.toContain(token.secret.slice(0, 32));
    }
  }
});

test('a token lets in as many nodes as it says, until it ends; who is in already may ask again', () => {
  expect(tokenReason(record, 'b', 999)).toBeUndefined();
  expect(tokenReason(record, 'b', 1_000)?.message).toContain('has expired');
  const spent = { ...record, usedBy: ['a', 'b'] };
  expect(tokenReason(spent, 'c', 0)?.message).toContain('used by 2 of 2');
  expect(tokenReason(spent, 'b', 0)).toBeUndefined();
});

test('what is shown of a token opens nothing', () => {
  expect(joinTokenView(record, 2_000)).toEqual({
    id: token.id,
    createdAt: 0,
    expiresAt: 1_000,
    expired: true,
    uses: 2,
    used: 1,
  });
});
