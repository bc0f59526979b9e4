/**
 * Datagrams between the nodes of one cluster: sent with best effort, received from authenticated senders only. It knows
 * peers and bytes, not what they mean. Two carry it: UDP, and a network in memory for simulation and tests; both seal.
 */
import type { MemberAddress, NodeId } from '../protocols/membership/model.ts';
import type { Furthest, RefusedDatagram } from './secure/sealed-datagrams.ts';
import type { KeyRing } from './secure/key-ring.ts';

/** A datagram from a life of a member, with the address it came from. */
export interface ReceivedDatagram {
  readonly id: NodeId;
  readonly boot: number;
  readonly address: MemberAddress;
  readonly bytes: Uint8Array;
}

export interface DatagramCounts {
  sent: number;
  sentBytes: number;
  received: number;
  receivedBytes: number;
  /** Longer than a datagram may be: a defect of whoever packed it. */
  tooLong: number;
  /** What the system did not take: no route, no buffer. */
  failed: number;
  /** By reason; each changed nothing. */
  readonly refused: Record<RefusedDatagram, number>;
}

export interface DatagramLink {
  /** Where it listens. */
  readonly address: MemberAddress;
  /** Never throws and never waits; what becomes of it is counted. */
  send(to: MemberAddress, bytes: Uint8Array): void;
  /** How far datagrams of a member have come, as far as they were heard here; this node's own, as far as they were sent. */
  furthestOf(id: NodeId): Furthest | undefined;
  /** Exchanges the keys from the next datagram on. */
  rotate(ring: KeyRing): void;
  readonly counts: Readonly<DatagramCounts>;
  close(): Promise<void>;
}

/** The longest datagram, sealed: it passes every path that carries 1,500-byte packets, tunnels included. */
export const datagramBytes = 1_400;

export function noDatagrams(): DatagramCounts {
  return {
    sent: 0,
    sentBytes: 0,
    received: 0,
    receivedBytes: 0,
    tooLong: 0,
    failed: 0,
    refused: { malformed: 0, 'unknown-key': 0, 'not-authentic': 0, replayed: 0, 'former-life': 0 },
  };
}
