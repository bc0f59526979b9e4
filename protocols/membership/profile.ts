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

/** Throws HM-MEMBERSHIP-TIMES when an answer could not come in time by these: no probe would ever be helped. */
export function checkTimes(times: MembershipTimes): MembershipTimes {
  const { probeMs, directMs, suspicionFactor } = times;
  const positive = Object.entries(times).find(([, value]) => !(Number.isFinite(value) && value > 0));
  if (positive) throw coded('HM-MEMBERSHIP-TIMES', `${positive[0]} is ${positive[1]}, not above 0`);
  if (directMs >= probeMs * (1 - 2 * wayShare)) {
    throw coded(
      'HM-MEMBERSHIP-TIMES',
      `a direct answer may take ${directMs} ms of a probe's ${probeMs}: no time is left for others to try`,
    );
  }
  if (suspicionFactor < 2)
    throw coded(
      'HM-MEMBERSHIP-TIMES',
      `suspicionFactor is ${suspicionFactor}: at least 2 probes must be able to refute`,
    );
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
