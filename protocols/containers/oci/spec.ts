/**
 * A container's OCI runtime specification, from what the service asks for and what its image says: a pure
 * function, so that every default can be read in a golden test. The defaults are those Docker users expect,
 * with no-new-privileges on top. Reading images and starting containers is the runtime driver's work.
 */
import { coded } from '../../errors.ts';
import type { ContainerCreate, ExecRequest } from '../model.ts';
import { mountsOf } from './mounts.ts';
import { seccompProfile } from './seccomp.ts';
import type { ImageRunConfig, OciDeviceRule, OciProcess, OciSpec, UserDatabase } from './types.ts';
import { resolveUser, type ResolvedUser } from './user.ts';

export interface OciSpecInput {
  readonly create: ContainerCreate;
  readonly image: ImageRunConfig;
  /** GOARCH word of the image: `amd64`. */
  readonly architecture: string;
  readonly cgroupsPath: string;
  readonly cgroups: 1 | 2;
  /** Needed for user names, further groups and HOME; without it only numbers can be resolved. */
  readonly userDatabase?: UserDatabase;
  /** The largest RLIMIT_NOFILE the runtime may give. Absent: containers inherit its limits. */
  readonly openFilesHard?: number;
}

const defaultPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const capabilities: readonly string[] = [
  'CAP_AUDIT_WRITE',
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_MKNOD',
  'CAP_NET_BIND_SERVICE',
  'CAP_NET_RAW',
  'CAP_SETFCAP',
  'CAP_SETGID',
  'CAP_SETPCAP',
  'CAP_SETUID',
  'CAP_SYS_CHROOT',
];

/** What of /proc and /sys tells about the host or its hardware. */
const maskedPaths: readonly string[] = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
];
const readonlyPaths: readonly string[] = [
  '/proc/bus',
  '/proc/fs',
  '/proc/irq',
  '/proc/sys',
  '/proc/sysrq-trigger',
];

/** null, zero, full, random, urandom, tty, console, ptmx, pts; making (not using) any other node is harmless. */
const deviceRules: readonly OciDeviceRule[] = [
  { allow: false, access: 'rwm' },
  { allow: true, type: 'c', access: 'm' },
  { allow: true, type: 'b', access: 'm' },
  ...(
    [
      [1, 3],
      [1, 5],
      [1, 7],
      [1, 8],
      [1, 9],
      [5, 0],
      [5, 1],
      [5, 2],
    ] as const
  ).map(([major, minor]) => ({ allow: true, type: 'c' as const, major, minor, access: 'rwm' })),
  { allow: true, type: 'c', major: 136, access: 'rwm' },
];

/**
 * The whole specification; `root.path` is the bundle's `rootfs`. HM-CONTAINER-COMMAND when neither service nor image
 * names a command, HM-CONTAINER-USER when the image's user is not in its database.
 */
export function buildOciSpec(input: OciSpecInput): OciSpec {
  const { create, image } = input;
  const ownNetwork = create.spec.networkMode !== 'host';
  const user = resolveUser(image.User ?? '', input.userDatabase ?? { passwd: '', group: '' });
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: ids(user),
      args: commandOf(create, image),
      env: environmentOf(create, image, user),
      cwd: image.WorkingDir || '/',
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
      rlimits: rlimitsOf(input.openFilesHard),
      noNewPrivileges: true,
      // Said, not inherited: containerd itself is often protected from the kernel's out-of-memory killer.
      oomScoreAdj: 0,
    },
    root: { path: 'rootfs', readonly: false },
    hostname: create.hostname,
    mounts: mountsOf(create.mounts),
    linux: {
      cgroupsPath: input.cgroupsPath,
      namespaces: [
        'pid',
        'ipc',
        'uts',
        'mount',
        ...(ownNetwork ? ['network'] : []),
        ...(input.cgroups === 2 ? ['cgroup'] : []),
      ].map((type) => ({ type })),
      resources: { devices: deviceRules },
      // Ports below 1024 and ping for everybody inside: the network is the container's own.
      sysctl: ownNetwork
        ? { 'net.ipv4.ip_unprivileged_port_start': '0', 'net.ipv4.ping_group_range': '0 2147483647' }
        : {},
      seccomp: seccompProfile(input.architecture, capabilities),
      maskedPaths,
      readonlyPaths,
    },
  };
}

/** The process of an exec inside a container of this specification. */
export function execProcess(
  container: OciProcess,
  request: ExecRequest,
  userDatabase: UserDatabase = { passwd: '', group: '' },
): OciProcess {
  if (!request.args[0]) throw coded('HM-CONTAINER-COMMAND', 'The exec names no command.');
  const user = request.user === undefined ? undefined : resolveUser(request.user, userDatabase);
  const env = merged(
    container.env,
    user ? [`HOME=${user.home}`] : [],
    request.terminal ? ['TERM=xterm'] : [],
    lines(request.environment ?? {}),
  );
  return {
    ...container,
    terminal: request.terminal,
    ...(request.terminal && request.size
      ? { consoleSize: { height: request.size.rows, width: request.size.columns } }
      : {}),
    args: request.args,
    env,
    ...(request.workingDir ? { cwd: request.workingDir } : {}),
    ...(user ? { user: ids(user) } : {}),
  };
}

/** What `stop` sends first: the service's, else the image's, else SIGTERM. */
export function stopSignalOf(spec: { readonly stopSignal?: string }, image: ImageRunConfig): string {
  return spec.stopSignal ?? (image.StopSignal || 'SIGTERM');
}

/** The soft limit is the one programs were written for (some close every descriptor up to it); who wants more raises it. */
function rlimitsOf(openFilesHard: number | undefined): OciProcess['rlimits'] {
  if (openFilesHard === undefined) return [];
  return [
    { type: 'RLIMIT_NOFILE', soft: Math.min(1_024, openFilesHard), hard: Math.min(524_288, openFilesHard) },
  ];
}

/** Docker's merge: an entrypoint of the service's own drops the image's command too, since that was written for the other. */
function commandOf(create: ContainerCreate, image: ImageRunConfig): readonly string[] {
  const { entrypoint, command } = create.spec;
  const args = entrypoint
    ? [...entrypoint, ...(command ?? [])]
    : [...(image.Entrypoint ?? []), ...(command ?? image.Cmd ?? [])];
  if (!args[0]) {
    const named = create.spec.image;
    throw coded('HM-CONTAINER-COMMAND', `Neither the service nor the image ${named} names a command.`, {
      image: named,
    });
  }
  return args;
}

/** Later ones win: default PATH and HOSTNAME, image, service, Hivemind's own; HOME only when none of them has it. */
function environmentOf(
  create: ContainerCreate,
  image: ImageRunConfig,
  user: ResolvedUser,
): readonly string[] {
  return merged(
    [defaultPath, `HOSTNAME=${create.hostname}`, `HOME=${user.home}`],
    image.Env ?? [],
    lines(create.spec.environment),
    lines(create.extraEnvironment),
  );
}

function merged(...layers: readonly (readonly string[])[]): readonly string[] {
  const byName = new Map<string, string>();
  for (const line of layers.flat()) {
    const name = line.split('=', 1)[0]!;
    if (name !== '') byName.set(name, line.includes('=') ? line : `${line}=`);
  }
  return [...byName.values()];
}

function lines(environment: Readonly<Record<string, string>>): string[] {
  return Object.entries(environment).map(([name, value]) => `${name}=${value}`);
}

function ids({ uid, gid, additionalGids }: ResolvedUser): OciProcess['user'] {
  return { uid, gid, additionalGids };
}
