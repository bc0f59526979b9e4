/**
 * A container's OCI runtime specification, from what the service asks for and what its image says: a pure
 * function, so that every default can be read in a golden test. The defaults are those Docker users expect,
 * with no-new-privileges on top. Reading images and starting containers is the runtime driver's work.
 */
import { editedMounts, hooksOf } from '../cdi/edits.ts';
import { coded } from '../../errors.ts';
import type { ContainerCreate, ExecRequest } from '../model.ts';
import {
  capabilitiesOf,
  deviceRulesOf,
  hiddenPaths,
  mandatoryLabels,
  namespacesOf,
  rlimitsOf,
  sysctlsOf,
} from './isolation.ts';
import { initTarget, mountsOf, rootPropagation } from './mounts.ts';
import { refusal } from './refusal.ts';
import { limitsOf } from './resources.ts';
import { seccompProfile } from './seccomp.ts';
import { readSeccompProfile } from './seccomp-profile.ts';
import type { ImageRunConfig, OciProcess, OciSeccomp, OciSpec, Surroundings, UserDatabase } from './types.ts';
import { groupIds, resolveUser, type ResolvedUser } from './user.ts';

export interface OciSpecInput {
  readonly create: ContainerCreate;
  readonly image: ImageRunConfig;
  /** GOARCH word of the image: `amd64`. */
  readonly architecture: string;
  readonly cgroupsPath: string;
  readonly machine: Surroundings;
  /** Needed for user names, further groups and HOME; without it only numbers can be resolved. */
  readonly userDatabase?: UserDatabase;
  /** The largest RLIMIT_NOFILE the runtime may give. Absent: containers inherit its limits. */
  readonly openFilesHard?: number;
}

const defaultPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * The whole specification; `root.path` is the bundle's `rootfs`. HM-CONTAINER-COMMAND when neither service nor image
 * names a command, HM-CONTAINER-USER when its user is not in its database, HM-CONTAINER-SETTING for what this machine
 * cannot give.
 */
export function buildOciSpec(input: OciSpecInput): OciSpec {
  const { create, machine } = input;
  const { isolation = {}, process: own = {}, annotations } = create.spec;
  const capabilities = capabilitiesOf(isolation, machine.capabilityBound);
  const { networkMode } = create.spec;
  const ownNetwork = networkMode === 'app' || networkMode === 'none';
  const seccomp = seccompOf(input, capabilities);
  const propagation = rootPropagation(create.mounts);
  return {
    ociVersion: '1.0.2',
    process: processOf(input, capabilities),
    root: { path: 'rootfs', readonly: isolation.readOnly ?? false },
    ...(isolation.uts === 'host' ? {} : { hostname: create.hostname }),
    mounts: [
      ...mountsOf(create.mounts, {
        ...isolation,
        cgroups: machine.cgroups,
        ...(machine.sharedMemory === undefined ? {} : { sharedMemory: machine.sharedMemory }),
        ...(own.init && machine.init !== undefined ? { init: machine.init } : {}),
      }),
      ...editedMounts(machine.edits),
    ],
    ...(annotations ? { annotations } : {}),
    ...hooksOf(machine.edits),
    linux: {
      cgroupsPath: input.cgroupsPath,
      namespaces: namespacesOf(isolation, machine, networkMode),
      resources: resourcesOf(input),
      ...(machine.devices.length > 0
        ? { devices: machine.devices.map(({ access: _access, ...node }) => node) }
        : {}),
      sysctl: sysctlsOf(isolation, ownNetwork, own.domainname),
      ...(seccomp ? { seccomp } : {}),
      ...(propagation === undefined ? {} : { rootfsPropagation: propagation }),
      ...hiddenPaths(isolation),
    },
  };
}

function processOf(input: OciSpecInput, capabilities: readonly string[]): OciProcess {
  const { create, image, machine } = input;
  const { isolation = {}, process: own = {} } = create.spec;
  const users = input.userDatabase ?? { passwd: '', group: '' };
  const user = resolveUser(own.user ?? image.User ?? '', users);
  const groups = new Set([
    ...user.additionalGids,
    ...groupIds(own.groupAdd ?? [], users),
    ...(machine.edits?.additionalGids ?? []),
  ]);
  return {
    terminal: own.tty ?? false,
    user: { ...ids(user), additionalGids: [...groups].sort((a, b) => a - b) },
    args: [...initOf(input), ...commandOf(create, image)],
    env: merged(environmentOf(create, image, user), machine.edits?.env ?? []),
    cwd: own.workingDir ?? (image.WorkingDir || '/'),
    capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
    rlimits: rlimitsOf(isolation, input.openFilesHard),
    noNewPrivileges: isolation.noNewPrivileges ?? !isolation.privileged,
    // Said, not inherited: containerd itself is often protected from the kernel's out-of-memory killer.
    oomScoreAdj: isolation.oomScoreAdj ?? 0,
    ...mandatoryLabels(isolation, machine),
  };
}

/** Where another process is process 1, orphans are to be handed to the reaper all the same. */
function initOf({ create, machine }: OciSpecInput): readonly string[] {
  if (!create.spec.process?.init) return [];
  if (machine.init === undefined)
    throw refusal('init', 'this machine has no program that reaps orphans (Debian: apt-get install tini)');
  const isFirst = create.spec.isolation?.pid === undefined;
  return [initTarget, ...(isFirst ? [] : ['-s']), '--'];
}

function resourcesOf({ create, machine }: OciSpecInput): OciSpec['linux']['resources'] {
  const { isolation = {}, resources } = create.spec;
  const limits = limitsOf(resources ?? {}, machine);
  if (isolation.oomKillDisable && machine.cgroups === 2)
    throw refusal('oom_kill_disable', 'cgroup v2 of this machine does not have it');
  return {
    devices: deviceRulesOf(isolation, machine.devices),
    ...limits,
    ...(isolation.oomKillDisable ? { memory: { ...limits.memory, disableOOMKiller: true } } : {}),
  };
}

function seccompOf(
  { create, architecture, machine }: OciSpecInput,
  capabilities: readonly string[],
): OciSeccomp | undefined {
  const { privileged, seccomp } = create.spec.isolation ?? {};
  if (seccomp === 'unconfined') return undefined;
  if (seccomp !== undefined)
    return readSeccompProfile(seccomp, { architecture, capabilities, kernel: machine.kernel });
  return privileged ? undefined : seccompProfile(architecture, capabilities);
}

/** As JSON for the runtime: -1 of a process's limits is the kernel's largest number, which JavaScript cannot hold. */
export function ociText(value: OciSpec | OciProcess): string {
  const mark = 'largest number';
  const marked = (key: string, held: unknown) =>
    (key === 'soft' || key === 'hard') && typeof held === 'number' && (held < 0 || held > 2 ** 63)
      ? mark
      : held;
  return JSON.stringify(value, marked).replaceAll(
    /"(soft|hard)":"largest number"/g,
    '"$1":18446744073709551615',
  );
}

/** The process of an exec inside a container of this specification. `bound`: the capabilities of a privileged one, hexadecimal. */
export function execProcess(
  container: OciProcess,
  request: ExecRequest,
  userDatabase: UserDatabase = { passwd: '', group: '' },
  bound = '0',
): OciProcess {
  if (!request.args[0]) throw coded('HM-CONTAINER-COMMAND', 'The exec names no command.');
  const all = request.privileged ? capabilitiesOf({ privileged: true }, bound) : [];
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
    ...(request.privileged
      ? { capabilities: { bounding: all, effective: all, permitted: all }, noNewPrivileges: false }
      : {}),
  };
}

/** What `stop` sends first: the service's, else the image's, else SIGTERM. */
export function stopSignalOf(spec: { readonly stopSignal?: string }, image: ImageRunConfig): string {
  return spec.stopSignal ?? (image.StopSignal || 'SIGTERM');
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
