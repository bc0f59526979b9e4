/** A node's place in its cluster, as the rest of the node and its API hold it. A node alone has none. */
import type { JoinTokenView } from '../../protocols/cluster/token.ts';
import type { ServerPlace } from '../../protocols/cluster/join.ts';
import type { NodeEvent } from '../../protocols/effects.ts';
import type { Reason } from '../../protocols/errors.ts';
import type { MemberAddress, NodeId, Notary } from '../../protocols/membership/model.ts';
import type { Membership } from '../../protocols/membership/views/port.ts';
import type { Stop } from '../../protocols/ports.ts';
import type { Calls } from '../../protocols/wire/calls.ts';
import type { NodeRole } from '../../protocols/wire/catalogue.ts';

export interface ClusterSelf {
  readonly id: NodeId;
  readonly name: string;
  /** A server leads and holds the store; an agent has it at a server. */
  readonly role: NodeRole;
  readonly address: MemberAddress;
  /** Failure domain; empty when none was set. */
  readonly zone: string;
  /** Of the cluster. */
  readonly label: string;
}

export interface ClusterHandle {
  readonly self: ClusterSelf;
  readonly calls: Calls;
  readonly membership: Membership;
  /** Signs what this node says of itself and judges what others say; knows of renewals by itself. */
  readonly notary: Notary;
  /** Where the store is now: this node itself at a server. */
  server(): ServerPlace;
  /** What only a real node has: certificates, tokens, keys. */
  readonly care?: ClusterCare;
}

export interface ClusterCare {
  certificate(): CertificateView;
  /** Names of the gossip's keys, the one for sending first. */
  gossipKeys(): readonly string[];
  /** What happened before somebody listens is kept for the first who does. */
  onEvent(notify: (event: NodeEvent) => void): Stop;
  /** At a server; elsewhere HM-CLUSTER-AGENT, as all below. The token is answered once. */
  createToken(wish: {
    readonly ttlMs: number;
    readonly uses: number;
  }): Promise<JoinTokenView & { readonly token: string }>;
  listTokens(): Promise<readonly JoinTokenView[]>;
  revokeToken(id: string): Promise<void>;
  /**
   * A new key for the gossip, in three steps. HM-GOSSIP-KEY when a living member could not be told: ask again. Names of who
   * lives and was left out, because the registry does not have it.
   */
  rotateKeys(): Promise<readonly string[]>;
  /** At an agent: its name is free, it is no member any more, its certificate is forgotten. */
  leave(): Promise<void>;
  /** Resolves when it is no member any more: the daemon has nothing to do. With why, when nobody told it to leave. */
  readonly left: Promise<Reason | undefined>;
}

export interface CertificateView {
  /** ms since 1970. */
  readonly from: number;
  readonly until: number;
  /** Why the newest renewal failed; it is tried again. */
  readonly unrenewed?: Reason;
}
