/**
 * How what is known gets around: news in gossip to a few members at a time, everything with one peer now and then, and
 * seeds and lost members tried for ever, so that halves of a cluster that gave each other up find together again.
 */
import type { Desk } from '../desk.ts';
import type { Exchanger } from '../exchange/exchanger.ts';
import type { Entry } from '../members.ts';
import { isLiving, type MemberAddress } from '../model.ts';
import { exchangeAfterMs } from '../profile.ts';

export const gossipDue = 'gossip';
export const exchangeDue = 'exchange';
export const reunionDue = 'reunion';

/** In a larger cluster each node tries the lost more rarely: together they try as often. */
const triersAtOnce = 3;

export class Gossiper {
  readonly #desk: Desk;
  readonly #exchanger: Exchanger;
  /** Where a cluster may be found, whoever is there now. */
  readonly #seeds: readonly MemberAddress[];
  #lastRound = Number.NEGATIVE_INFINITY;
  /** Places of the lost, since all of them were tried. */
  readonly #tried = new Set<string>();

  constructor(desk: Desk, exchanger: Exchanger, seeds: readonly MemberAddress[]) {
    this.#desk = desk;
    this.#exchanger = exchanger;
    this.#seeds = seeds;
  }

  start(): void {
    const { deadlines, now, times, random } = this.#desk;
    deadlines.set(exchangeDue, now + times.exchangeMs * random.next());
    deadlines.set(reunionDue, now);
  }

  due(key: string): boolean {
    if (key === gossipDue) this.#gossip();
    else if (key === exchangeDue) this.#exchange();
    else if (key === reunionDue) this.#reunite();
    else return false;
    return true;
  }

  /** News at once, to `peers` members: what must not wait for the next round. */
  spread(peers: number): void {
    const { members, now, times, random, news } = this.#desk;
    const hears = (entry: Entry): boolean =>
      entry.statement !== undefined &&
      (isLiving(entry) || (entry.status === 'dead' && entry.since + times.farewellMs > now));
    if (news.size === 0) return;
    for (const entry of members.some(random, peers, hears)) {
      if (news.size === 0) return;
      this.#desk.send(entry.statement!.profile.address, { kind: 'gossip' }, entry.id);
    }
  }

  /** News of members after a quiet time goes out at once, later news in rounds. */
  arm(): void {
    const { deadlines, now, times, news } = this.#desk;
    if (news.pressing === 0 || deadlines.at(gossipDue) !== undefined) return;
    deadlines.set(gossipDue, Math.max(now, this.#lastRound + times.gossipMs));
  }

  #gossip(): void {
    this.#lastRound = this.#desk.now;
    this.spread(this.#desk.times.gossipPeers);
  }

  #exchange(): void {
    const { deadlines, now, times, size, members, random } = this.#desk;
    deadlines.set(exchangeDue, now + exchangeAfterMs(times, size));
    members.prune();
    const isPeer = (entry: Entry): boolean => entry.status === 'alive' && entry.statement !== undefined;
    const [peer] = members.some(random, 1, isPeer);
    if (peer) this.#exchanger.begin(peer.statement!.profile.address, peer.id);
  }

  /** One place of a seed or of a lost member where nobody stands who is alive, each in its turn. */
  #reunite(): void {
    const { deadlines, now, times, size, members, random, self } = this.#desk;
    deadlines.set(reunionDue, now + times.reunionMs);
    if (random.next() >= triersAtOnce / size) return;
    const lost = new Map(this.#seeds.map((to) => [placeOf(to), to]));
    const met = [placeOf(self.statement.profile.address)];
    for (const entry of members.all()) {
      if (!entry.statement) continue;
      const to = entry.statement.profile.address;
      if (isLiving(entry)) met.push(placeOf(to));
      else if (entry.status === 'dead') lost.set(placeOf(to), to);
    }
    for (const place of met) lost.delete(place);
    if ([...lost.keys()].every((place) => this.#tried.has(place))) this.#tried.clear();
    for (const place of this.#tried) lost.delete(place);
    const places = [...lost.keys()];
    const place = places[Math.floor(random.next() * places.length)];
    if (place === undefined) return;
    this.#tried.add(place);
    // Whoever is there now: a node that lost its disk stands where it was, as another.
    this.#exchanger.begin(lost.get(place)!);
  }
}

const placeOf = ({ host, port }: MemberAddress): string => `${host} ${port}`;
