/**
 * A world is everything a node stands on: time, chance and its opened ports. There are two: the real one
 * (`real/`) and the simulated one (`simulated/`), and `startNode` cannot tell them apart.
 */
import type { Reason } from '../../protocols/errors.ts';
import type { Clock, Ports, Random } from '../../protocols/ports.ts';
import type { NodeRole } from '../../protocols/wire/catalogue.ts';
import type { ClusterHandle } from '../cluster/handle.ts';
import type { MachineFacts } from '../../protocols/observed/model.ts';
import type { Finding, LogStore } from '../node-handle.ts';
import type { EventStore } from '../telemetry/events/event-log.ts';

/** What a node must know before its first step; the rest it reads from its journal and the store. */
export interface NodeSettings {
  readonly name: string;
  /** A server, unless said otherwise, leads and holds the store; an agent has joined one. */
  readonly role?: NodeRole;
  readonly version: string;
  /** Where its API listens besides the socket, for the others to know. */
  readonly apiAddress?: string;
  /** CIDR of all nodes' container addresses. */
  readonly containerPool: string;
  /** Linux bridge of this node, ≤ 15 characters. */
  readonly bridge: string;
  /** Names nftables table and links; ≤ 6 characters. */
  readonly networkTag: string;
  readonly mtu: number;
  /** DNS listens on the bridge address unless another is given. */
  readonly dnsAddress?: string;
  readonly dnsPort: number;
  readonly upstreams: readonly string[];
}

export interface OpenedWorld {
  readonly ports: Ports;
  readonly logs: LogStore;
  /** Where events outlive the process; without it they are those of this boot. */
  readonly events?: EventStore;
  /** Of a node that has others; without it there are none. */
  readonly cluster?: ClusterHandle;
  /** What opening had to mend: a torn journal, for one. Each becomes a warning in the event log. */
  readonly recovered: readonly Reason[];
  /** This life of the daemon, where opening had to know it; else the node counts it. */
  readonly boot?: number;
  doctor(options: { readonly mend: boolean }): Promise<readonly Finding[]>;
  machine(): Promise<MachineFacts>;
  /** Lets go of files and sockets; containers stay. */
  close(): Promise<void>;
}

export interface World {
  readonly clock: Clock;
  readonly random: Random;
  /** Once a boot. Rejects with HM-DATA-LOCKED, HM-DATA-DIR, HM-STORE-CORRUPT. */
  open(settings: NodeSettings): Promise<OpenedWorld>;
}
