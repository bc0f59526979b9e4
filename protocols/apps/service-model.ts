/**
 * The optional parts of a service: what a Compose file may say beyond image, ports, mounts and replicas. Every part
 * and every field is absent when the file does not say it, so that a model never differs by a default alone and
 * revisions written by earlier versions stay readable. Read first: model.ts.
 */

import type { SealedPlace } from '../security/model.ts';

/** The first process of a container and how the container calls itself. */
export interface ProcessSettings {
  readonly workingDir?: string;
  /** `user`, `uid`, `user:group`, `uid:gid` */
  readonly user?: string;
  /** Names or numbers. */
  readonly groupAdd?: readonly string[];
  readonly hostname?: string;
  readonly domainname?: string;
  /** A reaper of orphans as process 1. */
  readonly init?: boolean;
  readonly tty?: boolean;
  readonly stdinOpen?: boolean;
}

/** What a container may do to, and see of, its machine. Capabilities as `NET_ADMIN`, without `CAP_`, or `ALL`. */
export interface IsolationSettings {
  readonly privileged?: boolean;
  readonly readOnly?: boolean;
  readonly capAdd?: readonly string[];
  readonly capDrop?: readonly string[];
  /** Default true. */
  readonly noNewPrivileges?: boolean;
  /** Absent: our default profile. Else `unconfined`, or the JSON text of a profile in Docker's form. */
  readonly seccomp?: string;
  /** `unconfined` or the name of a loaded profile. */
  readonly apparmor?: string;
  /** `user:role:type:level` of SELinux, or `disable`. */
  readonly label?: string;
  /** Nothing of /proc and /sys is masked. */
  readonly systemPathsUnconfined?: boolean;
  readonly sysctls?: Readonly<Record<string, string>>;
  /** By name as in `nofile`; -1 is unlimited. */
  readonly ulimits?: Readonly<Record<string, { readonly soft: number; readonly hard: number }>>;
  readonly devices?: readonly DeviceSpec[];
  readonly gpus?: readonly GpuRequest[];
  /** `c 189:* rmw` */
  readonly deviceCgroupRules?: readonly string[];
  /** `host` or `service:NAME`. */
  readonly pid?: string;
  /** `host`, `private`, `shareable`, `none` or `service:NAME`. */
  readonly ipc?: string;
  readonly uts?: 'host';
  readonly cgroup?: 'host' | 'private';
  readonly usernsMode?: 'host';
  readonly shmSizeBytes?: number;
  readonly oomScoreAdj?: number;
  readonly oomKillDisable?: boolean;
}

export interface DeviceSpec {
  readonly source: string;
  readonly target: string;
  /** Of `rwm`. */
  readonly permissions: string;
}

/** Devices that the node's CDI files describe. */
export interface GpuRequest {
  /** `nvidia`; `cdi`: the ids are qualified names. Absent: whatever GPUs there are. */
  readonly driver?: string;
  /** The first so many. Absent without ids: all. */
  readonly count?: number;
  readonly ids?: readonly string[];
}

/** Nothing here is part of what makes a container another one where the runtime can change it while it runs. */
export interface ResourceSettings {
  readonly limits?: { readonly cpus?: number; readonly memoryBytes?: number; readonly pids?: number };
  readonly reservations?: {
    readonly cpus?: number;
    readonly memoryBytes?: number;
    readonly genericResources?: readonly { readonly kind: string; readonly value: number }[];
  };
  /** Memory and swap together; -1 is unlimited. */
  readonly memorySwapBytes?: number;
  /** 0–100. */
  readonly memorySwappiness?: number;
  readonly cpuShares?: number;
  readonly cpuQuotaUs?: number;
  readonly cpuPeriodUs?: number;
  readonly cpuRealtimeRuntimeUs?: number;
  readonly cpuRealtimePeriodUs?: number;
  /** `0-3,7` */
  readonly cpuset?: string;
  readonly blkio?: BlkioSettings;
}

export interface BlkioSettings {
  /** 10–1000. */
  readonly weight?: number;
  readonly weightDevices?: readonly { readonly path: string; readonly weight: number }[];
  readonly readBps?: readonly { readonly path: string; readonly rate: number }[];
  readonly writeBps?: readonly { readonly path: string; readonly rate: number }[];
  readonly readIops?: readonly { readonly path: string; readonly rate: number }[];
  readonly writeIops?: readonly { readonly path: string; readonly rate: number }[];
}

/** What /etc/hosts and /etc/resolv.conf hold besides our own. */
export interface NameSettings {
  /** `address` may be `host-gateway`: the node as its containers see it. */
  readonly extraHosts?: readonly { readonly host: string; readonly address: string }[];
  readonly dns?: readonly string[];
  readonly dnsSearch?: readonly string[];
  readonly dnsOptions?: readonly string[];
}

/** A service on one of the app's networks. */
export interface NetworkAttachment {
  readonly aliases?: readonly string[];
  readonly ipv4Address?: string;
  readonly priority?: number;
  readonly macAddress?: string;
}

export interface LoggingSettings {
  /** `json-file`, `local` (both mean our own) or `none`. */
  readonly driver?: string;
  readonly maxSizeBytes?: number;
  readonly maxFiles?: number;
}

/** A config or secret of the app as a file in the container: on tmpfs, never in the data folder. */
export interface FileGrant {
  readonly kind: 'config' | 'secret';
  /** Key under the app's `configs` or `secrets`. */
  readonly source: string;
  /** Absolute path in the container. */
  readonly target: string;
  readonly uid?: number;
  readonly gid?: number;
  /** Default 0o400. */
  readonly mode?: number;
  /** In assignments alone: the sealed value that the node opens. */
  readonly held?: SealedPlace;
}

/** A command inside the container. A failing `postStart` stops the container; a failing `preStop` is told and passed over. */
export interface HookSpec {
  readonly command: readonly string[];
  readonly user?: string;
  readonly workingDir?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly privileged?: boolean;
  /** Bound of one run, ms. */
  readonly timeoutMs?: number;
}

export interface HookSettings {
  readonly postStart?: readonly HookSpec[];
  readonly preStop?: readonly HookSpec[];
}

/** How a probe asks. */
export type ProbeAction =
  | { readonly type: 'exec'; readonly command: readonly string[] }
  | {
      readonly type: 'http';
      readonly port: number;
      readonly path: string;
      readonly scheme: 'http' | 'https';
      readonly host?: string;
      readonly headers?: Readonly<Record<string, string>>;
      /** Passing statuses; absent: 200–399. */
      readonly statuses?: readonly number[];
    }
  | { readonly type: 'tcp'; readonly port: number }
  | { readonly type: 'grpc'; readonly port: number; readonly service?: string };

export interface ProbeSpec {
  readonly action: ProbeAction;
  readonly initialDelayMs: number;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Passes in a row until it counts as good. */
  readonly successes: number;
  /** Failures in a row until it counts as bad. */
  readonly failures: number;
}

/** `startup` holds the others back until it passes once; `readiness` gates the endpoint; a failed `liveness` restarts. */
export interface ProbeSettings {
  readonly startup?: ProbeSpec;
  readonly readiness?: ProbeSpec;
  readonly liveness?: ProbeSpec;
  /** Between withdrawing the endpoint and the stop: what is under way may finish, ms. */
  readonly drainMs?: number;
}

/** `replicated-job` and `global-job` run to completion. */
export interface JobSettings {
  readonly completions?: number;
  readonly parallel?: number;
}

/** Parsed, checked and kept; what acts on it needs several nodes. */
export interface ClusterSettings {
  readonly constraints?: readonly string[];
  readonly spread?: readonly string[];
  readonly maxReplicasPerNode?: number;
  readonly update?: RolloutSettings;
  readonly rollback?: RolloutSettings;
  readonly endpointMode?: 'vip' | 'dnsrr';
}

export interface RolloutSettings {
  readonly parallelism?: number;
  readonly delayMs?: number;
  readonly failureAction?: 'continue' | 'pause' | 'rollback';
  readonly monitorMs?: number;
  readonly maxFailureRatio?: number;
  readonly order?: 'start-first' | 'stop-first';
}

export type PullPolicy =
  | { readonly when: 'always' | 'missing' | 'never' }
  /** Again when the last look at the registry is older. */
  | { readonly when: 'older'; readonly thanMs: number };

/** All optional parts of a service together. */
export interface ServiceParts {
  readonly process?: ProcessSettings;
  readonly isolation?: IsolationSettings;
  readonly resources?: ResourceSettings;
  readonly names?: NameSettings;
  /** By the app's network; absent: `default` alone. */
  readonly networks?: Readonly<Record<string, NetworkAttachment>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** `deploy.labels`: of the service, not of its containers. */
  readonly serviceLabels?: Readonly<Record<string, string>>;
  readonly logging?: LoggingSettings;
  readonly pullPolicy?: PullPolicy;
  /** `linux/arm64` */
  readonly platform?: string;
  readonly files?: readonly FileGrant[];
  readonly hooks?: HookSettings;
  readonly probes?: ProbeSettings;
  /** Absent: `replicated`. */
  readonly mode?: 'replicated' | 'global' | 'replicated-job' | 'global-job';
  readonly job?: JobSettings;
  readonly cluster?: ClusterSettings;
  /** For the `process` runtime: argv run on the machine itself. */
  readonly hostProcess?: { readonly command: readonly string[] };
  /** What a change of a secret does to running containers; default `restart`. */
  readonly onSecretChange?: 'restart' | 'none' | { readonly signal: string };
}

/** A network of the app. Absent from `AppSpec.networks`: `default`, with nothing special. */
export interface NetworkSpec {
  readonly name: string;
  /** No way out of it, and none in. */
  readonly internal?: boolean;
  /** Made elsewhere: another app's network under its own name. */
  readonly external?: boolean;
  /** The name outside the app, when the file gives one. */
  readonly externalName?: string;
  readonly subnets?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
}

/** A config or secret of the app. */
export interface FileSource {
  readonly name: string;
  /** Held by the node's secret store under this name (`hivemind secret set`). */
  readonly externalName?: string;
  /** SHA-256 of the content (`sha256:…`), keyed for secrets: another content is another container. */
  readonly digest?: string;
  /** Base64, only on its way to the API, which seals it away and leaves the digest. */
  readonly content?: string;
}
