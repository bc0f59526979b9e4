/**
 * Granted files on real memory: a tmpfs for each container, mounted outside the data folder, which only root reaches
 * and from which the container gets its own folder or files as read-only binds. A reboot leaves nothing of them.
 */
import { execFile } from 'node:child_process';
import {
  chmod,
  chown,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rmdir,
  stat,
  writeFile,
} from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { CodedError, coded } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import type { Call, Clock, GrantFiles, GrantMount, GrantRequest } from '../../../protocols/ports.ts';
import { planOf, type PlannedFile, type Unseal } from './unseal.ts';

/** Outside every data folder, and by the node's tag, so that nodes of one machine do not meet. */
export const grantsFolder = (tag: string): string => `/run/hivemind/grants-${tag}`;

export interface TmpfsGrantsOptions {
  /** Absolute, outside the data folder: `/run/hivemind/grants-<tag>`. */
  readonly folder: string;
  readonly clock: Clock;
  readonly unseal: Unseal;
}

/** Which value each file holds, beside them: names and versions alone. */
const marksFile = 'marks';
type Marks = Readonly<Record<string, string>>;

export function createTmpfsGrants({ folder, clock, unseal }: TmpfsGrantsOptions): GrantFiles {
  const folderOf = (id: string): string => {
    if (/^[A-Za-z0-9][A-Za-z0-9.-]*$/.test(id) && id.length <= limits.containerIdChars)
      return join(folder, id);
    throw coded('HM-SECRET-TMPFS', `${JSON.stringify(id)} cannot be the name of a folder`);
  };
  const remove = async (id: string, call: Call): Promise<void> => {
    await onTmpfs(() => dismiss(folderOf(id), call));
  };
  return {
    place: async (args, call) => {
      const plan = await planOf(args, unseal, call);
      const own = folderOf(args.id);
      return onTmpfs(async () => {
        await dismiss(own, call);
        await mountAt(own, bytesFor(args), call);
        for (const file of plan.files) await writeNew(own, file);
        await keepMarks(own, marksOf(plan.files));
        return {
          mounts: plan.mounts.map(({ path, target }): GrantMount => {
            return { type: 'bind', source: join(own, path), target, readOnly: true };
          }),
        };
      });
    },
    renew: async (args, call) => {
      const own = folderOf(args.id);
      const before = await readMarks(own);
      if (!before) return { changed: false };
      const plan = await planOf(args, unseal, call);
      const changed = plan.files.filter(({ path, mark }) => before[path] !== mark);
      await onTmpfs(async () => {
        // A file that is mounted by itself is its inode: it is overwritten, in one write. In a folder it is replaced.
        for (const file of changed)
          await (file.path.startsWith('single/') ? overwrite(own, file) : writeNew(own, file));
        if (changed.length > 0) await keepMarks(own, { ...before, ...marksOf(plan.files) });
      });
      return { changed: changed.length > 0 };
    },
    remove: async ({ id }, call) => {
      await remove(id, call);
      return {};
    },
    sweep: async ({ keep }, call) => {
      for (const id of await readdir(folder).catch(() => [])) {
        if (keep.includes(id)) continue;
        const made = await stat(join(folder, id)).catch(() => undefined);
        if (made && made.ctimeMs < clock.now() - limits.grantOrphanMs) await remove(id, call);
      }
      return {};
    },
  };
}

/** Everything of a node, whoever still has it open: for the purge. */
export async function removeAllGrants(folder: string, call: Call): Promise<void> {
  for (const id of await readdir(folder).catch(() => [])) await dismiss(join(folder, id), call);
  await rmdir(folder).catch(() => undefined);
  // Its folder stays when another node has something in it.
  if (basename(dirname(folder)) === 'hivemind') await rmdir(dirname(folder)).catch(() => undefined);
}

const bytesFor = ({ files }: GrantRequest): number => (2 * files.length + 4) * limits.secretBytes;

async function onTmpfs<Value>(work: () => Promise<Value>): Promise<Value> {
  try {
    return await work();
  } catch (thrown) {
    if (thrown instanceof CodedError) throw thrown;
    const { code = 'unknown', syscall = '' } = thrown as NodeJS.ErrnoException;
    throw coded('HM-SECRET-TMPFS', `files in memory: ${syscall} ${code}`, { error: code });
  }
}

async function isMounted(path: string): Promise<boolean> {
  const mounts = await readFile('/proc/self/mountinfo', 'utf8');
  return mounts.split('\n').some((line) => line.split(' ')[4] === path);
}

/** Without swap where the kernel can (6.4 and later): what is in memory stays there. */
async function mountAt(path: string, sizeBytes: number, call: Call): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const options = `mode=0700,nosuid,nodev,noexec,size=${sizeBytes}`;
  const mount = (more: string) =>
    command(['mount', '-t', 'tmpfs', '-o', `${options}${more}`, 'hivemind', path], call);
  const failed = (await mount(',noswap')) === undefined ? undefined : await mount('');
  if (failed !== undefined)
    throw coded('HM-SECRET-TMPFS', `no tmpfs can be mounted at ${path}: ${failed}`, { path });
}

async function dismiss(path: string, call: Call): Promise<void> {
  // Lazily: a container that is ending may still look at it, and it must go all the same.
  while (await isMounted(path)) {
    const failed = await command(['umount', '-l', path], call);
    if (failed !== undefined)
      throw coded('HM-SECRET-TMPFS', `${path} cannot be unmounted: ${failed}`, { path });
  }
  await rmdir(path).catch((thrown: NodeJS.ErrnoException) => {
    if (thrown.code !== 'ENOENT') throw thrown;
  });
}

/** What it said when it failed. Its arguments are paths and options. */
function command([program = '', ...args]: readonly string[], { signal }: Call): Promise<string | undefined> {
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' };
  return new Promise((resolve) => {
    execFile(program, args, { env, timeout: limits.mountMs, signal }, (error, _stdout, stderr) =>
      resolve(error ? stderr.trim().slice(0, 300) || error.message : undefined),
    );
  });
}

async function writeNew(own: string, file: PlannedFile): Promise<void> {
  const path = join(own, file.path);
  await makeFolders(own, dirname(file.path));
  const next = join(own, 'next');
  await writeFile(next, file.content, { mode: 0o600, flag: 'w' });
  await chown(next, file.uid, file.gid);
  await chmod(next, file.mode);
  await rename(next, path);
}

/** Readable by everybody inside: each file says itself who may read it. The tmpfs around them is root's alone. */
async function makeFolders(own: string, relative: string): Promise<void> {
  let path = own;
  for (const part of relative.split('/')) {
    path = join(path, part);
    await mkdir(path).catch((thrown: NodeJS.ErrnoException) => {
      if (thrown.code !== 'EEXIST') throw thrown;
    });
    await chmod(path, 0o755);
  }
}

async function overwrite(own: string, file: PlannedFile): Promise<void> {
  const handle = await open(join(own, file.path), 'r+');
  try {
    if (file.content.length > 0) await handle.write(file.content, 0, file.content.length, 0);
    await handle.truncate(file.content.length);
  } finally {
    await handle.close();
  }
}

const marksOf = (files: readonly PlannedFile[]): Marks =>
  Object.fromEntries(files.map(({ path, mark }) => [path, mark]));

async function keepMarks(own: string, marks: Marks): Promise<void> {
  const next = join(own, `${marksFile}.next`);
  await writeFile(next, JSON.stringify(marks), { mode: 0o600 });
  await rename(next, join(own, marksFile));
}

async function readMarks(own: string): Promise<Marks | undefined> {
  try {
    return JSON.parse(await readFile(join(own, marksFile), 'utf8')) as Marks;
  } catch {
    return undefined;
  }
}
