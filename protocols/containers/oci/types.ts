/**
 * The parts of the OCI runtime and image specifications that Hivemind writes and reads, under the
 * specifications' own field names. Types only; `spec.ts` fills the runtime side in.
 */

import type { CdiEdits, CdiHookName } from '../cdi/document.ts';

/** `config` of an OCI image configuration: how its author wants it run. */
export interface ImageRunConfig {
  readonly User?: string;
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[] | null;
  readonly Cmd?: readonly string[] | null;
  readonly WorkingDir?: string;
  readonly StopSignal?: string;
  readonly ExposedPorts?: Readonly<Record<string, object>>;
  readonly Volumes?: Readonly<Record<string, object>>;
  readonly Labels?: Readonly<Record<string, string>>;
}

/** An OCI image configuration (`application/vnd.oci.image.config.v1+json`). */
export interface ImageConfig {
  readonly architecture: string;
  readonly os: string;
  readonly variant?: string;
  /** RFC 3339. */
  readonly created?: string;
  readonly config?: ImageRunConfig;
  readonly rootfs: { readonly type: 'layers'; readonly diff_ids: readonly string[] };
}

/** Text of /etc/passwd and /etc/group of an image; missing files are empty text. */
export interface UserDatabase {
  readonly passwd: string;
  readonly group: string;
}

export interface OciUser {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids: readonly number[];
}

export interface OciProcess {
  readonly terminal: boolean;
  readonly consoleSize?: { readonly height: number; readonly width: number };
  readonly user: OciUser;
  readonly args: readonly string[];
  /** `NAME=value` */
  readonly env: readonly string[];
  readonly cwd: string;
  readonly capabilities: Readonly<Record<'bounding' | 'effective' | 'permitted', readonly string[]>>;
  /** -1 is unlimited; see `ociText`. */
  readonly rlimits: readonly { readonly type: string; readonly soft: number; readonly hard: number }[];
  readonly noNewPrivileges: boolean;
  readonly oomScoreAdj: number;
  readonly apparmorProfile?: string;
  readonly selinuxLabel?: string;
}

export interface DeviceNumber {
  readonly major: number;
  readonly minor: number;
}

/** A node of the machine that the container gets; `access` of `rwm`. */
export interface OciDevice extends DeviceNumber {
  readonly path: string;
  readonly type: 'b' | 'c';
  readonly fileMode: number;
  readonly uid: number;
  readonly gid: number;
  readonly access: string;
}

export interface OciNamespace {
  readonly type: string;
  /** Of a process to share it with. */
  readonly path?: string;
}

export interface OciMemory {
  readonly limit?: number;
  readonly swap?: number;
  readonly reservation?: number;
  readonly swappiness?: number;
  readonly disableOOMKiller?: boolean;
}

export interface OciCpu {
  readonly shares?: number;
  readonly quota?: number;
  readonly period?: number;
  readonly realtimeRuntime?: number;
  readonly realtimePeriod?: number;
  readonly cpus?: string;
}

type OciRate = DeviceNumber & { readonly rate: number };

export interface OciBlockIo {
  readonly weight?: number;
  readonly weightDevice?: readonly (DeviceNumber & { readonly weight: number })[];
  readonly throttleReadBpsDevice?: readonly OciRate[];
  readonly throttleWriteBpsDevice?: readonly OciRate[];
  readonly throttleReadIOPSDevice?: readonly OciRate[];
  readonly throttleWriteIOPSDevice?: readonly OciRate[];
}

export interface OciResources {
  readonly devices: readonly OciDeviceRule[];
  readonly memory?: OciMemory;
  readonly cpu?: OciCpu;
  readonly pids?: { readonly limit: number };
  readonly blockIO?: OciBlockIo;
}

/** What a machine has, and what of it the service asked for: read by the runtime driver before the specification is built. */
export interface Surroundings {
  readonly cgroups: 1 | 2;
  /** `6.1.0` */
  readonly kernel: string;
  /** The capabilities that may be given at all, hexadecimal as /proc/self/status has them. */
  readonly capabilityBound: string;
  readonly appArmor: boolean;
  readonly seLinux: boolean;
  readonly swapCounted: boolean;
  readonly devices: readonly OciDevice[];
  /** What comes with devices of CDI files; their nodes are among `devices`. */
  readonly edits?: Omit<CdiEdits, 'deviceNodes'>;
  readonly blockDevices: Readonly<Record<string, DeviceNumber>>;
  /** First process of the container to share with, by service. */
  readonly peers: Readonly<Record<string, number>>;
  /** A program that reaps orphans; absent when the machine has none. */
  readonly init?: string;
  /** A tmpfs of the machine that is to be /dev/shm: one that is shared. */
  readonly sharedMemory?: string;
}

export interface OciMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

export interface OciHook {
  readonly path: string;
  readonly args?: readonly string[];
  readonly env?: readonly string[];
  /** Seconds. */
  readonly timeout?: number;
}

export interface OciDeviceRule {
  readonly allow: boolean;
  readonly type?: 'a' | 'b' | 'c';
  readonly major?: number;
  readonly minor?: number;
  readonly access: string;
}

export interface OciSeccompRule {
  readonly names: readonly string[];
  readonly action: string;
  readonly errnoRet?: number;
  readonly args?: readonly {
    readonly index: number;
    readonly value: number;
    readonly valueTwo?: number;
    readonly op: string;
  }[];
}

export interface OciSeccomp {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  /** Absent: the kernel's own architecture alone. */
  readonly architectures?: readonly string[];
  readonly syscalls: readonly OciSeccompRule[];
}

export interface OciSpec {
  readonly ociVersion: string;
  readonly process: OciProcess;
  readonly root: { readonly path: string; readonly readonly: boolean };
  readonly hostname?: string;
  readonly mounts: readonly OciMount[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly hooks?: Readonly<Partial<Record<CdiHookName, readonly OciHook[]>>>;
  readonly linux: {
    readonly cgroupsPath: string;
    readonly namespaces: readonly OciNamespace[];
    readonly resources: OciResources;
    readonly devices?: readonly Omit<OciDevice, 'access'>[];
    readonly sysctl: Readonly<Record<string, string>>;
    /** Absent: unconfined. */
    readonly seccomp?: OciSeccomp;
    readonly rootfsPropagation?: string;
    readonly maskedPaths: readonly string[];
    readonly readonlyPaths: readonly string[];
  };
}
