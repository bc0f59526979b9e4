/**
 * Processes of the machine as the process runtime must know them: by number and start, so that a number that is used
 * again is never taken for the one before, and by the mark that all processes of a run carry in their environment.
 */
import { readdir, readFile } from 'node:fs/promises';

export interface Identity {
  readonly pid: number;
  /** The kernel's ticks since the machine started. */
  readonly start: number;
}

export interface Seen extends Identity {
  readonly state: string;
  readonly parent: number;
  readonly session: number;
}

/** In the environment of every process of a run: its folder. The id alone is another's too where two nodes share a machine. */
export const markName = 'HIVEMIND_RUN_FOLDER';

/** A line of /proc/PID/stat; the name in brackets may hold anything. */
export function parseStat(line: string | undefined): Seen | undefined {
  if (line === undefined) return undefined;
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  const number = (position: number) => Number(fields[position - 3]);
  const seen = {
    pid: Number.parseInt(line, 10),
    start: number(22),
    state: fields[0] ?? '',
    parent: number(4),
    session: number(6),
  };
  return seen.pid > 0 && seen.start >= 0 ? seen : undefined;
}

export async function look(pid: number): Promise<Seen | undefined> {
  return parseStat(await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined));
}

/** The very process, and not one that only waits to be reaped. */
export async function find({ pid, start }: Identity): Promise<Seen | undefined> {
  const seen = await look(pid);
  return seen?.start === start && !isDead(seen) ? seen : undefined;
}

const isDead = ({ state }: Seen): boolean => state === 'Z' || state === 'X';

export async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}

interface Marked extends Seen {
  readonly mark: string | undefined;
}

/** One look at all processes of the machine. */
export class ProcessScan {
  readonly #all: readonly Marked[];

  private constructor(all: readonly Marked[]) {
    this.#all = all;
  }

  static async take(): Promise<ProcessScan> {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
    const seen = await Promise.all(
      pids.map(async (pid) => {
        const stat = await look(pid);
        if (!stat || isDead(stat)) return undefined;
        // Those of other users cannot be read: they are none of ours, or below one of ours.
        const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
        const mark = environment.split('\0').find((pair) => pair.startsWith(`${markName}=`));
        return { ...stat, mark: mark?.slice(markName.length + 1) };
      }),
    );
    return new ProcessScan(seen.filter((one) => one !== undefined));
  }

  /** Marked so, in the session of the first one, or below it; without the waiting parent. `first` must live, or be left out. */
  of(mark: string, parent?: Identity, first?: Identity): readonly Seen[] {
    const inside = new Set(first ? [first.pid] : []);
    // Parents have lower places only by habit: until nothing is added any more.
    for (let before = -1; before !== inside.size;) {
      before = inside.size;
      for (const one of this.#all)
        if (one.mark === mark || (first && one.session === first.pid) || inside.has(one.parent))
          if (one.pid !== parent?.pid) inside.add(one.pid);
    }
    return this.#all.filter(({ pid }) => inside.has(pid));
  }
}

/** Nothing happens to one that is gone, or whose number is another's now. */
export async function send(to: Identity, signal: number | NodeJS.Signals): Promise<void> {
  if (!(await find(to))) return;
  try {
    process.kill(to.pid, signal);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ESRCH') throw thrown;
  }
}
