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

/** What is wrong with a specification that came from outside, in words; `undefined` when it can be started. */
export function specProblem(spec: unknown): string | undefined {
  if (typeof spec !== 'object' || spec === null) return 'a child specification is an object';
  const { id, machine, input, restart, shutdown, type, backoff } = spec as Partial<
    Record<keyof ChildSpec, unknown>
  >;
  if (typeof id !== 'string' || id === '' || id.includes('#'))
    return 'id must be text, not empty, without "#"';
  if (typeof machine !== 'string') return 'machine must be the name of a machine';
  if (typeof input !== 'object' || input === null) return 'input must be an object';
  if (!['permanent', 'transient', 'temporary'].includes(restart as string))
    return 'restart must be permanent, transient or temporary';
  if (type !== 'worker' && type !== 'supervisor') return 'type must be worker or supervisor';
  if (
    shutdown !== 'infinity' &&
    shutdown !== 'brutal_kill' &&
    !(typeof shutdown === 'number' && shutdown >= 0)
  ) {
    return 'shutdown must be ms, infinity or brutal_kill';
  }
  return backoffProblem(backoff);
}

function backoffProblem(backoff: unknown): string | undefined {
  if (typeof backoff !== 'object' || backoff === null) return 'backoff must be an object';
  const { minMs, maxMs, factor, jitter, resetAfterMs } = backoff as Record<keyof Backoff, unknown>;
  const numbers = [minMs, maxMs, factor, jitter, resetAfterMs];
  if (!numbers.every((value) => typeof value === 'number' && Number.isFinite(value) && value >= 0)) {
    return 'backoff needs minMs, maxMs, factor, jitter and resetAfterMs, none below 0';
  }
  return (jitter as number) <= 1 && (factor as number) >= 1
    ? undefined
    : 'backoff needs jitter ≤ 1 and factor ≥ 1';
}
