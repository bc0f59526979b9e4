/**
 * The membership protocol's core (SWIM with Lifeguard's extensions), without sockets, clock or chance of its own: an
 * input and the time go in, effects come out. The membership worker drives it with real packets, the simulation with
 * simulated ones. Read first: `model.ts`, `claims/precedence.ts`; then `judge.ts`, `probing/`, `gossip/`.
 *
 * One step a packet, not one machine event: machines hear of `changed` only.
 */
import type { RecordDigest } from '../observed/digest.ts';
import { packTold } from './claims/codec.ts';
import { Desk, type Counts, type DeskOptions, type MembershipEffect, type Sender } from './desk.ts';
import { Exchanger } from './exchange/exchanger.ts';
import { Gossiper } from './gossip/gossiper.ts';
import { accuse, chargesAgainst, doubtPrefix, hear, suspicionPrefix } from './judge.ts';
import { memberOf, type Planes } from './members.ts';
import type { Member, MemberAddress, NodeId, Profile } from './model.ts';
import type { PackedClaim } from './claims/codec.ts';
import { decodePacket, type Packet } from './packets.ts';
import { Prober, probeDue } from './probing/prober.ts';
import { Relay } from './probing/relay.ts';
import type { Suspicion } from './suspicion.ts';

export type MembershipInput =
  /** Once, before all others. */
  | { readonly kind: 'start' }
  /** A datagram that the transport has decrypted. */
  | { readonly kind: 'received'; readonly from: Sender; readonly packet: Uint8Array }
  /** A deadline may have passed. */
  | { readonly kind: 'tick' }
  /** A peer's request of an exchange: an `answer` is among the effects, unless it is not in form. */
  | { readonly kind: 'asked'; readonly from: Sender; readonly body: unknown }
  /** What a peer answered to the request of an `exchange`. One that is never answered needs no word. */
  | {
      readonly kind: 'answered';
      readonly exchange: number;
      readonly from: Sender;
      readonly body: unknown;
    }
  /** Anything arrived from it over a stream, the answer to `ask-stream` too. */
  | { readonly kind: 'stream-heard'; readonly id: NodeId }
  /** This node's own loop was late by so many ms. */
  | { readonly kind: 'lagged'; readonly ms: number }
  /** This node says something new of itself. */
  | { readonly kind: 'describe'; readonly profile: Partial<Profile> }
  /** This node has these records, its own or another's: to be passed on. */
  | { readonly kind: 'tell-digest'; readonly digest: RecordDigest }
  /** For good, or until another boot. */
  | { readonly kind: 'leave' };

/** A lag below this is everyday; each such step above makes this node's health worse by one. */
export const lagStepMs = 250;
/** The farewell is said in so many rounds of gossip, to more members than news is. */
const farewellRounds = 3;
const farewellPeers = 8;
/** So many are told at once of new records of this node. */
const firstHearers = 2;
const farewellDue = 'farewell';
/** Senders remembered for how often they are answered, and whose records were told of; beyond, all are forgotten at once. */
const mostAcquaintances = 10_000;

export interface SwimOptions extends DeskOptions {
  readonly seeds: readonly MemberAddress[];
}

export class Swim {
  readonly #desk: Desk;
  readonly #prober: Prober;
  readonly #relay: Relay;
  readonly #exchanger: Exchanger;
  readonly #gossiper: Gossiper;
  #sequence: number;
  #farewells = 0;
  /** Unknown senders asked for an exchange, and charges sent back, each not before this. */
  readonly #notBefore = new Map<string, number>();
  /** By node, what was said last of its records: gossip says everything many times. */
  readonly #digests = new Map<NodeId, string>();

  constructor({ seeds, ...desk }: SwimOptions) {
    this.#desk = new Desk(desk);
    // Not from 0: an answer to the probe of a former life must not be taken for one to ours.
    this.#sequence = Math.floor(desk.random.next() * 2 ** 24);
    const next = (): number => (this.#sequence = (this.#sequence + 1) % 2 ** 32);
    this.#prober = new Prober(this.#desk, next);
    this.#relay = new Relay(this.#desk, next);
    this.#exchanger = new Exchanger(this.#desk);
    this.#gossiper = new Gossiper(this.#desk, this.#exchanger, seeds);
  }

  /** `now`: ms of a clock that never goes back. */
  step(input: MembershipInput, now: number): readonly MembershipEffect[] {
    this.#enter(now);
    this.#take(input);
    this.#gossiper.arm();
    this.#runDue();
    this.#gossiper.arm();
    const effects = this.#desk.takeEffects();
    for (const effect of effects) if (effect.kind === 'changed') this.#prober.follow(effect.member);
    return effects;
  }

  /** When `tick` is wanted at the latest. */
  nextDeadline(): number | undefined {
    return this.#desk.deadlines.next();
  }

  /** All but this node. */
  members(): readonly Member[] {
    return [...this.#desk.members.all()].map(memberOf);
  }

  member(id: NodeId): Member | undefined {
    const entry = this.#desk.members.get(id);
    return entry && memberOf(entry);
  }

  /** Its newest own words. */
  profileOf(id: NodeId): Profile | undefined {
    return this.#desk.members.get(id)?.statement?.profile;
  }

  /** Of a suspected member: who says so, and when that was heard. */
  suspicionOf(id: NodeId): Readonly<Suspicion> | undefined {
    return this.#desk.members.get(id)?.suspicion;
  }

  planesOf(id: NodeId): Readonly<Planes> | undefined {
    return this.#desk.members.get(id)?.planes;
  }

  get counts(): Readonly<Counts> {
    return this.#desk.counts;
  }

  /** Local health, 0 (well) to 7; pieces of news that wait, and that found no room. */
  get condition(): { readonly health: number; readonly news: number; readonly dropped: number } {
    const { health, news } = this.#desk;
    return { health: health.score, news: news.size, dropped: news.dropped };
  }

  /** Time passed in which nothing could be heard counts for nobody's suspicion, nor for a probe. */
  #enter(now: number): void {
    const desk = this.#desk;
    const due = desk.deadlines.next();
    desk.now = now;
    const lateMs = due === undefined ? 0 : now - due;
    if (lateMs <= desk.times.directMs) return;
    desk.counts.stalls += 1;
    desk.health.note(+1);
    desk.deadlines.postpone(lateMs);
  }

  #take(input: MembershipInput): void {
    const desk = this.#desk;
    switch (input.kind) {
      case 'start':
        this.#gossiper.start();
        desk.deadlines.set(probeDue, desk.now + desk.times.probeMs * desk.random.next());
        break;
      case 'received':
        this.#receive(input.from, input.packet);
        break;
      case 'tick':
        break;
      case 'asked':
        this.#exchanger.asked(input.body);
        this.#heardOnStream(input.from.id);
        break;
      case 'answered':
        this.#exchanger.answered(input.exchange, input.from.id, input.body);
        this.#heardOnStream(input.from.id);
        break;
      case 'stream-heard':
        this.#heardOnStream(input.id);
        break;
      case 'lagged':
        if (input.ms >= lagStepMs) desk.health.note(Math.floor(input.ms / lagStepMs));
        break;
      case 'describe':
        this.#say(desk.self.describe({ ...desk.self.statement.profile, ...input.profile }).bytes);
        break;
      case 'tell-digest':
        // What others say of it from now on is no news, unless it is another.
        this.#isNews(input.digest);
        desk.news.add('digest', `records ${input.digest.id}`, packTold(input.digest));
        // Nobody else has it yet; from those who hear it now it rides on their probes.
        if (input.digest.id === desk.self.id) this.#gossiper.spread(firstHearers);
        break;
      case 'leave':
        this.#say(desk.self.leave().bytes);
        this.#farewells = farewellRounds;
        desk.deadlines.set(farewellDue, desk.now + desk.times.gossipMs);
        break;
    }
  }

  /** This node's own word, at once. */
  #say(words: Uint8Array): void {
    this.#desk.news.add('urgent', this.#desk.self.id, words);
    this.#gossiper.spread(farewellPeers);
  }

  #receive(from: Sender, bytes: Uint8Array): void {
    const desk = this.#desk;
    const packet = decodePacket(bytes);
    desk.counts.received += 1;
    if (!packet) {
      desk.counts.refused += 1;
      return;
    }
    desk.counts.receivedOf[packet.message.kind] += 1;
    for (const piece of packet.claims) {
      if (piece instanceof Uint8Array || piece.kind !== 'digest') hear(desk, piece);
      else if (this.#isNews(piece.digest)) desk.effect({ kind: 'digest', digest: piece.digest, from });
    }
    this.#acquaint(from);
    const { message } = packet;
    switch (message.kind) {
      case 'ping':
        if (message.target === desk.self.id)
          desk.send(
            from.address,
            { kind: 'ack', sequence: message.sequence },
            from.id,
            this.#defence(packet),
          );
        break;
      case 'ack':
        if (!this.#prober.answered(message.sequence, from.id))
          this.#relay.answered(message.sequence, from.id);
        break;
      case 'nack':
        this.#prober.denied(message.sequence);
        break;
      case 'ping-request': {
        const errand = {
          origin: from.address,
          originId: from.id,
          sequence: message.sequence,
          target: message.target,
        };
        this.#relay.ask(errand, message.address, message.remainingMs);
        break;
      }
      case 'gossip':
        break;
    }
  }

  #isNews({ id, boot, sequence, hash }: RecordDigest): boolean {
    const text = `${boot}.${sequence} ${hash}`;
    if (this.#digests.get(id) === text) return false;
    if (this.#digests.size >= mostAcquaintances) this.#digests.clear();
    this.#digests.set(id, text);
    return true;
  }

  /** What this node says of itself, to one that brought an accusation: it may not have heard that it was refuted. */
  #defence({ claims }: Packet): readonly PackedClaim[] {
    const { id, statement } = this.#desk.self;
    const accused = claims.some(
      (claim) => !(claim instanceof Uint8Array) && claim.kind !== 'digest' && claim.id === id,
    );
    return accused ? [statement.bytes] : [];
  }

  /** Whoever speaks lives: one that is not known is asked who it is, one that is held for sick or dead hears of it. */
  #acquaint({ id, address }: Sender): void {
    const desk = this.#desk;
    const entry = desk.members.get(id);
    if (entry) {
      entry.planes.datagramAt = desk.now;
      const charges = chargesAgainst(desk, entry);
      if (charges.length > 0 && this.#mayNow(id)) desk.send(address, { kind: 'gossip' }, id, charges);
    } else if (id !== desk.self.id && this.#mayNow(id)) this.#exchanger.begin(address, id);
  }

  /** Once an interval for each. */
  #mayNow(id: NodeId): boolean {
    const { now, times } = this.#desk;
    if ((this.#notBefore.get(id) ?? 0) > now) return false;
    if (this.#notBefore.size >= mostAcquaintances) this.#notBefore.clear();
    this.#notBefore.set(id, now + times.probeMs);
    return true;
  }

  #heardOnStream(id: NodeId): void {
    const planes = this.#desk.members.get(id)?.planes;
    if (planes) planes.streamAt = this.#desk.now;
  }

  #runDue(): void {
    const desk = this.#desk;
    for (let key = desk.deadlines.take(desk.now); key !== undefined; key = desk.deadlines.take(desk.now)) {
      if (key === probeDue) this.#prober.probe();
      else if (key === farewellDue) this.#farewell();
      else if (key.startsWith(suspicionPrefix)) this.#condemn(key.slice(suspicionPrefix.length));
      else if (key.startsWith(doubtPrefix)) this.#prober.ask(key.slice(doubtPrefix.length));
      else if (!this.#prober.due(key) && !this.#relay.due(key)) this.#gossiper.due(key);
    }
  }

  #condemn(id: NodeId): void {
    const entry = this.#desk.members.get(id);
    if (entry?.status === 'suspected') accuse(this.#desk, entry, 'dead');
  }

  #farewell(): void {
    this.#farewells -= 1;
    this.#gossiper.spread(farewellPeers);
    if (this.#farewells > 0)
      this.#desk.deadlines.set(farewellDue, this.#desk.now + this.#desk.times.gossipMs);
    else this.#desk.effect({ kind: 'gone' });
  }
}
