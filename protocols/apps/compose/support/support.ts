/**
 * What becomes of each key of a Compose file: one table, which the readers act on, `hivemind docs compose` prints and
 * a test holds against Compose's own schema. A section is where a key stands (`services.deploy`), without the names
 * that people give. Not the values of a key: what is read of those stands with the reader.
 */

/**
 * `supported`: it does what Compose says. `warning`: it is read and has no effect, which is said. `refused`: leaving it
 * out would do harm. `cluster`: checked and kept, and has no effect on one node, which is said.
 */
export type SupportStatus = 'supported' | 'warning' | 'refused' | 'cluster';

export interface Support {
  readonly status: SupportStatus;
  /** One line: how it is honoured, or why not. */
  readonly why: string;
  /** What to write or do instead. */
  readonly instead?: string;
  /** Supported and without a trace in the app: it holds whether it is written or not. */
  readonly inherent?: true;
}

export type Section = Readonly<Record<string, Support>>;

export const yes = (why: string): Support => ({ status: 'supported', why });
export const inherent = (why: string): Support => ({ status: 'supported', why, inherent: true });
export const warned = (why: string, instead?: string): Support => ({
  status: 'warning',
  why,
  ...(instead === undefined ? {} : { instead }),
});
export const refused = (why: string, instead: string): Support => ({ status: 'refused', why, instead });
export const inCluster = (why: string): Support => ({ status: 'cluster', why });
