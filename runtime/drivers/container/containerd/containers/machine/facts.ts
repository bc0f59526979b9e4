/** What this machine and its kernel have of what a service asks for: read from /proc, /sys and /dev before a container is made. */
import { existsSync, readFileSync, type Stats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { release } from 'node:os';
import { join } from 'node:path';
import type { ServiceSpec } from '../../../../../../protocols/apps/model.ts';
import type { BlkioSettings } from '../../../../../../protocols/apps/service-model.ts';
import { refusal } from '../../../../../../protocols/containers/oci/refusal.ts';
import type {
  DeviceNumber,
  OciDevice,
  Surroundings,
} from '../../../../../../protocols/containers/oci/types.ts';

type Kernel = Pick<Surroundings, 'kernel' | 'capabilityBound' | 'appArmor' | 'seLinux' | 'init'>;

/** Static, so that it runs in an image that has no libraries. Debian: tini. */
const reapers = ['/usr/bin/tini-static'];

let known: Kernel | undefined;

/** None of it changes while the machine runs, but for a reaper that is installed meanwhile. */
export function kernelFacts(): Kernel {
  known ??= {
    kernel: release(),
    capabilityBound: /^CapBnd:\s*([0-9a-f]+)$/m.exec(text('/proc/self/status'))?.[1] ?? '0',
    appArmor: text('/sys/module/apparmor/parameters/enabled') === 'Y',
    seLinux: existsSync('/sys/fs/selinux/enforce'),
  };
  const init = reapers.find((path) => existsSync(path));
  return { ...known, ...(init === undefined ? {} : { init }) };
}

export function swapIsCounted(cgroups: 1 | 2): boolean {
  return cgroups === 2 || existsSync('/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes');
}

function text(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}

/** All nodes of the machine for a privileged container, else those it names; a folder stands for all below it. */
export async function devicesOf({ isolation }: ServiceSpec): Promise<readonly OciDevice[]> {
  if (isolation?.privileged) return nodesBelow('/dev', '/dev', 'rwm');
  const named = isolation?.devices ?? [];
  const found = await Promise.all(
    named.map(async ({ source, target, permissions }) => {
      const stats = await stat(source).catch(() => undefined);
      if (stats?.isDirectory()) return nodesBelow(source, target, permissions);
      const node = stats && nodeOf(stats, target, permissions);
      if (!node) throw refusal('devices', `${source} is not a device of this machine`);
      return [node];
    }),
  );
  return found.flat();
}

/** Every container has these of its own. */
const own = new Set(['pts', 'shm', 'mqueue', 'fd', 'stdin', 'stdout', 'stderr', 'console', 'ptmx', 'tty']);

async function nodesBelow(source: string, target: string, access: string): Promise<readonly OciDevice[]> {
  const nodes: OciDevice[] = [];
  for (const entry of await readdir(source, { withFileTypes: true }).catch(() => [])) {
    if (source === '/dev' && own.has(entry.name)) continue;
    const from = join(source, entry.name);
    const to = join(target, entry.name);
    if (entry.isDirectory()) nodes.push(...(await nodesBelow(from, to, access)));
    if (!entry.isBlockDevice() && !entry.isCharacterDevice()) continue;
    const stats = await stat(from).catch(() => undefined);
    const node = stats && nodeOf(stats, to, access);
    if (node) nodes.push(node);
  }
  return nodes.sort((a, b) => (a.path < b.path ? -1 : 1));
}

export function nodeOf(stats: Stats, path: string, access: string): OciDevice | undefined {
  if (!stats.isBlockDevice() && !stats.isCharacterDevice()) return undefined;
  const type = stats.isBlockDevice() ? 'b' : 'c';
  const { uid, gid } = stats;
  return { path, type, ...numberOf(stats.rdev), fileMode: stats.mode & 0o777, uid, gid, access };
}

/** As glibc packs them. */
function numberOf(rdev: number): DeviceNumber {
  const packed = BigInt(rdev);
  return {
    major: Number(((packed >> 8n) & 0xfffn) | ((packed >> 32n) & ~0xfffn)),
    minor: Number((packed & 0xffn) | ((packed >> 12n) & ~0xffn & 0xffffffffn)),
  };
}

/** Those that limits of input and output name; one that is none is left out, and refused when it is looked up. */
export async function blockDevicesOf(
  blkio: BlkioSettings | undefined,
): Promise<Readonly<Record<string, DeviceNumber>>> {
  const { weightDevices, readBps, writeBps, readIops, writeIops } = blkio ?? {};
  const lists: readonly (readonly { readonly path: string }[] | undefined)[] = [
    weightDevices,
    readBps,
    writeBps,
    readIops,
    writeIops,
  ];
  const named = lists.flatMap((list) => list ?? []);
  const found: Record<string, DeviceNumber> = {};
  for (const { path } of named) {
    const stats = await stat(path).catch(() => undefined);
    if (stats?.isBlockDevice()) found[path] = numberOf(stats.rdev);
  }
  return found;
}
