/** Containers as the runtime port, the slot and the API see them. */
import type { MountSpec, ServiceSpec, SlotName } from '../apps/model.ts';
import type { PullPolicy } from '../apps/service-model.ts';
import type { Reason } from '../errors.ts';
import type { CdiStock } from './cdi/choose.ts';

/** One run of a slot: `shop/web.2#7.3`, and `attempt` counts creates of that run. */
export interface RunKey {
  readonly slot: SlotName;
  readonly placement: number;
  readonly run: number;
  readonly attempt: number;
}

/** All mounts with their sources resolved to host paths. */
export type ResolvedMount =
  | (Pick<BindMount, 'source' | 'target' | 'readOnly' | 'propagation' | 'recursive'> & {
      readonly type: 'bind';
      /** A folder below `source`, which its containers can change: no link in it leads out of `source`. */
      readonly subpath?: string;
      /** While `source` is empty it is first filled with what the image has at `target`, owner and mode included. */
      readonly fill?: true;
    })
  | Extract<MountSpec, { type: 'tmpfs' }>;

type BindMount = Extract<MountSpec, { type: 'bind' }>;

export interface ContainerCreate {
  /** Runtime-wide id; see `containerId`. */
  readonly id: string;
  readonly key: RunKey;
  readonly specHash: string;
  readonly spec: ServiceSpec;
  readonly mounts: readonly ResolvedMount[];
  readonly hostname: string;
  /** Added over the image's and the spec's: HIVEMIND_SLOT, HIVEMIND_NODE, … */
  readonly extraEnvironment: Readonly<Record<string, string>>;
  /** The address it will get; kept as a label so that adoption knows it. Absent for host and none. */
  readonly address?: string;
  /** Existing files that the shim appends to. */
  readonly stdoutPath: string;
  readonly stderrPath: string;
}

/** `created`: the task exists, its first instruction has not run. `unknown`: a record without a task (a died create). */
export type RuntimePhase = 'unknown' | 'created' | 'running' | 'paused' | 'stopped';

export interface ContainerStatus {
  readonly id: string;
  readonly key: RunKey;
  readonly specHash: string;
  readonly phase: RuntimePhase;
  readonly pid?: number;
  readonly address?: string;
  /** The slot whose network it has: it has none once that one's container has ended. */
  readonly lender?: SlotName;
  readonly exit?: ContainerExit;
  /** What it may use, as `resourcesMark` of the settings that it was last given. */
  readonly resources?: string;
  /** ms since 1970. */
  readonly createdAt: number;
}

export interface ContainerExit {
  /** 0–255; 128 + signal when a signal ended it. */
  readonly code: number;
  /** ms since 1970. */
  readonly at: number;
  readonly oomKilled: boolean;
}

/** From the runtime's event stream. `resync`: events may have been missed; list and compare. */
export type RuntimeEvent =
  | { readonly type: 'exited'; readonly id: string; readonly exit: ContainerExit }
  | { readonly type: 'oom'; readonly id: string }
  | { readonly type: 'paused'; readonly id: string; readonly paused: boolean }
  | { readonly type: 'resync' };

export interface ContainerStats {
  readonly id: string;
  /** Since start. */
  readonly cpuNs: number;
  readonly memoryBytes: number;
  /** Memory without reclaimable page cache. */
  readonly workingSetBytes: number;
  readonly memoryLimitBytes?: number;
  readonly pids: number;
  /** Written over its image so far; absent where the runtime does not know. */
  readonly diskBytes?: number;
}

export interface Flow {
  readonly bytes: number;
  readonly packets: number;
  readonly errors: number;
  readonly dropped: number;
}

/** What went over a container's link since it was attached, as the container sees it. */
export interface Traffic {
  readonly id: string;
  readonly received: Flow;
  readonly sent: Flow;
}

/** One process of a container. */
export interface ContainerProcess {
  /** On the machine, not inside. */
  readonly pid: number;
  readonly parent: number;
  readonly uid: number;
  /** The kernel's letter: R, S, D, T, Z. */
  readonly state: string;
  readonly cpuMs: number;
  readonly memoryBytes: number;
  readonly command: string;
}

export interface ImageInfo {
  /** Full name with tag: `hello-web:latest`. */
  readonly name: string;
  /** Digest of the manifest or index. */
  readonly digest: string;
  /** `linux/amd64` */
  readonly platform: string;
  readonly sizeBytes: number;
  readonly createdAt: number;
  /** Where it declares volumes, as written in it. */
  readonly volumes?: readonly string[];
}

/** What is to be ready for containers. */
export interface ImageWish {
  readonly image: string;
  readonly policy?: PullPolicy;
  /** `linux/arm64`; absent: the node's own. */
  readonly platform?: string;
  readonly digest?: string;
}

/** One image in full, for one platform. */
export interface ImageDetails extends ImageInfo {
  /** Those that are here whole, the one that is told first. */
  readonly platforms: readonly string[];
  /** As they are stored, the lowest first. */
  readonly layers: readonly {
    readonly digest: string;
    readonly mediaType: string;
    readonly sizeBytes: number;
  }[];
  readonly config: ImageConfigView;
}

/** How its author wants it run; what it does not say is absent. */
export interface ImageConfigView {
  /** RFC 3339. */
  readonly created?: string;
  readonly user?: string;
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  /** `NAME=value` */
  readonly environment?: readonly string[];
  readonly workingDir?: string;
  readonly stopSignal?: string;
  /** `80/tcp` */
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
}

/** What keeps an image on its node, or when it goes. */
export interface ImageUse {
  /** Services that run it or are about to. */
  readonly usedBy: readonly string[];
  /** By a kept revision, an assignment or a pull. */
  readonly wanted: boolean;
  /** When the collector removes it, unless something wants it before; sooner when the disk is full. */
  readonly goesAt?: number;
}

export interface ImageExport {
  readonly image: string;
  readonly path: string;
  readonly format: 'oci' | 'docker';
  /** Absent: the node's own. */
  readonly platform?: string;
}

/** How far a pull has come. */
export interface PullProgress {
  readonly image: string;
  readonly phase: 'resolving' | 'pulling' | 'unpacking' | 'done' | 'failed';
  /** Of the layers and the configuration; 0 until they are known. */
  readonly doneBytes: number;
  readonly totalBytes: number;
  readonly layers: readonly LayerProgress[];
  readonly digest?: string;
  readonly reason?: Reason;
}

export interface LayerProgress {
  readonly digest: string;
  readonly phase: 'waiting' | 'pulling' | 'pulled' | 'unpacking' | 'done';
  readonly doneBytes: number;
  readonly totalBytes: number;
}

export interface RuntimeInfo {
  readonly name: 'containerd' | 'process' | 'scripted';
  readonly version: string;
  readonly snapshotter: string;
  readonly cgroups: 1 | 2;
  readonly platform: string;
  /** Why it can give nothing limits; absent: it can. */
  readonly withoutLimits?: string;
  /** What `gpus:` is chosen from. */
  readonly cdi?: CdiStock;
}

/** A command inside a running container. */
export interface ExecRequest {
  readonly id: string;
  readonly args: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly workingDir?: string;
  readonly user?: string;
  /** With all capabilities that the machine can give; the container's seccomp filter stays. */
  readonly privileged?: boolean;
  readonly terminal: boolean;
  readonly size?: { readonly columns: number; readonly rows: number };
}

/** What exec and health checks get back when the output is wanted whole. `output` is cut at 4 KiB. */
export interface ExecResult {
  readonly code: number;
  readonly output: string;
}
