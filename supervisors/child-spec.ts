/** How trees are written: child specifications with the house's defaults, checked when the tree is made. */
import { limits } from '../protocols/limits.ts';
import {
  specProblem,
  type Backoff,
  type ChildSpec,
  type Strategy,
} from '../protocols/supervision/child-spec.ts';
import type { Intensity } from '../protocols/supervision/intensity.ts';

/** Six failures in a row take 3 s, so a child that cannot start exceeds the default intensity (5 in 30 s) and the reason goes up. */
export const defaultBackoff: Backoff = {
  minMs: 100,
  maxMs: 5_000,
  factor: 2,
  jitter: 0.2,
  resetAfterMs: limits.intensityPeriodMs,
};

export const defaultIntensity: Intensity = {
  restarts: limits.intensityRestarts,
  periodMs: limits.intensityPeriodMs,
};

type Options = Partial<Pick<ChildSpec, 'restart' | 'shutdown' | 'backoff'>>;

/** A worker: permanent, with `limits.shutdownMs` to end. Throws on a wrong specification. */
export function worker(
  id: string,
  machine: string,
  input: ChildSpec['input'] = {},
  options: Options = {},
): ChildSpec {
  return checked({
    id,
    machine,
    input,
    restart: 'permanent',
    shutdown: limits.shutdownMs,
    type: 'worker',
    backoff: defaultBackoff,
    ...options,
  });
}

/** A supervisor of these children; it may take as long as they need to end. The root's id is never used. */
export function supervisor(
  id: string,
  strategy: Strategy,
  children: readonly ChildSpec[] = [],
  options: Options & { readonly intensity?: Intensity } = {},
): ChildSpec {
  const { intensity = defaultIntensity, ...rest } = options;
  return checked({
    id,
    machine: 'supervisor',
    input: { strategy, children, intensity },
    restart: 'permanent',
    shutdown: 'infinity',
    type: 'supervisor',
    backoff: defaultBackoff,
    ...rest,
  });
}

function checked(spec: ChildSpec): ChildSpec {
  const problem = specProblem(spec);
  if (problem !== undefined) throw new Error(`child "${spec.id}": ${problem}`);
  return spec;
}
