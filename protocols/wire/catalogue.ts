/**
 * Every message type that nodes exchange: on which plane it travels, which roles may send it, and how large it may be.
 * What does not stand here is refused at both ends. An actor is reached from other nodes only by the messages that
 * `actorMessages` names, and its end is told only where `actorWatches` names its path.
 */
import { paths } from './paths.ts';

/** As the certificate says. A server holds or reaches the store; an agent reaches it through a server. */
export type NodeRole = 'server' | 'agent';

/** `stream`: reliable, in order, to a proven peer. `datagram`: best effort. */
type Plane = 'stream' | 'datagram';

export interface MessageType {
  readonly plane: Plane;
  readonly from: readonly NodeRole[];
  /** Greatest body, encoded. */
  readonly bytes: number;
  /** Greatest answer; a type without one is told, not asked. */
  readonly answerBytes?: number;
}

const everybody = ['server', 'agent'] as const;

export const messageTypes: Readonly<Record<string, MessageType>> = {
  // -- membership -------------------------------------------------------------------------------
  /** Everything of the SWIM core: probes, acknowledgements, gossip. One sealed datagram. */
  'membership.packet': { plane: 'datagram', from: everybody, bytes: 1_400 },
  /** One request of an exchange, and its answer beside the id of who gave it: see `membership/exchange/bodies.ts`. */
  'membership.exchange': { plane: 'stream', from: everybody, bytes: 65_536, answerBytes: 65_600 },
  /** Whether the node is there; it answers its id. */
  'membership.ask': { plane: 'stream', from: everybody, bytes: 16, answerBytes: 64 },
  // -- observed state ---------------------------------------------------------------------------
  /** One node's records, or what changed in them: a piece and its head. */
  'records.pull': { plane: 'stream', from: everybody, bytes: 1_024, answerBytes: 393_216 },
  /** One word for all records held; the digests of 5,000 nodes. */
  'records.compare': { plane: 'stream', from: everybody, bytes: 256, answerBytes: 524_288 },
  // -- actors of other nodes --------------------------------------------------------------------
  /** Answered when it is in the mailbox, or with why it is not: the sender's node must know of a dead letter. */
  'actor.tell': { plane: 'stream', from: everybody, bytes: 262_144, answerBytes: 16 },
  'actor.ask': { plane: 'stream', from: everybody, bytes: 262_144, answerBytes: 4_194_304 },
  /** Answered when the actor has ended. */
  'actor.watch': { plane: 'stream', from: everybody, bytes: 4_096, answerBytes: 4_096 },
  // -- certificates and keys ----------------------------------------------------------------------
  'join.renew': { plane: 'stream', from: everybody, bytes: 16_384, answerBytes: 32_768 },
  'join.leave': { plane: 'stream', from: everybody, bytes: 16, answerBytes: 16 },
  /** The keys of the gossip, the first for sending: asked for by who may have missed news of them … */
  'ring.get': { plane: 'stream', from: everybody, bytes: 16, answerBytes: 1_024 },
  /** … and told by the server, answered when they are in use. */
  'ring.news': { plane: 'stream', from: ['server'], bytes: 1_024, answerBytes: 16 },
  /** A sealed value that a slot of who asks holds, opened. */
  'secret.open': { plane: 'stream', from: everybody, bytes: 4_096, answerBytes: 1_500_000 },
  // -- the store, at a server: each request is judged by who asks ---------------------------------
  'store.status': { plane: 'stream', from: everybody, bytes: 16, answerBytes: 1_024 },
  'store.get': { plane: 'stream', from: everybody, bytes: 8_192, answerBytes: 1_114_112 },
  /** A page. */
  'store.list': { plane: 'stream', from: everybody, bytes: 8_192, answerBytes: 4_194_304 },
  'store.txn': { plane: 'stream', from: everybody, bytes: 2_097_152, answerBytes: 1_024 },
  'store.grant': { plane: 'stream', from: everybody, bytes: 1_024, answerBytes: 1_024 },
  'store.keep-alive': { plane: 'stream', from: everybody, bytes: 1_024, answerBytes: 1_024 },
  'store.revoke': { plane: 'stream', from: everybody, bytes: 1_024, answerBytes: 1_024 },
  /** Answered when something changed behind the place that it names: no gap however often the connection is lost. */
  'store.watch': { plane: 'stream', from: everybody, bytes: 8_192, answerBytes: 4_194_304 },
};

/** Messages that actors of other nodes may send to actors of this one, and as which role. */
export const actorMessages: Readonly<Record<string, readonly NodeRole[]>> = {
  /**
   * To `/leader/apps`, asked when somebody asks an agent: which apps there are and how far, with nothing that is in their
   * environments or files.
   */
  'apps.report': everybody,
};

/** Actors of this node whose end those of others may watch, and as which role: those that they have to do with. */
export const actorWatches: Readonly<Record<string, readonly NodeRole[]>> = {
  [paths.apps]: everybody,
};
