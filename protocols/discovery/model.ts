/** What the registry knows and the name server answers from. */

/** One address of one name inside one app; only ready ones are handed to the name server. */
export interface NameRecord {
  readonly app: string;
  readonly service: string;
  /** Replica number: `<slot>.<service>.<app>.hive.internal`. */
  readonly index: number;
  readonly address: string;
}

/** Where a question came from decides which app's short names it may use. */
export interface ClientRecord {
  readonly address: string;
  readonly app: string;
}

export interface ZoneUpdate {
  readonly names: readonly NameRecord[];
  readonly clients: readonly ClientRecord[];
}
