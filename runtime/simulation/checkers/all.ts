/** Every checker of a run, by what it is about. The order is the order in which they are told. */
import { ErrorOwners } from './actors/errors.ts';
import { Mailboxes } from './actors/mailboxes.ts';
import { MessageOrder } from './actors/order.ts';
import { NothingLeft, SameTree } from './actors/remains.ts';
import type { Checker, ClusterChecker, ClusterSight, NodeSight } from './checker.ts';
import { BackoffKept } from './containers/backoff.ts';
import { HooksOnce, LivenessHeeded } from './containers/care.ts';
import { Appears, Withdrawn } from './containers/endpoints.ts';
import { JournalKept } from './containers/journal.ts';
import { ForeignStore, Kept } from './containers/kept.ts';
import { ForwardLives } from './containers/lives.ts';
import { ImagesAsSaid } from './containers/images.ts';
import { JobsAbreast, JobsOnce } from './containers/jobs.ts';
import { News } from './containers/news.ts';
import { NoOrphans } from './containers/orphans.ts';
import { AsDesired, Idempotent } from './containers/quiet.ts';
import { NoSurplus } from './containers/surplus.ts';
import { FreedLast, NoLeaks, OneOwner } from './network/addresses.ts';
import { Walls } from './network/walls.ts';
import { DeadStaysDead, LeftForGood, OnlyOwnerRaises } from './membership/claims.ts';
import { KeysExchanged, PacketsFit, StrangersRefused, ViewsEqual } from './membership/quiet.ts';
import { DeathsSeen, NoDeathBeforeDue, NoFalseDeath, Reunited } from './membership/verdicts.ts';
import { AsWritten, NewestShown, VersionsRise } from './observed/records.ts';
import { OneByOne } from './roll-outs.ts';
import { SecretsKept } from './secrets.ts';
import { WatchesWhole } from './store.ts';

/** Of one node. */
export function nodeCheckers(sight: NodeSight) {
  return {
    sameTree: new SameTree(sight),
    nothingLeft: new NothingLeft(sight),
    journal: new JournalKept(sight),
    messageOrder: new MessageOrder(sight),
    mailboxes: new Mailboxes(sight),
    errorOwners: new ErrorOwners(sight),
    forwardLives: new ForwardLives(sight),
    noOrphans: new NoOrphans(sight),
    backoffKept: new BackoffKept(sight),
    kept: new Kept(sight),
    foreignStore: new ForeignStore(sight),
    withdrawn: new Withdrawn(sight),
    appears: new Appears(sight),
    hooksOnce: new HooksOnce(sight),
    livenessHeeded: new LivenessHeeded(sight),
    news: new News(sight),
    jobsOnce: new JobsOnce(sight),
    imagesAsSaid: new ImagesAsSaid(sight),
    freedLast: new FreedLast(sight),
    noLeaks: new NoLeaks(sight),
    walls: new Walls(sight),
    watchesWhole: new WatchesWhole(sight),
  } satisfies Record<string, Checker>;
}

/** Of all nodes together. */
export function clusterCheckers(sight: ClusterSight) {
  return {
    asDesired: new AsDesired(sight),
    noSurplus: new NoSurplus(sight),
    idempotent: new Idempotent(sight),
    jobsAbreast: new JobsAbreast(sight),
    oneByOne: new OneByOne(sight),
    oneOwner: new OneOwner(sight),
    secretsKept: new SecretsKept(sight),
  } satisfies Record<string, ClusterChecker>;
}

/** Of members, where there are several. */
export function memberCheckers(sight: ClusterSight) {
  const asWritten = new AsWritten(sight);
  return {
    asWritten,
    versionsRise: new VersionsRise(sight),
    newestShown: new NewestShown(sight, asWritten),
    noFalseDeath: new NoFalseDeath(sight),
    noDeathBeforeDue: new NoDeathBeforeDue(sight),
    deathsSeen: new DeathsSeen(sight),
    reunited: new Reunited(sight),
    onlyOwnerRaises: new OnlyOwnerRaises(sight),
    leftForGood: new LeftForGood(sight),
    deadStaysDead: new DeadStaysDead(sight),
    packetsFit: new PacketsFit(sight),
    viewsEqual: new ViewsEqual(sight),
    strangersRefused: new StrangersRefused(sight),
    keysExchanged: new KeysExchanged(sight),
  } satisfies Record<string, ClusterChecker>;
}

export type MemberCheckers = ReturnType<typeof memberCheckers>;
export type NodeCheckers = ReturnType<typeof nodeCheckers>;
export type ClusterCheckers = ReturnType<typeof clusterCheckers>;
