/** Probes as the port, the check and the slot see them. */
import type { ProbeAction, ProbeSpec } from '../apps/service-model.ts';

/**
 * `health` is Compose's health check: it gates the endpoint and restarts. `startup` holds the others back,
 * `readiness` gates the endpoint alone, `liveness` restarts alone.
 */
export type ProbeRole = 'health' | 'startup' | 'readiness' | 'liveness';

/** What is asked over the network; `exec` goes through the container runtime. */
export type NetworkProbe = Exclude<ProbeAction, { type: 'exec' }>;

export interface ProbeRequest {
  /** The container's id. */
  readonly id: string;
  readonly address: string;
  readonly action: NetworkProbe;
}

/** `output` says what was answered, or why not; cut at `limits.execOutputBytes`. */
export interface ProbeResult {
  readonly passed: boolean;
  readonly output: string;
}

/** A probe in its role, whichever form the file gave it. */
export interface RoleProbe extends ProbeSpec {
  readonly role: ProbeRole;
  /** Failures before the first pass do not count for so long. */
  readonly startPeriodMs: number;
  /** Between probes during the start period. */
  readonly startIntervalMs?: number;
}

/** `starting` has not passed yet; `unready` does not serve but lives; `unhealthy` is to be restarted. */
export type Verdict = 'starting' | 'healthy' | 'unready' | 'unhealthy';

/** Which probe a verdict rests on. */
export interface Finding {
  readonly role: ProbeRole;
  /** `tcp :8080` */
  readonly action: string;
  readonly failures: number;
  readonly output: string;
}
