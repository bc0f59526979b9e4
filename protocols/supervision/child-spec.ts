/** Child specifications and exit reasons, in OTP's words (erlang `supervisor`). Pure data: a tree can be printed. */

export type Restart = 'permanent' | 'transient' | 'temporary';
export type Strategy = 'one_for_one' | 'one_for_all' | 'rest_for_one' | 'dynamic';

export interface Backoff {
  readonly minMs: number;
  readonly maxMs: number;
  readonly factor: number;
  /** Share of the delay, 0–1, by which chance lengthens or shortens it. */
  readonly jitter: number;
  /** A life that lasted this long sets the delay back to `minMs`. */
  readonly resetAfterMs: number;
}

export interface ChildSpec {
  /** Unique under its supervisor; may hold `/`, never `#`. */
  readonly id: string;
  /** Name of a machine in the node's machine registry. */
  readonly machine: string;
  /** Plain data handed to the machine as `input`, beside `self`, `at` and `boot`. */
  readonly input: Readonly<Record<string, unknown>>;
  readonly restart: Restart;
  /** ms to end after `sys.shutdown`; `infinity` for supervisors. */
  readonly shutdown: number | 'infinity' | 'brutal_kill';
  readonly type: 'worker' | 'supervisor';
  readonly backoff: Backoff;
}

/** Why an actor ended. `normal` and `shutdown` are no failures. */
export type ExitReason =
  | { readonly kind: 'normal' }
  | { readonly kind: 'shutdown' }
  | { readonly kind: 'killed' }
  | { readonly kind: 'error'; readonly message: string };

/** What every machine's `output` holds when it reaches a final state. */
export interface ExitOutput {
  readonly exit: ExitReason;
}
