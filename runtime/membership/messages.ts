/**
 * What a node's main thread and its membership subtree say to each other. All of it can be cloned, so that the subtree may
 * run in a thread of its own; between two ends in one thread it is handed over as it is.
 */
import type { NodeEvent } from '../../protocols/effects.ts';
import type { Reason } from '../../protocols/errors.ts';
import type { TranscriptLine } from '../../protocols/inspection.ts';
import type { RecordDigest } from '../../protocols/observed/digest.ts';
import type { MemberAddress, NodeId, Profile } from '../../protocols/membership/model.ts';
import type { MembershipTimes } from '../../protocols/membership/profile.ts';
import type { Standing } from '../../protocols/membership/views/news.ts';
import type {
  Credentials,
  GossipKeys,
  HeardDigest,
  MemberView,
} from '../../protocols/membership/views/view.ts';
import type { ActorPath } from '../../protocols/wire/address.ts';

/** What a life of the subtree begins with. */
export interface LifeStart {
  readonly self: {
    readonly id: NodeId;
    readonly name: string;
    readonly address: MemberAddress;
    readonly zone: string;
  };
  readonly boot: number;
  readonly seeds: readonly MemberAddress[];
  readonly times: MembershipTimes;
  /** By member, what the event log heard last from an earlier life: it is not told again. */
  readonly told: Readonly<Record<NodeId, Standing>>;
}

/** To whom a question goes over streams; a seed's id is not known before it answers. */
export interface StreamPeer {
  readonly id?: NodeId;
  readonly address: MemberAddress;
}

/** `rttMs`: of the connection's newest heartbeat. */
export interface HeardPeer {
  readonly id: NodeId;
  readonly rttMs?: number;
}

/** Questions about the actors of the subtree. */
export type Inspection =
  | { readonly of: 'tree' }
  | { readonly of: 'actor'; readonly path: ActorPath }
  | { readonly of: 'transcript'; readonly under: ActorPath; readonly limit: number };

/** What waits for an answer names its `request`. */
export type ToHost =
  /** The main thread's loop turns: at least every half second, else the node is stalled. */
  | { readonly kind: 'tick' }
  /** Something came from these over streams. */
  | { readonly kind: 'stream-heard'; readonly heard: readonly HeardPeer[] }
  /** A peer's request of an exchange. */
  | { readonly kind: 'asked'; readonly request: number; readonly from: NodeId; readonly body: unknown }
  /** A peer says how far datagrams of this node have come. */
  | { readonly kind: 'heard-of'; readonly from: NodeId; readonly boot: number; readonly counter: number }
  /** The outcome of a `call`. */
  | {
      readonly kind: 'called';
      readonly request: number;
      readonly answer?: { readonly id: NodeId; readonly body: unknown; readonly rttMs: number };
      readonly error?: Reason;
    }
  | { readonly kind: 'tell-digest'; readonly digest: RecordDigest }
  | { readonly kind: 'describe'; readonly profile: Partial<Profile> }
  | { readonly kind: 'away'; readonly request: number; readonly ms: number }
  | { readonly kind: 'leave'; readonly request: number }
  | { readonly kind: 'rotate'; readonly keys: GossipKeys }
  | { readonly kind: 'renew'; readonly credentials: Credentials }
  | { readonly kind: 'look'; readonly request: number }
  /** What passed as datagrams. */
  | { readonly kind: 'count'; readonly request: number }
  | { readonly kind: 'inspect'; readonly request: number; readonly question: Inspection }
  /** Whether somebody follows what its actors do. */
  | { readonly kind: 'follow'; readonly on: boolean };

export type CallType = 'membership.exchange' | 'membership.ask';

export type FromHost =
  /** It listens and speaks. */
  | { readonly kind: 'opened' }
  /** A member's newest view; this node's own too. */
  | { readonly kind: 'viewed'; readonly view: MemberView }
  /** Gone for so long that it is shown no more. */
  | { readonly kind: 'forgotten'; readonly id: NodeId }
  /** A question to a peer, over streams. */
  | {
      readonly kind: 'call';
      readonly request: number;
      readonly type: CallType;
      readonly to: StreamPeer;
      readonly body: unknown;
      readonly timeoutMs: number;
    }
  | { readonly kind: 'digest'; readonly heard: HeardDigest }
  /** Packets come under a key that this node lacks. */
  | { readonly kind: 'unread' }
  | { readonly kind: 'event'; readonly event: NodeEvent }
  /** A step of an actor, while somebody follows. */
  | { readonly kind: 'line'; readonly line: TranscriptLine }
  | { readonly kind: 'answer'; readonly request: number; readonly value?: unknown; readonly error?: Reason }
  /** This boot is not above one that others know of this node. */
  | { readonly kind: 'doubled'; readonly boot: number }
  /** By what that peer says, packets of this boot came further than any was sent. */
  | { readonly kind: 'outrun'; readonly boot: number; readonly from: NodeId };

/** A life of the subtree, from the main thread's side. */
export interface LifeChannel {
  post(message: ToHost): void;
  /** At once and without a farewell; resolves when nothing of it is left. */
  close(): Promise<void>;
}

/** Begins a life. Rejects when it cannot listen; `ended` is called once when one that listened is over and was not closed. */
export type BeginLife = (
  start: LifeStart,
  hear: (message: FromHost) => void,
  ended: (why: string) => void,
) => Promise<LifeChannel>;
