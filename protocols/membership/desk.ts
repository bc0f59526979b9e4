/**
 * What the parts of the membership core share: who is known, what waits to be told, what falls due, and the effects of
 * the present step. Not a place for decisions.
 */
import type { RecordDigest } from '../observed/digest.ts';
import type { Random } from '../ports.ts';
import { packedBytes, type PackedClaim } from './claims/codec.ts';
import { Deadlines } from './deadlines.ts';
import { Broadcasts } from './gossip/broadcasts.ts';
import { LocalHealth } from './local-health.ts';
import { Members } from './members.ts';
import type { Member, MemberAddress, NodeId, Notary } from './model.ts';
import { encodePacket, roomBeside, type Message } from './packets.ts';
import { sendLimit, type MembershipTimes } from './profile.ts';
import type { Self } from './self.ts';

export interface Sender {
  /** As the transport's keys prove. */
  readonly id: NodeId;
  readonly address: MemberAddress;
}

export type MembershipEffect =
  /** A datagram. */
  | { readonly kind: 'send'; readonly to: MemberAddress; readonly id?: NodeId; readonly packet: Uint8Array }
  /** One request of an exchange, to whoever is there, over a stream; `answered` brings what it said. See `exchange/`. */
  | {
      readonly kind: 'exchange';
      readonly to: MemberAddress;
      readonly id?: NodeId;
      readonly exchange: number;
      readonly body: unknown;
    }
  /** The answer to the request that this step was `asked`. */
  | { readonly kind: 'answer'; readonly body: unknown }
  /** Ask it over a stream whether it is there; `stream-heard` says so. */
  | { readonly kind: 'ask-stream'; readonly to: MemberAddress; readonly id: NodeId }
  /** A member rose to another status, or says something new of itself. */
  | { readonly kind: 'changed'; readonly member: Member }
  /** Somebody has records that this node was not told of last; from whom they can be had. */
  | { readonly kind: 'digest'; readonly digest: RecordDigest; readonly from: Sender }
  /** Somebody holds this node for sick or dead; it has answered. */
  | { readonly kind: 'refuted'; readonly from: NodeId }
  /** Another process runs under this node's identity, or its journal was lost: its boot must rise above `boot`. */
  | { readonly kind: 'doubled'; readonly boot: number }
  /** The farewell was said as often as there is time for. */
  | { readonly kind: 'gone' };

export interface Counts {
  /** Packets, and packets refused: not in form, or a statement's seal not good. */
  received: number;
  refused: number;
  sent: number;
  /** The same by kind; those that are not in form have none. */
  readonly receivedOf: Record<Message['kind'], number>;
  readonly sentOf: Record<Message['kind'], number>;
  probes: number;
  failedProbes: number;
  suspicions: number;
  refutations: number;
  /** Times in which this node could hear nothing, postponed. */
  stalls: number;
}

const noPackets = (): Record<Message['kind'], number> => ({
  ...{ ping: 0, ack: 0, nack: 0, 'ping-request': 0, gossip: 0 },
});

export interface DeskOptions {
  readonly times: MembershipTimes;
  readonly random: Random;
  readonly notary: Notary;
  readonly self: Self;
}

export class Desk {
  readonly times: MembershipTimes;
  readonly random: Random;
  readonly notary: Notary;
  readonly self: Self;
  readonly members = new Members();
  readonly news = new Broadcasts();
  readonly deadlines = new Deadlines<string>();
  readonly health = new LocalHealth();
  readonly counts: Counts = {
    received: 0,
    refused: 0,
    sent: 0,
    receivedOf: noPackets(),
    sentOf: noPackets(),
    probes: 0,
    failedProbes: 0,
    suspicions: 0,
    refutations: 0,
    stalls: 0,
  };
  /** ms of the present step. */
  now = 0;
  #effects: MembershipEffect[] = [];

  constructor({ times, random, notary, self }: DeskOptions) {
    this.times = times;
    this.random = random;
    this.notary = notary;
    this.self = self;
  }

  /** This node counts too. */
  get size(): number {
    return this.members.living + 1;
  }

  effect(effect: MembershipEffect): void {
    this.#effects.push(effect);
  }

  /** The effects of the step, once. */
  takeEffects(): readonly MembershipEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  /** A packet with `first` and as much news as fits. */
  send(to: MemberAddress, message: Message, id?: NodeId, first: readonly PackedClaim[] = []): void {
    this.counts.sent += 1;
    this.counts.sentOf[message.kind] += 1;
    let room = roomBeside(message);
    for (const claim of first) room -= packedBytes(claim);
    const news = this.news.size === 0 ? first : [...first, ...this.news.take(room, sendLimit(this.size))];
    const packet = encodePacket(message, news);
    this.effect(id === undefined ? { kind: 'send', to, packet } : { kind: 'send', to, packet, id });
  }
}
