/** The mounts of a container: the kernel's file systems every Linux program expects, then the service's own. */
import { coded } from '../../errors.ts';
import type { ResolvedMount } from '../model.ts';
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

/** The service's own mounts after the defaults, outer before inner; one at or above a default's place replaces it. */
export function mountsOf(wanted: readonly ResolvedMount[]): readonly OciMount[] {
  const own = wanted.map(mountOf).sort((a, b) => depth(a.destination) - depth(b.destination));
  const kept = defaultMounts.filter(
    ({ destination }) => !own.some((mount) => covers(mount.destination, destination)),
  );
  return [...kept, ...own];
}

function mountOf(mount: ResolvedMount): OciMount {
  const destination = normal(mount.target);
  if (mount.type === 'bind') {
    const options = ['rbind', 'rprivate', mount.readOnly ? 'ro' : 'rw'];
    return { destination, type: 'bind', source: mount.source, options };
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
