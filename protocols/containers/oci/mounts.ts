/** The mounts of a container: the kernel's file systems every Linux program expects, then the service's own. */
import { coded } from '../../errors.ts';
import type { IsolationSettings } from '../../apps/service-model.ts';
import type { ResolvedMount } from '../model.ts';
import { peerOf } from './isolation.ts';
import type { OciMount } from './types.ts';

const quiet = ['nosuid', 'noexec', 'nodev'];
const defaultMounts: readonly OciMount[] = [
  { destination: '/proc', type: 'proc', source: 'proc', options: quiet },
  {
    destination: '/dev',
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
  },
  {
    destination: '/dev/pts',
    type: 'devpts',
    source: 'devpts',
    options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
  },
  { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...quiet, 'ro'] },
  { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: [...quiet, 'relatime', 'ro'] },
  { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: quiet },
  { destination: '/dev/shm', type: 'tmpfs', source: 'shm', options: [...quiet, 'mode=1777', 'size=65536k'] },
];

/** Where the reaper lies in a container: /dev is always our own, also when the root is read-only. */
export const initTarget = '/dev/init';

type MountGround = Pick<IsolationSettings, 'privileged' | 'ipc' | 'pid' | 'shmSizeBytes' | 'cgroup'> & {
  readonly cgroups: 1 | 2;
  readonly sharedMemory?: string;
  /** Path of the reaper on the machine. */
  readonly init?: string;
};

/** The service's own mounts after the defaults, outer before inner; one at or above a default's place replaces it. */
export function mountsOf(wanted: readonly ResolvedMount[], ground: MountGround): readonly OciMount[] {
  const own = wanted.map(mountOf).sort((a, b) => depth(a.destination) - depth(b.destination));
  const kept = defaultMounts
    .flatMap((mount) => adapted(mount, ground))
    .filter(({ destination }) => !own.some((mount) => covers(mount.destination, destination)));
  return [...kept, ...reaper(ground), ...own];
}

function reaper({ init }: MountGround): readonly OciMount[] {
  if (init === undefined) return [];
  return [
    { destination: initTarget, type: 'bind', source: init, options: ['bind', 'ro', 'nosuid', 'nodev'] },
  ];
}

/** The defaults as isolation changes them. */
function adapted(mount: OciMount, ground: MountGround): readonly OciMount[] {
  const { destination } = mount;
  const { privileged, ipc, shmSizeBytes, sharedMemory } = ground;
  const bound = (source: string): OciMount => ({
    destination,
    type: 'bind',
    source,
    options: ['rbind', ...quiet, 'rw'],
  });
  if (privileged && (destination === '/sys' || destination === '/sys/fs/cgroup'))
    return [{ ...mount, options: mount.options.map((option) => (option === 'ro' ? 'rw' : option)) }];
  if (destination === '/dev/mqueue' && ipc === 'host') return [bound('/dev/mqueue')];
  if (destination !== '/dev/shm') return [mount];
  if (ipc === 'none') return [];
  if (ipc === 'host') return [bound('/dev/shm')];
  if (sharedMemory !== undefined) return [bound(sharedMemory)];
  if (peerOf(ipc) !== undefined || shmSizeBytes === undefined) return [mount];
  return [{ ...mount, options: [...quiet, 'mode=1777', `size=${shmSizeBytes}`] }];
}

/** What mounts below the root may hand on, when a mount of the service is to hand on at all. */
export function rootPropagation(wanted: readonly ResolvedMount[]): string | undefined {
  const kinds = wanted.map((mount) => (mount.type === 'bind' ? mount.propagation : undefined));
  if (kinds.some((kind) => kind === 'shared' || kind === 'rshared')) return 'shared';
  return kinds.some((kind) => kind === 'slave' || kind === 'rslave') ? 'slave' : undefined;
}

function mountOf(mount: ResolvedMount): OciMount {
  const destination = normal(mount.target);
  if (mount.type === 'bind') {
    const { recursive = 'enabled', propagation = 'rprivate', readOnly } = mount;
    const bind = recursive === 'disabled' ? 'bind' : 'rbind';
    const access = !readOnly ? 'rw' : recursive === 'readonly' ? 'rro' : 'ro';
    return { destination, type: 'bind', source: mount.source, options: [bind, propagation, access] };
  }
  const mode = `mode=${(mount.mode ?? 0o1777).toString(8)}`;
  const size = mount.sizeBytes === undefined ? [] : [`size=${mount.sizeBytes}`];
  return { destination, type: 'tmpfs', source: 'tmpfs', options: [...quiet, mode, ...size] };
}

/** An absolute path without `.`, `..` and doubled slashes; the root itself cannot be mounted over. */
function normal(target: string): string {
  const parts: string[] = [];
  for (const part of target.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  if (parts.length === 0 || !target.startsWith('/'))
    throw coded(
      'HM-CONTAINER-CREATE',
      `"${target}" is no place to mount at: an absolute path below / is needed.`,
    );
  return `/${parts.join('/')}`;
}

function depth(path: string): number {
  return path.split('/').length;
}

function covers(outer: string, inner: string): boolean {
  return inner === outer || inner.startsWith(`${outer}/`);
}
