/**
 * What one simulated run is given: the operator's orders and the faults, as plain data with times. Chance makes it
 * (`plan-arbitrary.ts`), people write it (named scenarios), a file keeps it (the corpus). Everything finer, the order
 * of answers and the length of delays, comes from the seed.
 */
import type { SiteName } from '../sites/list.ts';
import type { ClusterFault, ClusterPlan } from './cluster-plan.ts';

/** How the process of a service behaves until everything is healed. */
export type Behaviour =
  | { readonly kind: 'steady' }
  /** Ends by itself with this code after so long, every time. */
  | { readonly kind: 'ends'; readonly afterMs: number; readonly code: number; readonly oom?: boolean }
  /** Ignores its stop signal. */
  | { readonly kind: 'stubborn' }
  /** Takes so long to be created. */
  | { readonly kind: 'slow'; readonly createMs: number }
  /** Its readiness probe fails for a while, from `fromMs` after each start. */
  | { readonly kind: 'unready'; readonly fromMs: number; readonly forMs: number }
  /** Its post-start hook fails. */
  | { readonly kind: 'unhooked' }
  /** Its health check and liveness probe fail from `fromMs` after each start. */
  | { readonly kind: 'sick'; readonly fromMs: number }
  /** Its container cannot be created. */
  | { readonly kind: 'broken' };

/** How a service is looked after, beside Compose's own health check. */
export interface CarePlan {
  readonly startup: boolean;
  readonly readiness: boolean;
  readonly liveness: boolean;
  readonly postStart: boolean;
  readonly preStop: boolean;
  readonly drainMs?: number;
  /** Runs to its end. */
  readonly job: boolean;
  readonly delayMs?: number;
  readonly windowMs?: number;
  /** Of a job: so many runs must succeed, so many of them at a time. */
  readonly completions?: number;
  readonly parallel?: number;
}

/** What a service is given, beside its image and volumes. */
export interface NeedsPlan {
  /** A secret and a config as files, and what a new content of them does. */
  readonly files?: 'restart' | 'none' | 'signal';
  /** Which content they have. */
  readonly content: number;
  /** MiB; another limit is the same container. */
  readonly memory?: number;
  /** Networks of its app; `fixed` gives it an address of its own there, where it has one replica. */
  readonly networks?: 'front' | 'back' | 'both' | 'inner' | 'fixed';
  readonly pull?: 'always' | 'missing' | 'never';
}

export interface ServicePlan {
  readonly behaviour: Behaviour;
  readonly replicas: number;
  readonly restart: 'none' | 'on-failure' | 'on-failure:2' | 'always';
  /** Which of the images. */
  readonly image: number;
  readonly health: boolean;
  /** On the service before it. */
  readonly dependsOn?: 'started' | 'healthy';
  readonly port: boolean;
  readonly volume: boolean;
  readonly bind: boolean;
  readonly network: 'app' | 'host' | 'none';
  readonly care?: CarePlan;
  readonly needs?: NeedsPlan;
  /** Stands in the environment: another number is another container. */
  readonly version: number;
}

export type Order =
  | { readonly do: 'deploy'; readonly app: number; readonly services: readonly ServicePlan[] }
  /** The app as it was deployed last, with other limits or other contents of its files. */
  | { readonly do: 'change'; readonly app: number; readonly memory?: number; readonly content?: number }
  | { readonly do: 'scale'; readonly app: number; readonly service: number; readonly replicas: number }
  | { readonly do: 'restart'; readonly app: number; readonly service?: number; readonly index?: number }
  | { readonly do: 'remove'; readonly app: number; readonly volumes: boolean };

/** Each may say on which node; on the first where it does not. */
export type Fault = NodeFault & { readonly node?: number };

type NodeFault =
  /** kill −9 of the daemon after so many more calls of its ports; `embedded`: its store restarts with it. */
  | { readonly do: 'kill'; readonly afterCalls: number; readonly downMs: number; readonly embedded: boolean }
  /** A clean stop and start. */
  | { readonly do: 'stop'; readonly downMs: number }
  /** An app's process ends: which one, as a share of those that run. */
  | { readonly do: 'crash'; readonly which: number; readonly code: number; readonly oom: boolean }
  /** Somebody removes a container by hand. */
  | { readonly do: 'take'; readonly which: number }
  | { readonly do: 'runtime'; readonly as: 'down' | 'hung' | 'deaf'; readonly forMs: number }
  | { readonly do: 'store'; readonly as: 'down' | 'silent'; readonly forMs: number }
  | { readonly do: 'storeSlow'; readonly tookMs: number; readonly forMs: number }
  | { readonly do: 'storeLoses'; readonly share: number; readonly forMs: number }
  | { readonly do: 'watches'; readonly as: 'broken' | 'compacted' }
  /** Another store stands in its place, seen by the next life of the daemon (`kill`) or by the present one. */
  | {
      readonly do: 'storeSwap';
      readonly as: 'empty' | 'foreign' | 'older';
      readonly forMs: number;
      readonly kill: boolean;
    }
  | { readonly do: 'disk'; readonly as: 'full' | 'failing' | 'slow'; readonly forMs: number }
  /** The daemon is killed and its journal cut off to a share of its length. */
  | { readonly do: 'cut'; readonly share: number }
  | { readonly do: 'image'; readonly image: number; readonly forMs: number }
  | { readonly do: 'portTaken'; readonly forMs: number }
  | { readonly do: 'bindMissing'; readonly forMs: number }
  /** The next call of a port throws: a defect in a driver. `times` in a row. */
  | { readonly do: 'defect'; readonly call: string; readonly times: number }
  /** So many questions to one actor at once. */
  | { readonly do: 'flood'; readonly messages: number };

export type Timed<Act> = Act & { readonly atMs: number };

export interface Plan {
  readonly orders: readonly Timed<Order>[];
  readonly faults: readonly Timed<Fault | ClusterFault>[];
  /** Awkward places that this seed has. */
  readonly sites?: readonly SiteName[];
  /** Of several nodes; one when absent. */
  readonly cluster?: ClusterPlan;
  /** All apps are removed at the end; else they stay and the node is stopped under them. */
  readonly removeAll: boolean;
  /** Orders and faults end here, instead of at `faultyMs`. */
  readonly forMs?: number;
  /** False: no kill −9 of every daemon once all is well. */
  readonly lastKill?: false;
}

/** Orders and faults end here, virtual ms; then everything is healed. */
export const faultyMs = 120_000;

export const appName = (app: number): string => `app${app}`;
export const serviceName = (service: number): string => `s${service}`;
export const imageName = (image: number): string => `image-${image}:latest`;
export const bindSource = '/srv/simulated';
export const images = 3;
