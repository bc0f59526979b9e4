/**
 * The app model: what a Compose file compiles to. Plain data with defaults filled in; equal files give equal
 * models, so a revision's hash says whether anything changed. What few services need stands in service-model.ts.
 */
import type { JoinedNetwork } from '../network/model.ts';
import type { FileSource, NetworkSpec, ServiceParts } from './service-model.ts';

export interface AppSpec {
  readonly name: string;
  /** By name, in the file's order. */
  readonly services: Readonly<Record<string, ServiceSpec>>;
  /** Named volumes, by the name inside the app. */
  readonly volumes: Readonly<Record<string, VolumeSpec>>;
  readonly networks?: Readonly<Record<string, NetworkSpec>>;
  readonly configs?: Readonly<Record<string, FileSource>>;
  readonly secrets?: Readonly<Record<string, FileSource>>;
}

export interface ServiceSpec extends ServiceParts {
  readonly name: string;
  readonly image: string;
  /** Overrides the image's ENTRYPOINT; `[]` clears it. */
  readonly entrypoint?: readonly string[];
  /** Overrides the image's CMD. */
  readonly command?: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly ports: readonly PortSpec[];
  readonly mounts: readonly MountSpec[];
  readonly dependsOn: readonly Dependency[];
  readonly restart: RestartPolicy;
  readonly replicas: number;
  readonly healthcheck?: HealthcheckSpec;
  /** `app`: an address of its own on the node's bridge; the others as in Compose. */
  readonly networkMode: NetworkMode;
  readonly stopGraceMs: number;
  /** Overrides the image's STOPSIGNAL: `SIGTERM`. */
  readonly stopSignal?: string;
}

/** `service:NAME`: what the container of that service with the same number has. */
export type NetworkMode = 'app' | 'host' | 'none' | `service:${string}`;

/** `hostAddress` `0.0.0.0` unless the file says another; `hostPort` 0: any, assigned when it is deployed and the same from then on. */
export interface PortSpec {
  readonly hostAddress: string;
  readonly hostPort: number;
  /** With `hostPort` 0: one of these for each replica. */
  readonly range?: { readonly first: number; readonly last: number };
  /** Whose it is, when it was assigned out of a range; absent: of all replicas together. */
  readonly replica?: number;
  readonly containerPort: number;
  readonly protocol: 'tcp' | 'udp';
}

/** As the machine sees it. */
export type HostPort = Omit<PortSpec, 'containerPort'>;

export type MountSpec =
  | {
      readonly type: 'volume';
      readonly volume: string;
      /** The app whose volume it is; absent: its own. */
      readonly app?: string;
      readonly target: string;
      readonly readOnly: boolean;
      /** A new volume is not filled with what the image has there. */
      readonly noCopy?: boolean;
      /** Mounts this folder of the volume. */
      readonly subpath?: string;
    }
  | {
      /** A volume of its replica alone, which stays while the replica does. */
      readonly type: 'anonymous';
      readonly target: string;
      readonly readOnly: boolean;
      readonly noCopy?: boolean;
      /** The service whose first replica has it; absent: it is the replica's own. */
      readonly service?: string;
    }
  | {
      readonly type: 'bind';
      readonly source: string;
      readonly target: string;
      readonly readOnly: boolean;
      readonly createSource: boolean;
      readonly propagation?: 'private' | 'rprivate' | 'shared' | 'rshared' | 'slave' | 'rslave';
      readonly recursive?: 'enabled' | 'disabled' | 'writable' | 'readonly';
    }
  | { readonly type: 'tmpfs'; readonly target: string; readonly sizeBytes?: number; readonly mode?: number };

export interface Dependency {
  readonly service: string;
  readonly condition: 'started' | 'healthy' | 'completed';
  /** Restarted when the other one is restarted by an operator. */
  readonly restart?: true;
  /** Started all the same when the other one fails. */
  readonly required?: false;
}

export interface RestartPolicy {
  readonly condition: 'none' | 'on-failure' | 'always';
  /** At most so many restarts of a placement; absent: no bound. */
  readonly maxAttempts?: number;
  /** Before each restart, in place of the backoff's first step. */
  readonly delayMs?: number;
  /** A run that lived this long has succeeded: attempts count anew. */
  readonly windowMs?: number;
}

export interface HealthcheckSpec {
  /** argv run inside the container; exit code 0 is healthy. */
  readonly test: readonly string[];
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly retries: number;
  readonly startPeriodMs: number;
  /** Between probes during the start period. */
  readonly startIntervalMs?: number;
}

export interface VolumeSpec {
  readonly name: string;
  /** Another app's, neither ours to make nor to remove: `APP/VOLUME`. */
  readonly external?: boolean;
  readonly externalName?: string;
  readonly driver?: string;
  readonly driverOptions?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
}

/** Head of an app in the store. `removing`: its slots are to go, then the record. */
export interface AppRecord {
  readonly name: string;
  readonly revision: number;
  readonly removing: boolean;
  /** Replica counts set by `scale`, over the revision's own. */
  readonly scale: Readonly<Record<string, number>>;
  /** Raised by `restart`, by service or `service.n`: a slot whose placement was made under a lower number is placed anew. */
  readonly restarts: Readonly<Record<string, number>>;
}

/** Immutable. */
export interface RevisionRecord {
  readonly app: string;
  readonly revision: number;
  readonly spec: AppSpec;
  /** Digests of its images where they were known at deploy: the same tag with new content is another container. */
  readonly digests: Readonly<Record<string, string>>;
  /** ms since 1970. */
  readonly createdAt: number;
}

/** The n-th replica of a service, as text: `shop/web.2`. */
export type SlotName = string;

export function slotName(app: string, service: string, index: number): SlotName {
  return `${app}/${service}.${index}`;
}

/** The service whose container lends its network. */
export function lenderOf({ networkMode }: Pick<ServiceSpec, 'networkMode'>): string | undefined {
  return networkMode.startsWith('service:') ? networkMode.slice('service:'.length) : undefined;
}

/** The slot whose container lends this one its network. */
export function lendingSlot(slot: SlotName, spec: Pick<ServiceSpec, 'networkMode'>): SlotName | undefined {
  const service = lenderOf(spec);
  const own = parseSlotName(slot);
  return service === undefined || !own ? undefined : slotName(own.app, service, own.index);
}

export function parseSlotName(name: SlotName): { app: string; service: string; index: number } | undefined {
  const match = /^([^/]+)\/(.+)\.(\d+)$/.exec(name);
  return match ? { app: match[1]!, service: match[2]!, index: Number(match[3]) } : undefined;
}

/** What a node is to run, in the store under the node. Its absence means: terminate. */
export interface Assignment {
  readonly slot: SlotName;
  readonly app: string;
  readonly service: string;
  readonly index: number;
  readonly node: string;
  /** Raised only by compare-and-set in the store: the fence. */
  readonly placement: number;
  readonly revision: number;
  /** Hash of what makes a container of its own; equal hash ⇒ the running one may stay. */
  readonly specHash: string;
  /** The `restarts` number under which it was placed. */
  readonly restartMark: number;
  readonly spec: ServiceSpec;
  /** Of its image, where the deploy knew it: all replicas and later starts run the same content. */
  readonly digest?: string;
  /** By id. Absent: the open network alone. */
  readonly networks?: readonly JoinedNetwork[];
}
