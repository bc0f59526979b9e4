/** What the registry knows and the name server answers from. */

import type { JoinedNetwork } from '../network/model.ts';

/** One address of one name inside one app; only ready ones are handed to the name server. */
export interface NameRecord {
  readonly app: string;
  readonly service: string;
  /** Replica number: `<slot>.<service>.<app>.hive.internal`. */
  readonly index: number;
  readonly address: string;
  /** Absent: the open network alone. Only who shares one of them knows the name. */
  readonly networks?: readonly JoinedNetwork[];
}

/** Where a question came from decides which app's short names it may use. */
export interface ClientRecord {
  readonly address: string;
  readonly app: string;
  readonly networks?: readonly JoinedNetwork[];
  /** Who is asked for its names outside the zone; absent: the node's own upstreams. */
  readonly dns?: readonly string[];
}

export interface ZoneUpdate {
  readonly names: readonly NameRecord[];
  readonly clients: readonly ClientRecord[];
}
