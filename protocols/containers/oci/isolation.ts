/**
 * What a container may do to, and see of, its machine: capabilities, namespaces, hidden paths, kernel settings,
 * devices. Each function takes the service's wish and what the machine has, and refuses what cannot be had.
 */
import type { IsolationSettings } from '../../apps/service-model.ts';
import { refusal } from './refusal.ts';
import type { OciDevice, OciDeviceRule, OciNamespace, OciProcess, Surroundings } from './types.ts';

const usual: readonly string[] = [
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

/** In the kernel's order (capability 0 is CAP_CHOWN): a kernel has a head of this list. */
const known =
  `CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
  NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT
  SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG
  WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE`
    .split(/\s+/)
    .map((name) => `CAP_${name}`);

/** The usual ones less `cap_drop`, more `cap_add`; `ALL` in either first, as Docker reads it. `ALL` is all of `bound`, hexadecimal. Sorted. */
export function capabilitiesOf(isolation: IsolationSettings, bound: string): readonly string[] {
  const all = known.filter((_, number) => ((BigInt(`0x${bound}`) >> BigInt(number)) & 1n) === 1n);
  const named = (list: readonly string[] | undefined, key: string) =>
    (list ?? []).map((name) => {
      const full = name.toUpperCase() === 'ALL' ? 'ALL' : `CAP_${name.toUpperCase().replace(/^CAP_/, '')}`;
      if (full !== 'ALL' && !all.includes(full))
        throw refusal(key, `this machine cannot give the capability ${name}`);
      return full;
    });
  const add = named(isolation.capAdd, 'cap_add');
  const drop = named(isolation.capDrop, 'cap_drop');
  if (isolation.privileged) return [...all].sort();
  const base = add.includes('ALL') ? all : drop.includes('ALL') ? [] : usual;
  const dropped = new Set(drop);
  return [
    ...new Set([...base.filter((name) => !dropped.has(name)), ...add.filter((name) => name !== 'ALL')]),
  ].sort();
}

/** null, zero, full, random, urandom, tty, console, ptmx, pts; making (not using) any other node is harmless. */
const usualDevices: readonly OciDeviceRule[] = [
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

export function deviceRulesOf(
  isolation: IsolationSettings,
  devices: readonly OciDevice[],
): readonly OciDeviceRule[] {
  if (isolation.privileged) return [{ allow: true, access: 'rwm' }];
  return [
    ...usualDevices,
    ...devices.map(({ type, major, minor, access }) => ({ allow: true, type, major, minor, access })),
    ...(isolation.deviceCgroupRules ?? []).map(ruleOf),
  ];
}

/** `c 189:* rmw` */
function ruleOf(text: string): OciDeviceRule {
  const match = /^([acb]) (\d+|\*):(\d+|\*) ([rwm]{1,3})$/.exec(text.trim());
  if (!match) throw refusal('device_cgroup_rules', `"${text}" is not of the form "c 189:* rwm"`);
  const number = (word: string) => (word === '*' ? undefined : Number(word));
  const major = number(match[2]!);
  const minor = number(match[3]!);
  return {
    allow: true,
    type: match[1] as 'a' | 'b' | 'c',
    ...(major === undefined ? {} : { major }),
    ...(minor === undefined ? {} : { minor }),
    access: match[4]!,
  };
}

/** The name of the service in `service:NAME`. */
export function peerOf(mode: string | undefined): string | undefined {
  return mode?.startsWith('service:') ? mode.slice('service:'.length) : undefined;
}

/** Own ones but for what is shared with the machine or with another service's container. */
export function namespacesOf(
  isolation: IsolationSettings,
  machine: Pick<Surroundings, 'cgroups' | 'peers'>,
  networkMode: string,
): readonly OciNamespace[] {
  const shared = (type: 'pid' | 'ipc' | 'network', mode: string | undefined): readonly OciNamespace[] => {
    if (mode === 'host') return [];
    const peer = peerOf(mode);
    if (peer === undefined) return [{ type }];
    const pid = machine.peers[peer];
    if (pid === undefined) throw refusal(type, `no container of the service ${peer} was found`);
    return [{ type, path: `/proc/${pid}/ns/${type === 'network' ? 'net' : type}` }];
  };
  const ownCgroup = (isolation.cgroup ?? (machine.cgroups === 2 ? 'private' : 'host')) === 'private';
  return [
    ...shared('pid', isolation.pid),
    ...shared('ipc', isolation.ipc),
    ...(isolation.uts === 'host' ? [] : [{ type: 'uts' }]),
    { type: 'mount' },
    ...shared('network', networkMode),
    ...(ownCgroup ? [{ type: 'cgroup' }] : []),
  ];
}

/** Kernel settings that a namespace of the container's own holds; every other would change the machine. */
export function sysctlsOf(
  isolation: IsolationSettings,
  ownNetwork: boolean,
  domainname: string | undefined,
): Readonly<Record<string, string>> {
  const ownIpc = isolation.ipc !== 'host' && peerOf(isolation.ipc) === undefined;
  const wanted = isolation.sysctls ?? {};
  for (const name of Object.keys(wanted)) {
    const held = name.startsWith('net.')
      ? ownNetwork
      : /^(?:kernel\.(?:sem$|shm|msg)|fs\.mqueue\.)/.test(name) && ownIpc;
    if (!held) throw refusal('sysctls', `${name} does not belong to a namespace of the container's own`);
  }
  return {
    // Ports below 1024 and ping for everybody inside: the network is the container's own.
    ...(ownNetwork
      ? { 'net.ipv4.ip_unprivileged_port_start': '0', 'net.ipv4.ping_group_range': '0 2147483647' }
      : {}),
    ...(domainname !== undefined && isolation.uts !== 'host' ? { 'kernel.domainname': domainname } : {}),
    ...wanted,
  };
}

/** Names of `ulimits` as the kernel has them. */
const limitNames = new Set(
  `as core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack`.split(
    ' ',
  ),
);
/** Written as the kernel's largest number by `ociText`: a JavaScript number cannot hold that. */
const unlimited = -1;

/** The soft limit is the one programs were written for (some close every descriptor up to it); who wants more raises it. */
export function rlimitsOf(
  isolation: IsolationSettings,
  openFilesHard: number | undefined,
): OciProcess['rlimits'] {
  const wanted = Object.entries(isolation.ulimits ?? {}).map(([name, { soft, hard }]) => {
    if (!limitNames.has(name)) throw refusal('ulimits', `there is no limit named ${name}`);
    const height = (number: number) => (number < 0 ? Infinity : number);
    if (height(soft) > height(hard)) throw refusal('ulimits', `${name}: soft is above hard`);
    return {
      type: `RLIMIT_${name.toUpperCase()}`,
      soft: Math.max(unlimited, soft),
      hard: Math.max(unlimited, hard),
    };
  });
  if (openFilesHard === undefined || wanted.some(({ type }) => type === 'RLIMIT_NOFILE')) return wanted;
  const files = {
    type: 'RLIMIT_NOFILE',
    soft: Math.min(1_024, openFilesHard),
    hard: Math.min(524_288, openFilesHard),
  };
  return [files, ...wanted];
}

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

export function hiddenPaths(isolation: IsolationSettings) {
  const bare = isolation.privileged === true || isolation.systemPathsUnconfined === true;
  return bare ? { maskedPaths: [], readonlyPaths: [] } : { maskedPaths, readonlyPaths };
}

/** Labels of AppArmor and SELinux, where the kernel has them. */
export function mandatoryLabels(
  isolation: IsolationSettings,
  machine: Pick<Surroundings, 'appArmor' | 'seLinux'>,
): Pick<OciProcess, 'apparmorProfile' | 'selinuxLabel'> {
  const { apparmor, label } = isolation;
  if (apparmor !== undefined && apparmor !== 'unconfined' && !machine.appArmor)
    throw refusal('security_opt', `apparmor=${apparmor}: the kernel of this machine has no AppArmor`);
  if (label !== undefined && label !== 'disable' && !machine.seLinux)
    throw refusal('security_opt', `label=${label}: the kernel of this machine has no SELinux`);
  return {
    ...(apparmor !== undefined && machine.appArmor ? { apparmorProfile: apparmor } : {}),
    ...(label !== undefined && label !== 'disable' ? { selinuxLabel: label } : {}),
  };
}
