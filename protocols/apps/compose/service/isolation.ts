/** Keys about what a container may do to, and see of, its machine; devices stand in devices.ts. */
import type { ComposeNode } from '../document.ts';
import {
  inside,
  mistyped,
  oneOf,
  readBoolean,
  readBytes,
  readDistinct,
  readKeys,
  readMap,
  readPairs,
  readSigned,
  readText,
  refuse,
  type KeyTable,
  type Scope,
} from '../readers.ts';
import { into, type ServiceDraft } from './draft.ts';

export const isolationKeys: KeyTable<ServiceDraft> = {
  privileged: into('isolation', 'privileged', readBoolean),
  read_only: into('isolation', 'readOnly', readBoolean),
  cap_add: into('isolation', 'capAdd', readCapabilities),
  cap_drop: into('isolation', 'capDrop', readCapabilities),
  sysctls: into('isolation', 'sysctls', readSysctls),
  ulimits: into('isolation', 'ulimits', readUlimits),
  pid: into('isolation', 'pid', (scope, node) =>
    node.kind === 'scalar' && node.value === null ? undefined : readNamespace(scope, node, ['host']),
  ),
  ipc: into('isolation', 'ipc', (scope, node) =>
    readNamespace(scope, node, ['host', 'private', 'shareable', 'none']),
  ),
  uts: into('isolation', 'uts', oneOf('host')),
  cgroup: into('isolation', 'cgroup', oneOf('host', 'private')),
  userns_mode: into('isolation', 'usernsMode', oneOf('host')),
  shm_size: into('isolation', 'shmSizeBytes', readBytes),
  oom_score_adj: into('isolation', 'oomScoreAdj', (scope, node) => readSigned(scope, node, -1_000, 1_000)),
  oom_kill_disable: into('isolation', 'oomKillDisable', readBoolean),
};

const capabilities = new Set(
  `ALL AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE DAC_READ_SEARCH
   FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN NET_BIND_SERVICE
   NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID SETPCAP SETUID SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE
   SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG SYSLOG WAKE_ALARM`.split(/\s+/),
);

export function readCapabilities(scope: Scope, node: ComposeNode): readonly string[] | undefined {
  return readDistinct(scope, node)?.map((text) => {
    const name = text.toUpperCase().replace(/^CAP_/, '');
    if (!capabilities.has(name)) refuse(scope, node.at, `${text} is not a capability`, 'As in NET_ADMIN.');
    return name;
  });
}

/** What a container has a copy of; the rest belongs to the machine. */
const ownSysctls =
  /^(net\.|fs\.mqueue\.|kernel\.(shm|msg)[a-z_]+$|kernel\.sem$|kernel\.domainname$|kernel\.hostname$)/;

function readSysctls(scope: Scope, node: ComposeNode): Readonly<Record<string, string>> | undefined {
  const pairs = readPairs(scope, node);
  for (const name of Object.keys(pairs ?? {})) {
    if (!/^[a-z0-9_./-]+$/i.test(name)) refuse(scope, node.at, `${JSON.stringify(name)} is not a sysctl`);
    else if (!ownSysctls.test(name.replaceAll('/', '.')))
      refuse(scope, node.at, `${name} belongs to the whole machine`, `On the node: sysctl -w ${name}=…`);
  }
  return pairs;
}

const ulimitNames = new Set(
  'core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack as'.split(
    ' ',
  ),
);

interface Bounds {
  soft?: number | undefined;
  hard?: number | undefined;
}

const boundKeys: KeyTable<Bounds> = {
  soft: (draft, node, scope) => (draft.soft = readBound(scope, node)),
  hard: (draft, node, scope) => (draft.hard = readBound(scope, node)),
};

function readUlimits(
  scope: Scope,
  node: ComposeNode,
): Readonly<Record<string, { soft: number; hard: number }>> | undefined {
  const all: [string, { soft: number; hard: number }][] = [];
  for (const { key, keyAt, value } of readMap(scope, node)?.entries ?? []) {
    const at = inside(scope, key);
    if (!ulimitNames.has(key)) {
      refuse(at, keyAt, 'is not the name of a ulimit', `One of ${[...ulimitNames].join(', ')}.`);
      continue;
    }
    const draft: Bounds = {};
    if (value.kind === 'map') readKeys(at, value, 'services.ulimits', boundKeys, draft);
    else draft.soft = draft.hard = readBound(at, value);
    const { soft, hard } = draft;
    if (
      value.kind === 'map' &&
      ['soft', 'hard'].some((name) => !value.entries.some((entry) => entry.key === name))
    )
      refuse(at, keyAt, 'both soft and hard are needed');
    else if (soft !== undefined && hard !== undefined) {
      if (hard !== -1 && (soft === -1 || soft > hard)) refuse(at, keyAt, 'soft is above hard');
      else all.push([key, { soft, hard }]);
    }
  }
  return Object.fromEntries(all);
}

const readBound = (scope: Scope, node: ComposeNode): number | undefined =>
  node.kind === 'scalar' && node.text === 'unlimited'
    ? -1
    : readSigned(scope, node, -1, Number.MAX_SAFE_INTEGER);

function readNamespace(scope: Scope, node: ComposeNode, words: readonly string[]): string | undefined {
  const text = readText(scope, node);
  if (text === undefined || words.includes(text) || /^service:.+$/.test(text)) return text;
  if (text.startsWith('container:'))
    return refuse(scope, node.at, 'a container is no part of the app', 'Write service:NAME.');
  return mistyped(scope, node, `${words.join(', ')} or service:NAME`);
}
