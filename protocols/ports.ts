/**
 * The outside world as types. Drivers in `runtime/drivers` implement them, `runtime/world` bundles them
 * twice (real and simulated), and each has one conformance suite that all its drivers pass.
 *
 * A method that actors may call takes exactly one plain argument and a `Call`, and returns a promise: that
 * is what lets a `drive` effect be data. Rejections are `CodedError`s; anything else counts as a defect.
 */
import type { HostPort } from './apps/model.ts';
import type {
  FileGrant,
  LoggingSettings,
  NameSettings,
  PullPolicy,
  ResourceSettings,
} from './apps/service-model.ts';
import type {
  ContainerCreate,
  ContainerProcess,
  ContainerStats,
  ContainerStatus,
  ExecRequest,
  ExecResult,
  ImageDetails,
  ImageExport,
  ImageInfo,
  ImageWish,
  PullProgress,
  RuntimeEvent,
  RuntimeInfo,
  Traffic,
} from './containers/model.ts';
import type { Reason } from './errors.ts';
import type { ZoneUpdate } from './discovery/model.ts';
import type { ProbeRequest, ProbeResult } from './health/model.ts';
import type { MachineMeter, RecordPeers, RecordSeals } from './observed/ports.ts';
import type { Roster } from './membership/views/port.ts';
import type { SealedValue } from './security/model.ts';
import type { Attachment, AttachRequest, Member, NodeNetwork, Publication } from './network/model.ts';
import type { KeyValue, Position, StoreStatus, Txn, TxnResult, WatchNotice } from './state/model.ts';
import type { VolumeName, VolumeOnDisk } from './storage/model.ts';

/** Handed to every driven call. */
export interface Call {
  /** The same key means the same request: do it once, answer the same. */
  readonly key: string;
  /** Fires when nobody waits any more. */
  readonly signal: AbortSignal;
}

export type Stop = () => void;

export interface Clock {
  /** Wall time, ms since 1970. */
  now(): number;
  /** Never goes back; ms since some start. */
  monotonicMs(): number;
  setTimer(delayMs: number, fire: () => void): unknown;
  clearTimer(timer: unknown): void;
  /** Run soon, after I/O had its turn: how the router yields. */
  defer(run: () => void): void;
}

export interface Random {
  /** In [0, 1). */
  next(): number;
  /** Random lower-case hexadecimal text. */
  hex(bytes: number): string;
}

/** Linearizable, ordered by key bytes. See `protocols/state/model.ts`. */
export interface StateStore {
  status(args: Record<string, never>, call: Call): Promise<StoreStatus>;
  get(
    args: { readonly key: string },
    call: Call,
  ): Promise<{ readonly kv?: KeyValue; readonly position: Position }>;
  /** In key order. `at` an older revision within the history, else HM-STORE-COMPACTED. */
  list(
    args: {
      readonly prefix: string;
      readonly limit?: number;
      readonly startAfter?: string;
      readonly at?: number;
    },
    call: Call,
  ): Promise<{ readonly kvs: readonly KeyValue[]; readonly more: boolean; readonly position: Position }>;
  txn(args: Txn, call: Call): Promise<TxnResult>;
  grant(args: { readonly ttlMs: number }, call: Call): Promise<{ readonly lease: string }>;
  keepAlive(args: { readonly lease: string }, call: Call): Promise<{ readonly ttlMs: number }>;
  /** Deletes the keys of the lease at one revision. */
  revoke(args: { readonly lease: string }, call: Call): Promise<TxnResult>;
  /** Every change of keys with the prefix after the position, whole revisions, in order, without gap or duplicate. */
  watch(
    args: { readonly prefix: string; readonly after: Position },
    notify: (notice: WatchNotice) => void,
  ): Stop;
}

/** The node's own durable memory: a map of plain values. `append` answers when it is on disk. */
export interface Journal {
  read(
    args: { readonly prefix: string },
    call: Call,
  ): Promise<{ readonly entries: Readonly<Record<string, unknown>> }>;
  /** `undefined` deletes. All or none of one call survives a crash. */
  append(
    args: { readonly entries: Readonly<Record<string, unknown>> },
    call: Call,
  ): Promise<Record<string, never>>;
}

/** Containers of this node. Everything is idempotent by id: creating what exists, starting what runs, removing what is gone is done already. */
export interface ContainerRuntime {
  info(args: Record<string, never>, call: Call): Promise<RuntimeInfo>;
  /** All of this node's, including leftovers of died creates. */
  list(args: Record<string, never>, call: Call): Promise<{ readonly containers: readonly ContainerStatus[] }>;
  inspect(args: { readonly id: string }, call: Call): Promise<{ readonly container?: ContainerStatus }>;
  /** Namespaces exist afterwards, the first instruction has not run. HM-IMAGE-MISSING, HM-CONTAINER-CREATE, HM-DISK-FULL, … */
  create(args: ContainerCreate, call: Call): Promise<{ readonly pid: number }>;
  start(args: { readonly id: string }, call: Call): Promise<Record<string, never>>;
  /** To the first process: `SIGTERM`. The image's STOPSIGNAL when none is named. */
  signal(args: { readonly id: string; readonly signal?: string }, call: Call): Promise<Record<string, never>>;
  /** SIGKILL to all of its processes. */
  kill(args: { readonly id: string }, call: Call): Promise<Record<string, never>>;
  /** What it may use from now on; it runs on. HM-CONTAINER-UPDATE when the kernel refuses, as for less memory than it holds. */
  update(
    args: { readonly id: string; readonly resources: ResourceSettings },
    call: Call,
  ): Promise<Record<string, never>>;
  /** Its processes stand still until `unpause`, a signal or a kill; doing either twice is done already. HM-CONTAINER-STOPPED. */
  pause(args: { readonly id: string }, call: Call): Promise<Record<string, never>>;
  unpause(args: { readonly id: string }, call: Call): Promise<Record<string, never>>;
  /** Ends it if need be and removes task, record, snapshot, bundle and cgroups; logs stay. */
  remove(args: { readonly id: string }, call: Call): Promise<Record<string, never>>;
  /** `disk`: their files are counted too, which takes a walk. */
  stats(
    args: { readonly ids: readonly string[]; readonly disk?: true },
    call: Call,
  ): Promise<{ readonly stats: readonly ContainerStats[] }>;
  /** Inside it, as the machine sees them. HM-CONTAINER-STOPPED. */
  processes(
    args: { readonly id: string },
    call: Call,
  ): Promise<{ readonly processes: readonly ContainerProcess[] }>;
  /** A tar of what is at the path, with one entry at its top. HM-FILE-MISSING, before the first byte. */
  readFiles(
    args: { readonly id: string; readonly path: string },
    call: Call,
  ): Promise<AsyncIterable<Uint8Array>>;
  /**
   * A tar into the folder at the path, or under that name when only its folder exists. Answers how many entries it had.
   * HM-FILE-MISSING, HM-FILE-ARCHIVE.
   */
  writeFiles(
    args: { readonly id: string; readonly path: string; readonly archive: AsyncIterable<Uint8Array> },
    call: Call,
  ): Promise<{ readonly entries: number }>;
  /** Run to its end, output gathered: health checks. A missing binary is code 127. */
  run(args: ExecRequest, call: Call): Promise<ExecResult>;
  /** Interactive: `exec -it`. */
  exec(request: ExecRequest, call: Call): Promise<ExecSession>;
  /** Ends with a `resync` after every (re)connection; a lost connection is retried inside. */
  events(notify: (event: RuntimeEvent) => void): Stop;
}

/** A running exec. `output` ends before `exit` resolves. */
export interface ExecSession {
  readonly exit: Promise<number>;
  onOutput(listener: (channel: 'stdout' | 'stderr', bytes: Uint8Array) => void): void;
  write(bytes: Uint8Array): void;
  endInput(): void;
  resize(size: { readonly columns: number; readonly rows: number }): void;
  close(): void;
  /** Back pressure, where the runtime can give it: the command waits in its write while the reader is slow … */
  pause?(): void;
  resume?(): void;
  /** … and this resolves when the command has taken most of its input. */
  taken?(): Promise<void>;
}

export interface ImageSource {
  list(args: Record<string, never>, call: Call): Promise<{ readonly images: readonly ImageInfo[] }>;
  /**
   * Present and fit for this node, pulled if the policy (default: `missing`) says so. With a digest: that very content,
   * kept under the pinned name too. HM-IMAGE-MISSING, HM-IMAGE-PLATFORM, HM-IMAGE-DIGEST, HM-REGISTRY-…. Several that
   * want the same pull share it; it ends when the last one no longer waits.
   */
  ensure(args: ImageWish, call: Call): Promise<ImageInfo>;
  /** The digest the name stands for now, by the policy: here or in the registry. Nothing is pulled. */
  resolve(
    args: { readonly image: string; readonly policy?: PullPolicy },
    call: Call,
  ): Promise<{ readonly digest?: string }>;
  /** The pulls under way. */
  pulls(args: Record<string, never>, call: Call): Promise<{ readonly pulls: readonly PullProgress[] }>;
  /** Every step of every pull, to its `done` or `failed`. */
  onPull(notify: (progress: PullProgress) => void): Stop;
  /** All that is known of it. HM-IMAGE-UNKNOWN; HM-IMAGE-MISSING when parts of it are gone. */
  show(args: { readonly image: string }, call: Call): Promise<ImageDetails>;
  /** One platform of it into a new file at `path`: an OCI archive, or what `docker load` reads. HM-IMAGE-UNKNOWN, HM-IMAGE-PLATFORM. */
  export(args: ImageExport, call: Call): Promise<Record<string, never>>;
  /** An archive of OCI or Docker (tar, may be gzip) on this node's disk; `name` overrides the names in it. */
  import(
    args: { readonly path: string; readonly name?: string },
    call: Call,
  ): Promise<{ readonly images: readonly ImageInfo[] }>;
  remove(args: { readonly image: string }, call: Call): Promise<Record<string, never>>;
}

/** Bridge, veths, NAT and published ports of this node. All level-triggered: the whole wish is given, the driver mends the difference. */
export interface NetworkDriver {
  ensureNode(args: NodeNetwork, call: Call): Promise<Record<string, never>>;
  /**
   * Between create and start: link, addresses, default route and loopback, inside the container's own namespace.
   * The rules know its networks before its first instruction.
   */
  attach(args: AttachRequest, call: Call): Promise<Record<string, never>>;
  detach(args: { readonly id: string }, call: Call): Promise<Record<string, never>>;
  list(args: Record<string, never>, call: Call): Promise<{ readonly attachments: readonly Attachment[] }>;
  /** Of those of these containers that are attached; cheap, however many they are. */
  traffic(
    args: { readonly ids: readonly string[] },
    call: Call,
  ): Promise<{ readonly traffic: readonly Traffic[] }>;
  /**
   * All published ports of the node and all of its containers that it is to know the networks of, in one transaction.
   * Who was attached in this life and is not among them stays as attached.
   */
  publish(
    args: { readonly publications: readonly Publication[]; readonly members?: readonly Member[] },
    call: Call,
  ): Promise<Record<string, never>>;
  /** Which of these ports something outside Hivemind listens on. */
  taken(
    args: { readonly ports: readonly HostPort[] },
    call: Call,
  ): Promise<{ readonly taken: readonly HostPort[] }>;
  /** Of the machine, of both families, as the kernel writes them. */
  addresses(args: Record<string, never>, call: Call): Promise<{ readonly addresses: readonly string[] }>;
  /** Everything this node ever made: links, bridge, table. */
  purge(args: Record<string, never>, call: Call): Promise<Record<string, never>>;
}

export interface VolumeDriver {
  /** Made if absent; never emptied. */
  ensure(args: VolumeName, call: Call): Promise<{ readonly path: string }>;
  /** `HM-BIND-MISSING` unless it exists or `create` is set. */
  bind(
    args: { readonly source: string; readonly create: boolean },
    call: Call,
  ): Promise<{ readonly path: string }>;
  /** `everyAnonymous` stands for all anonymous volumes of the app. Answers those that were there. */
  remove(args: VolumeName, call: Call): Promise<{ readonly removed: readonly string[] }>;
  /** `disk`: what each takes is counted too, which takes a walk. */
  list(args: { readonly disk?: true }, call: Call): Promise<{ readonly volumes: readonly VolumeOnDisk[] }>;
  /** Per-run files: resolv.conf, hosts, hostname and the two log files; answers their host paths. */
  prepareRun(
    args: {
      readonly slot: string;
      readonly run: string;
      readonly hostname: string;
      readonly address?: string;
      readonly nameserver?: string;
      readonly search?: string;
      readonly domainname?: string;
      readonly names?: NameSettings;
      /** How much of the run's output is kept. */
      readonly logging?: LoggingSettings;
    },
    call: Call,
  ): Promise<RunFiles>;
  /** Forget the files of runs beyond `limits.logRuns`; of a slot that is gone, all. */
  pruneRuns(
    args: { readonly slot: string; readonly keep: readonly string[] },
    call: Call,
  ): Promise<Record<string, never>>;
}

export interface RunFiles {
  readonly stdoutPath: string;
  readonly stderrPath: string;
  /** Bind mounts over /etc/hosts, /etc/hostname, /etc/resolv.conf. */
  readonly mounts: readonly {
    readonly type: 'bind';
    readonly source: string;
    readonly target: string;
    readonly readOnly: boolean;
  }[];
}

/** Asks a container over the network how it is. An answer in every case: what cannot be reached has not passed. */
export interface Probe {
  probe(args: ProbeRequest, call: Call): Promise<ProbeResult>;
}

/** The node's DNS responder. */
export interface NameServer {
  /** Start (or keep) answering there; upstream names are forwarded. HM-DNS-LISTEN. */
  listen(
    args: { readonly address: string; readonly port: number; readonly upstreams: readonly string[] },
    call: Call,
  ): Promise<Record<string, never>>;
  update(args: ZoneUpdate, call: Call): Promise<Record<string, never>>;
  close(args: Record<string, never>, call: Call): Promise<Record<string, never>>;
}

/**
 * Seals values so that the store can hold them. `name` and `version` are bound in: a sealed value opens nowhere else.
 * Contents are base64 text. No actor can reach it by an effect, so that no value ever stands in a frame or a trace.
 */
export interface SecretBox {
  /** `locked`: HM-SECRET-KEY and why. Everything else refuses with it then. */
  status(
    args: Record<string, never>,
    call: Call,
  ): Promise<{ readonly keyId?: string; readonly locked?: Reason }>;
  /** `sha256:…`, keyed: equal for equal contents, worthless to who guesses. Outlives a change of keys. */
  digest(args: { readonly content: string }, call: Call): Promise<{ readonly digest: string }>;
  seal(
    args: { readonly name: string; readonly version: string; readonly content: string },
    call: Call,
  ): Promise<{ readonly sealed: SealedValue }>;
  /** HM-SECRET-DAMAGED when it was changed or belongs elsewhere, HM-SECRET-KEY when its key is not here. */
  open(
    args: { readonly name: string; readonly version: string; readonly sealed: SealedValue },
    call: Call,
  ): Promise<{ readonly content: string }>;
  /** The same value, its data key under the present key. The value itself is not touched. */
  rewrap(
    args: { readonly name: string; readonly version: string; readonly sealed: SealedValue },
    call: Call,
  ): Promise<{ readonly sealed: SealedValue }>;
  /** A new key from now on. The one before still opens, so that what is under way is not lost; older ones are forgotten. */
  renewKey(args: Record<string, never>, call: Call): Promise<{ readonly keyId: string }>;
}

/**
 * Configs and secrets as files of one container, in memory and nowhere else, by the container's id. They stay while
 * the container lives, also when the daemon does not; whoever removes the container removes them.
 */
export interface GrantFiles {
  /** Opened and written; again for the same id: the same. HM-SECRET-UNKNOWN, HM-SECRET-KEY, HM-SECRET-DAMAGED, HM-SECRET-TMPFS. */
  place(args: GrantRequest, call: Call): Promise<{ readonly mounts: readonly GrantMount[] }>;
  /** Other contents in the files of a living container; `changed` when one was another before. */
  renew(args: GrantRequest, call: Call): Promise<{ readonly changed: boolean }>;
  remove(args: { readonly id: string }, call: Call): Promise<Record<string, never>>;
  /** Those of containers that are gone, but for the youngest: a container may be about to be created. */
  sweep(args: { readonly keep: readonly string[] }, call: Call): Promise<Record<string, never>>;
}

export interface GrantRequest {
  readonly id: string;
  readonly files: readonly FileGrant[];
  /** Where a grant names no owner. */
  readonly owner: { readonly uid: number; readonly gid: number };
}

export interface GrantMount {
  readonly type: 'bind';
  readonly source: string;
  readonly target: string;
  readonly readOnly: true;
}

/** The ports that `drive` can reach, and the secret box, which it cannot. */
export interface Ports {
  readonly store: StateStore;
  readonly journal: Journal;
  readonly containers: ContainerRuntime;
  readonly images: ImageSource;
  readonly network: NetworkDriver;
  readonly volumes: VolumeDriver;
  readonly names: NameServer;
  readonly probes: Probe;
  readonly secrets: SecretBox;
  readonly grants: GrantFiles;
  /** In the membership subtree's own kernel alone. */
  readonly roster?: Roster;
  /** These of a node that is one of a cluster. */
  readonly machine?: MachineMeter;
  readonly seals?: RecordSeals;
  readonly peers?: RecordPeers;
}

type Drivable<Port> = {
  [Op in keyof Port]: Port[Op] extends (args: infer Args, call: Call) => Promise<unknown>
    ? { op: Op; args: Args }
    : never;
}[keyof Port];

/** Every `{ port, op, args }` that type-checks against the ports above (streams and sessions excepted). */
export type DriveCall = {
  [Port in Exclude<keyof Ports, 'secrets'>]-?: { readonly port: Port } & Readonly<
    Exclude<Drivable<NonNullable<Ports[Port]>>, { op: 'exec' | 'readFiles' | 'writeFiles' }>
  >;
}[Exclude<keyof Ports, 'secrets'>];
