/**
 * Messages between nodes, as everything above `transport` sees them: questions with one answer, and words without one.
 * What may be said stands in `catalogue.ts`. Bytes, certificates and connections are `transport`'s.
 */
import type { Reason } from '../errors.ts';
import type { MemberAddress, NodeId } from '../membership/model.ts';
import type { Stop } from '../ports.ts';
import type { NodeRole } from './catalogue.ts';

/** A node to speak to. Whoever answers at the address must prove that it is this one. */
export interface Peer {
  /** Empty in a `call` alone: whoever of the cluster answers at the address. */
  readonly id: NodeId;
  readonly address: MemberAddress;
}

/** Who speaks: identity, name and role are those of its certificate; the boot is its own word. */
export interface Caller {
  readonly id: NodeId;
  readonly name: string;
  readonly role: NodeRole;
  readonly boot: number;
}

/**
 * Answers a question or hears a word; messages of one peer come in the order they were sent. A `CodedError` that it
 * throws reaches the caller as it is; anything else as HM-INTERNAL without a word of what it was. The signal fires when
 * nobody waits for the answer any more.
 */
export type CallHandler = (from: Caller, body: unknown, signal: AbortSignal) => unknown;

export interface CallOptions {
  /** ms; `Infinity` waits until the answer, the signal, or the end of the connection. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** A connection is ready for use, or will bring nothing any more. */
export interface PeerEvent {
  readonly id: NodeId;
  readonly what: 'made' | 'lost';
  /** The peer's life it is with. */
  readonly boot: number;
  readonly reason?: Reason;
}

/** What passed between this node and one peer, in this boot. */
export interface PeerCounts {
  made: number;
  lost: number;
  dialsFailed: number;
  framesSent: number;
  bytesSent: number;
  framesReceived: number;
  bytesReceived: number;
  /** Not taken because the queue was full. */
  full: number;
  /** Taken, and never sent or never answered: the connection was lost first. */
  dropped: number;
  /** Answers nobody waited for any more. */
  late: number;
  /** What the peer said and may not: unknown types, wrong roles, too many bytes, no message at all. */
  refused: number;
  /** Handlers that threw something without a code. */
  defects: number;
}

/** What passed of one message type between this node and all others, in this boot. */
export interface TypeCounts {
  /** Asked or told here. Each that was asked ends as one of the next five. */
  sent: number;
  answered: number;
  /** The peer gave a reason instead of an answer. */
  refused: number;
  timedOut: number;
  /** Nobody waited for the answer any more. */
  letGo: number;
  /** No connection, lost before the answer, no room in the queue, or an answer that is none. */
  failed: number;
  /** Asked or told by peers; and of what they asked how much was answered, and refused. */
  received: number;
  given: number;
  denied: number;
  /** Of bodies: what stands around them is not counted. */
  bytesSent: number;
  bytesReceived: number;
}

export interface PeerCondition {
  readonly id: NodeId;
  readonly address?: MemberAddress;
  /** Known once it was connected. */
  readonly name?: string;
  readonly role?: NodeRole;
  readonly boot?: number;
  readonly open: boolean;
  /** Open, and nothing is under way over it. */
  readonly idle: boolean;
  /** Since when it is so, ms since 1970. */
  readonly sinceMs: number;
  readonly queuedFrames: number;
  readonly queuedBytes: number;
  /** Questions of either side without an answer so far. */
  readonly asking: number;
  readonly answering: number;
  /** Of the newest heartbeat. */
  readonly rttMs?: number;
  /** Frames that came over the present connection, heartbeats too. */
  readonly heard?: number;
  /** Why there is no connection, when one was wanted. */
  readonly failure?: Reason;
  readonly counts: Readonly<PeerCounts>;
}

/**
 * At most once, never out of order. A connection is made when something is to be said; what was said before it was lost
 * arrives no more, and is not said again.
 */
export interface Calls {
  /**
   * The peer's answer. Rejects with the `CodedError` its handler threw, or with HM-PEER-UNREACHABLE (no connection, or
   * lost before the answer: whether the peer did it is not known), HM-PEER-TIMEOUT (not known either), HM-PEER-BUSY (a
   * queue is full: not done), HM-PEER-REFUSED (unknown type, wrong role: not done), HM-PEER-VERSION, HM-PEER-IDENTITY,
   * HM-PEER-MESSAGE (a body too large or not plain: not sent). An aborted signal rejects with HM-PEER-TIMEOUT.
   */
  call(to: Peer, type: string, body: unknown, options: CallOptions): Promise<unknown>;
  /**
   * `full`: the peer's queue is, nothing was taken. `closed`: this end is. `taken` promises nothing: the connection may
   * be lost first, which `onPeer` tells. Throws HM-PEER-MESSAGE for a body that is too large or not plain.
   */
  tell(to: Peer, type: string, body: unknown): 'taken' | 'full' | 'closed';
  /** One handler a type. Throws for a type that the catalogue does not name as a stream's, or that has one already. */
  on(type: string, handler: CallHandler): Stop;
  /** Nothing that was sent before `lost` arrives after it. */
  onPeer(notify: (event: PeerEvent) => void): Stop;
  /** A connection is kept, and made again after a loss, until it is let go. */
  keep(to: Peer): Stop;
  /** Something speaks against the peer: its connection, which is trusted while it is idle, shows soon whether it is there. */
  doubt(id: NodeId): void;
  conditions(): readonly PeerCondition[];
  /** By message type, those that anything passed of; what the catalogue does not name together as `other`. */
  traffic(): Readonly<Record<string, TypeCounts>>;
  /** Of peers with a connection: frames that came over it, and the round trip of its newest heartbeat. Asked twice a second. */
  eachHeard(tell: (id: NodeId, frames: number, rttMs: number | undefined) => void): void;
  close(): Promise<void>;
}
