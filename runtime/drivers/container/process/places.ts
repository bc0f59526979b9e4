/** Where the process runtime keeps what it knows: below one folder of the node's data, a folder a run. */
import { mkdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContainerExit, RunKey } from '../../../../protocols/containers/model.ts';
import { coded } from '../../../../protocols/errors.ts';
import type { Identity } from '../process-files.ts';
import { parseStat } from '../process-files.ts';

/** What a run was created with, as a restarted daemon needs it. */
export interface RunRecord {
  readonly id: string;
  readonly key: RunKey;
  readonly specHash: string;
  readonly resources: string;
  readonly createdAt: number;
  /** Of the machine's start: process numbers of another one mean nothing. */
  readonly boot: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDir: string;
  /** What stands before every command, to be the user it shall be. */
  readonly prefix: readonly string[];
  readonly stopSignal: string;
  /** It has a cgroup of its own. */
  readonly limited?: true;
}

/** The first process of a run and its waiting parent, as the first one wrote them down itself. */
export interface RunProcesses {
  readonly first: Identity;
  readonly parent: Identity;
}

export class Places {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  get script(): string {
    return join(this.root, 'waiting-parent.sh');
  }
  get runs(): string {
    return join(this.root, 'runs');
  }
  get exits(): string {
    return join(this.root, 'exits');
  }
  get pauses(): string {
    return join(this.root, 'paused');
  }
  get beside(): string {
    return join(this.root, 'beside');
  }

  async prepare(script: string): Promise<void> {
    for (const folder of [this.runs, this.exits, this.pauses, this.beside])
      await mkdir(folder, { recursive: true, mode: 0o700 });
    await writeWhole(this.script, script);
  }

  /** HM-CONTAINER-UNKNOWN for what can be no id: it becomes the name of a folder. */
  folder(id: string): string {
    if (!/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(id)) throw unknownContainer(id);
    return join(this.runs, id);
  }
  exit(id: string): string {
    return join(this.exits, id);
  }
  pause(id: string): string {
    return join(this.pauses, id);
  }
  started(id: string): string {
    return join(this.folder(id), 'started');
  }

  async record(id: string): Promise<RunRecord | undefined> {
    const text = await textOf(join(this.folder(id), 'record.json'));
    return text === undefined ? undefined : (JSON.parse(text) as RunRecord);
  }

  writeRecord(record: RunRecord): Promise<void> {
    return writeWhole(join(this.folder(record.id), 'record.json'), JSON.stringify(record));
  }

  async processes(id: string): Promise<RunProcesses | undefined> {
    const lines = (await textOf(join(this.folder(id), 'process')))?.split('\n');
    const [first, parent] = [parseStat(lines?.[0]), parseStat(lines?.[1])];
    return first && parent ? { first, parent } : undefined;
  }

  async exitOf(id: string): Promise<ContainerExit | undefined> {
    const text = await textOf(this.exit(id));
    if (text === undefined) return undefined;
    const { mtimeMs } = await stat(this.exit(id));
    const [code = 255, oomKills = 0] = text.trim().split(' ').map(Number);
    return { code, at: Math.floor(mtimeMs), oomKilled: oomKills > 0 && code !== 0 };
  }

  async has(path: string): Promise<boolean> {
    return (await textOf(path)) !== undefined;
  }

  /** The record goes last: what is left half removed is still found. */
  async forget(id: string): Promise<void> {
    await rm(this.pause(id), { force: true });
    await rm(this.folder(id), { recursive: true, force: true });
    await rm(this.exit(id), { force: true });
    await rm(`${this.exit(id)}.part`, { force: true });
  }
}

export const unknownContainer = (id: string): Error =>
  coded('HM-CONTAINER-UNKNOWN', `There is no container ${id}.`, { id });

/** All of it or nothing, also when the machine loses power. */
export async function writeWhole(path: string, text: string): Promise<void> {
  const part = `${path}.part`;
  const handle = await open(part, 'w', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(part, path);
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw thrown;
  }
}
