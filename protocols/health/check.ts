/**
 * Probe results as a reducer: results in, verdict out. What gates the endpoint is probed more often than its interval
 * says until it passes first, so failures are counted by time until then: one for each interval since the start
 * period ended. `probe.ts` asks.
 */
import type { ServiceSpec } from '../apps/model.ts';
import type { ProbeAction } from '../apps/service-model.ts';
import type { Finding, ProbeRole, RoleProbe, Verdict } from './model.ts';

export interface Tally {
  readonly state: 'unknown' | 'good' | 'bad';
  readonly passed: boolean;
  readonly passesInARow: number;
  readonly failuresInARow: number;
  readonly lastOutput: string;
}

export type Tallies = Readonly<Partial<Record<ProbeRole, Tally>>>;

export const freshTally: Tally = {
  state: 'unknown',
  passed: false,
  passesInARow: 0,
  failuresInARow: 0,
  lastOutput: '',
};

/** All probes of a service, its health check among them. */
export function probesOf({ healthcheck, probes }: ServiceSpec): readonly RoleProbe[] {
  const own = (['startup', 'readiness', 'liveness'] as const).flatMap((role): RoleProbe[] => {
    const spec = probes?.[role];
    return spec ? [{ ...spec, role, startPeriodMs: 0 }] : [];
  });
  if (!healthcheck) return own;
  const { test, retries, intervalMs, timeoutMs, startPeriodMs, startIntervalMs } = healthcheck;
  const health: RoleProbe = {
    ...{ role: 'health', action: { type: 'exec', command: test }, initialDelayMs: 0, intervalMs, timeoutMs },
    ...{ successes: 1, failures: retries, startPeriodMs },
    ...(startIntervalMs === undefined ? {} : { startIntervalMs }),
  };
  return [health, ...own];
}

/** Whether anything must pass before the service is served. */
export const isGated = (spec: ServiceSpec): boolean =>
  spec.healthcheck !== undefined ||
  spec.probes?.readiness !== undefined ||
  spec.probes?.startup !== undefined;

/** Probed faster until it passes first: all that somebody waits for. */
export const isHurried = (probe: RoleProbe): boolean => probe.role !== 'liveness';

/** `upMs`: how long the probe has been due. */
export function tally(probe: RoleProbe, before: Tally, passed: boolean, output: string, upMs: number): Tally {
  if (passed) {
    const passesInARow = before.passesInARow + 1;
    const state = passesInARow >= probe.successes ? 'good' : before.state;
    return { state, passed: true, passesInARow, failuresInARow: 0, lastOutput: output };
  }
  const counted = Math.max(0, Math.floor((upMs - probe.startPeriodMs) / probe.intervalMs));
  const failuresInARow =
    before.passed || !isHurried(probe) ? before.failuresInARow + 1 : Math.max(counted, before.failuresInARow);
  const state = failuresInARow >= probe.failures ? 'bad' : before.state;
  return { state, passed: before.passed, passesInARow: 0, failuresInARow, lastOutput: output };
}

/** What all of them together say; with the probe that is to blame where there is one. */
export function verdictOf(
  probes: readonly RoleProbe[],
  tallies: Tallies,
): { readonly verdict: Verdict; readonly finding?: Finding } {
  const state = (role: ProbeRole) => tallies[role]?.state ?? 'unknown';
  const because = (probe: RoleProbe): Finding => ({
    role: probe.role,
    action: actionText(probe.action),
    failures: tallies[probe.role]?.failuresInARow ?? 0,
    output: tallies[probe.role]?.lastOutput ?? '',
  });
  const dead = probes.find(({ role }) => role !== 'readiness' && state(role) === 'bad');
  if (dead) return { verdict: 'unhealthy', finding: because(dead) };
  const starts = probes.some(({ role }) => role === 'startup' && state(role) !== 'good');
  if (starts) return { verdict: 'starting' };
  const unready = probes.find(({ role }) => role === 'readiness' && state(role) === 'bad');
  if (unready) return { verdict: 'unready', finding: because(unready) };
  const waits = probes.some(({ role }) => role !== 'liveness' && state(role) !== 'good');
  return { verdict: waits ? 'starting' : 'healthy' };
}

/** `http :8080/healthz`, `tcp :5432`, `pg_isready -U app`. */
export function actionText(action: ProbeAction): string {
  switch (action.type) {
    case 'exec':
      return action.command.join(' ').slice(0, 80);
    case 'http':
      return `${action.scheme} :${action.port}${action.path}`;
    case 'tcp':
      return `tcp :${action.port}`;
    case 'grpc':
      return `grpc :${action.port}${action.service ? ` ${action.service}` : ''}`;
  }
}
