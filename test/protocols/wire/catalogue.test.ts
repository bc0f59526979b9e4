/** The catalogue of what nodes say to each other: every row is one that can be kept. */
import { expect, test } from 'vitest';
import { actorMessages, messageTypes, type MessageType } from '../../../protocols/wire/catalogue.ts';
import { datagramBytes } from '../../../transport/datagram-link.ts';
import { streamFrameBytes } from '../../../transport/stream-link.ts';

const rows: readonly (readonly [string, MessageType])[] = Object.entries(messageTypes);

test.each(rows)('%s has a dotted name, somebody who may send it, and fits its plane', (name, type) => {
  expect(name).toMatch(/^[a-z]+(-[a-z]+)*(\.[a-z]+(-[a-z]+)*)+$/);
  expect(type.from.length).toBeGreaterThan(0);
  const most = type.plane === 'datagram' ? datagramBytes : streamFrameBytes - 1_024;
  expect(type.bytes).toBeLessThanOrEqual(most);
  expect(type.answerBytes ?? 0).toBeLessThanOrEqual(type.plane === 'datagram' ? 0 : most);
});

test('no message of the kernel itself comes from another node', () => {
  for (const name of Object.keys(actorMessages))
    expect(name).not.toMatch(/^(xstate\.|sys\.|child\.|after\.)/);
});
