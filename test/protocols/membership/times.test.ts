/** The formulas that grow the protocol's times with the cluster, against the tables of memberlist's own tests; suspicion grows by three quarters of what it does there. */
import { expect, test } from 'vitest';
import {
  checkTimes,
  exchangeAfterMs,
  sendLimit,
  suspicionTimes,
  timesOf,
  type MembershipTimes,
} from '../../../protocols/membership/profile.ts';
import { confirmed, deadlineOf, type Suspicion } from '../../../protocols/membership/suspicion.ts';
import { refusal } from '../../kit/port-call.ts';

test.each([
  [5, 1],
  [10, 1],
  [50, 1.524],
  [100, 1.75],
  [500, 2.274],
  [1000, 2.5],
])('with %i members suspicion lasts %f times the shortest', (members, factor) => {
  const { shortestMs } = suspicionTimes({ ...timesOf.lan, suspicionFactor: 3, probeMs: 1_000 }, members);
  expect(shortestMs / 3_000).toBeCloseTo(factor, 2);
});

test.each([
  [3, 2, 2_000],
  [2, 2, 2_000],
])('where only %i members are, nobody waits for %i to confirm', (members, _, longestMs) => {
  expect(suspicionTimes(timesOf.lan, members)).toMatchObject({ confirmations: 0, longestMs });
});

/** memberlist: n confirmations of k wanted, 2 to 30 s: what is left after the time that passed. */
test.each([
  [0, 3, 0, 30_000],
  [1, 3, 2_000, 14_000],
  [2, 3, 3_000, 4_810],
  [3, 3, 4_000, -2_000],
  [4, 3, 5_000, -3_000],
  [5, 3, 10_000, -8_000],
])('%i of %i confirmations after %i ms leave %i ms', (heard, confirmations, elapsedMs, leftMs) => {
  let suspicion: Suspicion = {
    startedAt: 0,
    shortestMs: 2_000,
    longestMs: 30_000,
    confirmations,
    from: ['a'],
    heardAt: [0],
  };
  for (let by = 0; by < heard; by++) suspicion = confirmed(suspicion, `b${by}`, by);
  expect(Math.round((deadlineOf(suspicion) - elapsedMs) / 10) * 10).toBe(leftMs);
});

test('a confirmation counts once, the first accuser not, and no more than wanted', () => {
  const times = { startedAt: 0, shortestMs: 1, longestMs: 6, confirmations: 2 };
  const first: Suspicion = { ...times, from: ['a'], heardAt: [0] };
  expect(confirmed(first, 'a', 1)).toBe(first);
  const second = confirmed(first, 'b', 2);
  expect(confirmed(second, 'b', 3)).toBe(second);
  const third = confirmed(second, 'c', 4);
  expect(confirmed(third, 'd', 5)).toBe(third);
  expect(third).toMatchObject({ from: ['a', 'b', 'c'], heardAt: [0, 2, 4] });
});

test.each([
  [1, 10],
  [9, 10],
  [99, 10],
  [100, 12],
  [999, 12],
  [1_000, 16],
])('with %i members a piece of news is sent %i times', (members, times) => {
  expect(sendLimit(members)).toBe(times);
});

test.each([
  [2, 1],
  [32, 1],
  [33, 2],
  [64, 2],
  [65, 3],
  [128, 3],
])('with %i members an exchange is %i times rarer', (members, times) => {
  expect(exchangeAfterMs(timesOf.lan, members)).toBe(times * timesOf.lan.exchangeMs);
});

test.each(Object.entries(timesOf))('the times of %s leave a relay time to answer', (_, times) => {
  expect(checkTimes(times)).toBe(times);
});

test.each<[string, Partial<MembershipTimes>]>([
  ['directMs is 500 of', { directMs: 500 }],
  ['directMs is 700 of', { directMs: 700 }],
  ['directMs is 450 of', { directMs: 450 }],
  ['probeMs is 0', { probeMs: 0 }],
  ['probeMs is -1', { probeMs: -1 }],
  ['probeMs is 500000', { probeMs: 500_000, farewellMs: 3_600_000, exchangeMs: 600_000, reunionMs: 600_000 }],
  ['gossipMs is NaN', { gossipMs: Number.NaN }],
  ['gossipMs is 600', { gossipMs: 600 }],
  ['gossipPeers is 1.5', { gossipPeers: 1.5 }],
  ['gossipPeers is 1000', { gossipPeers: 1_000 }],
  ['relays is 0', { relays: 0 }],
  ['relays is 2.5', { relays: 2.5 }],
  ['suspicionFactor is 1', { suspicionFactor: 1 }],
  ['suspicionSpan is 0.5', { suspicionSpan: 0.5 }],
  ['exchangeMs is 100', { exchangeMs: 100 }],
  ['exchangeMs is Infinity', { exchangeMs: Number.POSITIVE_INFINITY }],
  ['reunionMs is 10', { reunionMs: 10 }],
  ['farewellMs is 5000', { farewellMs: 5_000 }],
  ['farewellMs is 7200000', { farewellMs: 7_200_000 }],
])('refused, with the setting: %s', async (says, wrong) => {
  const check = async (): Promise<unknown> => checkTimes({ ...timesOf.lan, ...wrong });
  const { code, message } = await refusal(check());
  expect(code).toBe('HM-MEMBERSHIP-TIMES');
  expect(message).toContain(says);
});
