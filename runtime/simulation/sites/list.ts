/**
 * Places where the simulated world goes out of its way to be awkward, each within what its port allows: calls that are late,
 * outcomes that are unknown, connections that are refused once, bounds that are tiny. A seed has a few of them, drawn by
 * chance; how often each struck stands in a campaign's report, and has a minimum.
 */
import type { limits } from '../../../protocols/limits.ts';

export interface Site {
  /** Share of the seeds that have it. */
  readonly share: number;
  /** Of the occasions that it has in such a seed, how many it takes. Of a bound, which is always there, 1. */
  readonly rate: number;
  /** Where nodes are several, alone. */
  readonly several?: true;
  /** So often must it strike, a hundred seeds. */
  readonly least: number;
}

export const sites = {
  /** An answer of the store is late by up to `lateMs`. */
  'store.late': { share: 0.15, rate: 0.05, least: 20 },
  /** A write took effect, and its answer says that nobody knows. */
  'store.unknown': { share: 0.15, rate: 0.03, least: 3 },
  /** Right after a change is told, everything that watches still need is compacted. */
  'watch.compacted': { share: 0.1, rate: 0.02, least: 1 },
  /** The disk takes up to `slowMs` to have what was written. */
  'journal.slow': { share: 0.15, rate: 0.05, least: 10 },
  /** A timer is due up to `timerMs` later. */
  'timer.late': { share: 0.1, rate: 0.2, least: 300 },
  /** Who dials is refused, though somebody listens. */
  'stream.refused': { share: 0.15, rate: 0.2, several: true, least: 3 },
  /** A connection is reset instead of carrying a frame. */
  'stream.reset': { share: 0.15, rate: 0.003, several: true, least: 2 },
  /** What is sent on a way waits in a queue for up to `queueMs`; asked once a second. */
  'datagram.queued': { share: 0.15, rate: 0.3, several: true, least: 50 },
  /** One connection may be idle. */
  'bound.idle': { share: 0.15, rate: 1, several: true, least: 4 },
  /** A mailbox holds so many messages that it is full now and then. */
  'bound.mailbox': { share: 0.1, rate: 1, least: 2 },
} as const satisfies Readonly<Record<string, Site>>;

export type SiteName = keyof typeof sites;

export const lateMs = 400;
export const slowMs = 800;
export const timerMs = 10;
export const queueMs = 700;

/** What bounds are in seeds that have their site. */
export const tinyBounds: Partial<Record<SiteName, Partial<Record<keyof typeof limits, number>>>> = {
  'bound.idle': { peerIdle: 1, peerRestMs: 5_000 },
  'bound.mailbox': { mailboxMessages: 200 },
};
