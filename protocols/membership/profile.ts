/**
 * The protocol's times and counts, one set a kind of network, and the formulas that grow them with the cluster
 * (memberlist's, with the changes that its defects ask for: see ARCHITECTURE.md). All times in ms.
 */
import { coded } from '../errors.ts';

export interface MembershipTimes {
  /** Between two probes of one node. */
  readonly probeMs: number;
  /** How long a direct answer may take before others are asked to try. */
  readonly directMs: number;
  /** Others asked to try. */
  readonly relays: number;
  /** Between two rounds of gossip, and to how many. */
  readonly gossipMs: number;
  readonly gossipPeers: number;
  /** Between two exchanges of everything with one peer. */
  readonly exchangeMs: number;
  /** Between two tries of one lost peer or seed. */
  readonly reunionMs: number;
  /** Suspicion lasts `suspicionFactor` × `probeMs` at least, more in clusters above ten (`growth`), `suspicionSpan` times that at most. */
  readonly suspicionFactor: number;
  readonly suspicionSpan: number;
  /** How long the dead are still gossiped to. */
  readonly farewellMs: number;
}

export type NetworkKind = 'lan' | 'wan' | 'fast';

const lan: MembershipTimes = {
  probeMs: 500,
  directMs: 200,
  relays: 3,
  gossipMs: 200,
  gossipPeers: 3,
  exchangeMs: 15_000,
  reunionMs: 2_000,
  suspicionFactor: 4,
  suspicionSpan: 6,
  farewellMs: 60_000,
};

export const timesOf: Readonly<Record<NetworkKind, MembershipTimes>> = {
  lan,
  // Longer ways and more loss: everything takes five times as long.
  wan: {
    ...lan,
    probeMs: 2_500,
    directMs: 1_000,
    gossipMs: 500,
    gossipPeers: 4,
    exchangeMs: 60_000,
    reunionMs: 10_000,
    farewellMs: 300_000,
  },
  fast: { ...lan, probeMs: 200, directMs: 80, gossipMs: 100, exchangeMs: 5_000, reunionMs: 1_000 },
};

/** Room that a relay's two ways need beside its own wait. */
const wayShare = 0.1;
/** Longest time between two rounds of anything: beyond, nothing would be noticed on the day it happens. */
const longestMs = 3_600_000;
/** With the worst local health a probe takes so many times as long, and a packet says how long it takes. */
export const worstFactor = 8;
/** More receivers at once than this are a flood, not gossip. */
const mostPeers = 32;
/** Rounds of gossip that a refutation needs to be heard before the shortest suspicion ends. */
const fewestRounds = 4;

/** What is wrong with them, first things first; `undefined` when nothing is. */
function contradictionIn(times: MembershipTimes): string | undefined {
  const { probeMs, directMs, relays, gossipMs, gossipPeers, suspicionFactor, suspicionSpan } = times;
  for (const [name, value] of Object.entries(times)) {
    if (!(Number.isFinite(value) && value > 0)) return `${name} is ${value}, not above 0`;
    if (value > longestMs) return `${name} is ${value}, more than an hour`;
  }
  for (const [name, value] of Object.entries({ relays, gossipPeers })) {
    if (!Number.isInteger(value) || value > mostPeers)
      return `${name} is ${value}, not a whole number up to ${mostPeers}`;
  }
  if (probeMs > longestMs / worstFactor)
    return `probeMs is ${probeMs}: a node that is not well waits ${worstFactor} times as long, more than an hour`;
  if (directMs >= probeMs * (1 - 2 * wayShare))
    return `directMs is ${directMs} of a probe's ${probeMs} (probeMs): no time is left for others to try`;
  if (suspicionFactor < 2)
    return `suspicionFactor is ${suspicionFactor}: at least 2 probes must be able to refute`;
  if (suspicionSpan < 1)
    return `suspicionSpan is ${suspicionSpan}: the longest suspicion would be shorter than the shortest`;
  if (gossipMs * fewestRounds > suspicionFactor * probeMs)
    return `gossipMs is ${gossipMs}: a suspicion of ${suspicionFactor * probeMs} ms ends before its refutation gets around`;
  return rarely(times);
}

/** What is done now and then must be rarer than probes, and go on for longer than a suspicion. */
function rarely(times: MembershipTimes): string | undefined {
  const { probeMs, exchangeMs, reunionMs, farewellMs, suspicionFactor, suspicionSpan } = times;
  for (const [name, value] of Object.entries({ exchangeMs, reunionMs })) {
    if (value < probeMs) return `${name} is ${value}, more often than the probes every ${probeMs} ms`;
  }
  const suspicionMs = suspicionFactor * suspicionSpan * probeMs;
  if (farewellMs < suspicionMs)
    return `farewellMs is ${farewellMs}: who is declared dead wrongly after ${suspicionMs} ms would not hear of it`;
  return undefined;
}

/** Throws HM-MEMBERSHIP-TIMES, with the setting and what it breaks, for times that would make the protocol fail its purpose. */
export function checkTimes(times: MembershipTimes): MembershipTimes {
  const problem = contradictionIn(times);
  if (problem !== undefined) throw coded('HM-MEMBERSHIP-TIMES', problem);
  return times;
}

/** Of what is left until the probe's deadline, the share after which a relay says that it heard nothing either. */
export function nackAfterMs(remainingMs: number): number {
  return Math.round(remainingMs * 0.8);
}

/** Of the shortest suspicion, for each ten times as many members beyond ten. memberlist's is 1. */
const growthPerDecade = 0.75;

/**
 * In a larger cluster a suspicion takes longer to reach its member, and the refutation to reach the others. News goes
 * out at once here instead of with the next round, and suspects are probed out of turn: so a hundred members need 1.75
 * times as long as ten, not twice.
 */
function growth(members: number): number {
  return 1 + growthPerDecade * Math.max(0, Math.log10(members) - 1);
}

/** Shortest and longest suspicion, and how many confirmations make the longest the shortest. `members` counts this node too. */
export function suspicionTimes(
  { probeMs, suspicionFactor, suspicionSpan }: MembershipTimes,
  members: number,
): { readonly shortestMs: number; readonly longestMs: number; readonly confirmations: number } {
  const shortestMs = suspicionFactor * growth(members) * probeMs;
  const wanted = suspicionFactor - 2;
  // Where so few could confirm, waiting for them would only be slow.
  const confirmations = members - 2 < wanted ? 0 : wanted;
  return {
    shortestMs,
    longestMs: confirmations === 0 ? shortestMs : shortestMs * suspicionSpan,
    confirmations,
  };
}

/** Fewer than this and a rumour dies out in small clusters. */
const fewestSends = 10;

/** How often one piece of news is passed on, counted by receiver. */
export function sendLimit(members: number): number {
  return Math.max(fewestSends, 4 * Math.ceil(Math.log10(members + 1)));
}

/** Above 32 members exchanges are rarer, so that the cluster's traffic stays the same. */
export function exchangeAfterMs({ exchangeMs }: MembershipTimes, members: number): number {
  return exchangeMs * (members <= 32 ? 1 : Math.ceil(Math.log2(members) - 5) + 1);
}
