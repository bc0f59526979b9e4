/** The node's own network, as the driver sees it. Addresses are text in dotted form, blocks are CIDR. */
import type { PortSpec } from '../apps/model.ts';

/** One of a node's blocks: `10.42.0.0/26`. */
export interface NodeBlock {
  readonly block: string;
  /** The bridge's own address in it, the default route of the containers in it: `10.42.0.1`. */
  readonly gateway: string;
}

export interface NodeNetwork {
  /** Linux interface name, ≤ 15 characters. */
  readonly bridge: string;
  /**
   * Never empty, in the order in which the node claimed them; none overlaps another. The first one's gateway is the
   * name server of all containers of the node.
   */
  readonly blocks: readonly [NodeBlock, ...NodeBlock[]];
  /** The whole pool: traffic inside it is never masqueraded. */
  readonly pool: string;
  readonly mtu: number;
  /** Names the nftables table and the links of this node, so that several nodes can share a machine. ≤ 6 characters [a-z0-9]. */
  readonly tag: string;
}

/** A network of the cluster with a service on it. */
export interface JoinedNetwork {
  /** `shop_back`: the name outside the app. */
  readonly id: string;
  /** No way out of it, and none in. */
  readonly internal?: true;
  /** Further names, for those who share the network. */
  readonly aliases?: readonly string[];
  /** A static address beside the one of the pool, and the subnet it lies in: both or none. */
  readonly address?: string;
  readonly subnet?: string;
}

/** A container in the rules: it reaches those, and is reached by those, who share a network. */
export interface Member {
  readonly address: string;
  /** Never empty. */
  readonly networks: readonly JoinedNetwork[];
}

export interface AttachRequest {
  /** Container id. */
  readonly id: string;
  /** Process whose network namespace gets the link. */
  readonly pid: number;
  readonly address: string;
  /** Absent: the open network alone. */
  readonly networks?: readonly JoinedNetwork[];
  /** Of its interface: `02:42:ac:11:00:02`. Absent: made from its address. */
  readonly hardware?: string;
}

export interface Attachment {
  readonly id: string;
  readonly address: string;
  /** Static addresses. */
  readonly fixed?: readonly string[];
}

/** A published port with the ready containers behind it, in any order; none: refuse connections. */
export interface Publication {
  readonly port: PortSpec;
  readonly backends: readonly { readonly address: string; readonly port: number }[];
}
