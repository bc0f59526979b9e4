/**
 * Connections between the nodes of one cluster: reliable, in order, whole frames, each end proven to the other. It knows
 * peers and bytes, not what they mean; who is dialled when, and what is said, is decided in `calls/`. Two carry it:
 * WebSocket over TLS, and a network in memory for simulation and tests.
 */
import type { Reason } from '../protocols/errors.ts';
import type { MemberAddress, NodeId } from '../protocols/membership/model.ts';
import type { NodeRole } from '../protocols/wire/catalogue.ts';
import type { Peer } from '../protocols/wire/calls.ts';
import { frameOverheadBytes } from '../protocols/wire/frames.ts';

/** What the other end has proven: with its certificate, or in memory by being there. */
export interface StreamIdentity {
  readonly id: NodeId;
  readonly name: string;
  readonly role: NodeRole;
}

/** What one end of a connection hears. Set before the first frame can arrive; `ended` comes once, and last. */
export interface StreamEars {
  frame(bytes: Uint8Array): void;
  /** There is room again: see `StreamConnection.waiting`. */
  drained(): void;
  ended(because: Reason): void;
}

export interface StreamConnection {
  readonly peer: StreamIdentity;
  /** Must be called at once, by whoever is handed the connection. */
  hear(ears: StreamEars): void;
  /** Never throws; after the end it is dropped. A frame longer than `streamFrameBytes` ends the connection. */
  send(frame: Uint8Array): void;
  /** Bytes that were sent and have not left yet. Who sends on above `streamWaitingBytes` spends memory. */
  readonly waiting: number;
  /** Back pressure: the other end's frames wait there until `resume`. */
  pause(): void;
  resume(): void;
  /** What was sent still goes out; `ended` is called with the reason. */
  close(because: Reason): void;
}

export interface StreamCounts {
  dialled: number;
  accepted: number;
  /** Of those that came in, before anything was heard of them: see each link's reasons. */
  readonly refused: Record<string, number>;
}

export interface StreamLink {
  /** Where it listens. */
  readonly address: MemberAddress;
  /**
   * An empty id stands for whoever of the cluster answers there. Rejects with HM-PEER-UNREACHABLE, with HM-PEER-IDENTITY
   * when another node answers, with HM-CLUSTER-CERTIFICATE or HM-CLUSTER-FOREIGN when one end is not of the cluster. An aborted signal ends the
   * attempt.
   */
  dial(to: Peer, signal: AbortSignal): Promise<StreamConnection>;
  /** Connections that others made. Called once, before anything can come in. */
  accept(notify: (connection: StreamConnection) => void): void;
  readonly counts: Readonly<StreamCounts>;
  /** Ends its connections too. */
  close(): Promise<void>;
}

/** The longest frame: the largest body of the catalogue, and what stands around it. */
export const streamFrameBytes = 4_194_304 + frameOverheadBytes;

/** Above it a sender waits for `drained`: more than a round trip of a fast network holds. */
export const streamWaitingBytes = 1_048_576;
