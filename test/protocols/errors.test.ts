/** Reasons: their next step can be typed as it is printed. */
import { expect, test } from 'vitest';
import { reason, withEvidence } from '../../protocols/errors.ts';

test('a hint names what the evidence names', () => {
  expect(reason('HM-HEALTH-FAILED', undefined, { slot: 'shop/web.1' }).hint).toBe('hivemind logs shop/web.1');
  expect(reason('HM-DEPENDENCY-WAIT', undefined, { dependency: 'shop/db' }).hint).toBe(
    'hivemind why shop/db',
  );
  expect(reason('HM-SERVICE-UNKNOWN', undefined, { app: 'shop' }).hint).toBe('hivemind status shop');
});

test('without evidence the blank stays, and a hint of its own stays as it is', () => {
  expect(reason('HM-HEALTH-FAILED').hint).toBe('hivemind logs TARGET');
  expect(reason('HM-HEALTH-FAILED', undefined, { slot: 'shop/web.1' }, 'See the APP.').hint).toBe(
    'See the APP.',
  );
});

test('more evidence fills a blank and never replaces what was known', () => {
  const told = withEvidence(reason('HM-CONTAINER-CREATE', undefined, { cause: 'no room' }), {
    slot: 'shop/web.1',
    cause: 'another',
  });
  expect(told.hint).toBe('Read the message of the runtime; hivemind logs shop/web.1');
  expect(told.evidence).toEqual({ slot: 'shop/web.1', cause: 'no room' });
});
