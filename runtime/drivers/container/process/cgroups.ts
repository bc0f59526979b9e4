/**
 * A cgroup a run, below one of this runtime: its limits, who is in it, and what the kernel counted there. Version 1 has
 * a folder in each hierarchy, version 2 one in all. Only root may write there; a node of somebody else has none.
 */
import { accessSync, constants, existsSync } from 'node:fs';
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ResourceSettings } from '../../../../protocols/apps/service-model.ts';
import { cgroupWrites, type CgroupWrite } from '../../../../protocols/containers/oci/cgroup-files.ts';
import { limitsOf, limitsUpdate } from '../../../../protocols/containers/oci/resources.ts';
import type { OciResources } from '../../../../protocols/containers/oci/types.ts';
import { hashText } from '../../../../protocols/hash.ts';

/** Of a file that is there. */
const flag = constants.O_WRONLY | constants.O_TRUNC;
const usualMount = '/sys/fs/cgroup';
/** Without these there are no limits; with the others there is more to count and to pin. */
const needed = ['memory', 'cpu', 'pids'] as const;
const hierarchies = [...needed, 'cpuacct', 'cpuset'] as const;

export interface CgroupUse {
  readonly cpuNs?: number;
  readonly memoryLimitBytes?: number;
}

/** A limit above this is the kernel's way to say "none". */
const noLimit = 2 ** 60;

/** The cgroups that the runtime in this folder writes, or why it cannot. */
export function openCgroups(folder: string, mount = usualMount): Cgroups | { readonly why: string } {
  const version = existsSync(join(mount, 'cgroup.controllers')) ? 2 : 1;
  if (process.getuid?.() !== 0) return { why: 'the node is not root, and root alone may set limits' };
  const roots = version === 2 ? [mount] : needed.map((name) => join(mount, name));
  const lacking = roots.find((root) => !existsSync(root));
  if (lacking) return { why: `this machine has no cgroups at ${lacking}` };
  const closed = roots.find((root) => !isWritable(root));
  if (closed) return { why: `the cgroups of this machine cannot be written: ${closed}` };
  return new Cgroups(mount, version, `hivemind-${hashText(folder).slice(0, 16)}`);
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

export class Cgroups {
  readonly version: 1 | 2;
  readonly #mount: string;
  readonly #parent: string;
  /** Making one and removing the empty parent must not meet. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(mount: string, version: 1 | 2, parent: string) {
    this.#mount = mount;
    this.version = version;
    this.#parent = parent;
  }

  /** Empty and limited; who is to be limited joins it before anything else. */
  make(id: string, settings: ResourceSettings): Promise<void> {
    return this.#inTurn(async () => {
      if (this.version === 2) await this.#delegate();
      for (const root of this.#roots()) {
        await mkdir(join(root, this.#parent, id), { recursive: true });
        if (root.endsWith('/cpuset')) await this.#inheritCpus(root, id);
      }
      await this.#write(id, limitsOf(settings, { ...this.#ground(), blockDevices: {} }));
    });
  }

  /** All of its limits, also those that are no longer there. */
  async update(id: string, settings: ResourceSettings): Promise<void> {
    const file = this.version === 2 ? 'cpuset.cpus.effective' : 'cpuset/cpuset.effective_cpus';
    const cpuset = (await readFile(join(this.#mount, file), 'utf8').catch(() => '')).trim();
    const ground = { ...this.#ground(), blockDevices: {}, cpuset, weighsDisks: false };
    await this.#write(id, limitsUpdate(settings, ground));
  }

  /** Files that a process writes its number to, to be in it with all that it starts. */
  joining(id: string): readonly string[] {
    return this.#roots().map((root) => join(root, this.#parent, id, 'cgroup.procs'));
  }

  /** Has a line `oom_kill N`: how many the kernel killed there for want of memory. */
  oomFile(id: string): string {
    const [folder, name] = this.version === 2 ? ['', 'memory.events'] : ['memory', 'memory.oom_control'];
    return join(this.#mount, folder, this.#parent, id, name);
  }

  async use(id: string): Promise<CgroupUse> {
    const at = (folder: string, name: string): Promise<string> =>
      readFile(join(this.#mount, folder, this.#parent, id, name), 'utf8').catch(() => '');
    const [cpu, limit] =
      this.version === 2
        ? await Promise.all([at('', 'cpu.stat'), at('', 'memory.max')])
        : await Promise.all([at('cpuacct', 'cpuacct.usage'), at('memory', 'memory.limit_in_bytes')]);
    const usec = /^usage_usec (\d+)$/m.exec(cpu)?.[1];
    const cpuNs = usec === undefined ? Number.parseInt(cpu, 10) : Number(usec) * 1_000;
    const memoryLimitBytes = Number.parseInt(limit, 10);
    return {
      ...(cpuNs >= 0 ? { cpuNs } : {}),
      ...(memoryLimitBytes < noLimit ? { memoryLimitBytes } : {}),
    };
  }

  /** Whether nothing of it is left; one that is still in use stays. */
  remove(id: string): Promise<boolean> {
    return this.#inTurn(async () => {
      let gone = true;
      for (const root of this.#roots()) {
        gone = (await removed(join(root, this.#parent, id))) && gone;
        // Its last one takes the parent along.
        if (gone) await removed(join(root, this.#parent));
      }
      return gone;
    });
  }

  #roots(): readonly string[] {
    if (this.version === 2) return [this.#mount];
    return hierarchies.map((name) => join(this.#mount, name)).filter((root) => existsSync(root));
  }

  #ground(): { readonly cgroups: 1 | 2; readonly swapCounted: boolean } {
    const counted = existsSync(join(this.#mount, 'memory/memory.memsw.limit_in_bytes'));
    return { cgroups: this.version, swapCounted: this.version === 2 || counted };
  }

  /** Version 2 gives controllers down a level only when told so. Not every kernel has each. */
  async #delegate(): Promise<void> {
    await mkdir(join(this.#mount, this.#parent), { recursive: true });
    for (const folder of [this.#mount, join(this.#mount, this.#parent)])
      for (const name of [...needed, 'cpuset'])
        await writeFile(join(folder, 'cgroup.subtree_control'), `+${name}`).catch(() => undefined);
  }

  /** Version 1 lets nobody in before it is said which processors and memory there are. */
  async #inheritCpus(root: string, id: string): Promise<void> {
    for (const name of ['cpuset.cpus', 'cpuset.mems']) {
      const all = await readFile(join(root, name), 'utf8');
      for (const path of [this.#parent, join(this.#parent, id)])
        if ((await readFile(join(root, path, name), 'utf8')).trim() === '')
          await writeFile(join(root, path, name), all);
    }
  }

  async #write(id: string, limits: Omit<OciResources, 'devices'>): Promise<void> {
    const writes = cgroupWrites(this.version, limits);
    const first = writes.findIndex(({ file }) => file === 'memory.memsw.limit_in_bytes');
    try {
      for (const one of writes) await this.#writeOne(id, one);
    } catch (thrown) {
      if (first < 0 || (thrown as NodeJS.ErrnoException).code !== 'EINVAL') throw thrown;
      // With swap there is never less than without: who raises both raises this one first.
      await this.#writeOne(id, writes[first]!);
      for (const one of writes) await this.#writeOne(id, one);
    }
  }

  #writeOne(id: string, { controller, file, value }: CgroupWrite): Promise<void> {
    const folder = this.version === 2 ? '' : controller;
    // Never made: a file that is not there is a limit that this kernel does not have.
    return writeFile(join(this.#mount, folder, this.#parent, id, file), value, { flag });
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const next = this.#turn.then(work, work);
    this.#turn = next.catch(() => undefined);
    return next;
  }
}

async function removed(path: string): Promise<boolean> {
  return rmdir(path).then(
    () => true,
    (thrown: NodeJS.ErrnoException) => thrown.code === 'ENOENT',
  );
}
