/**
 * Commands beside runs, written down while they run: an empty file each, named after the daemon and the command. Those
 * of a daemon that was killed are ended by the next one, as nobody waits for them any more.
 */
import type { ChildProcess } from 'node:child_process';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bootId, find, look, type Identity } from '../process-files.ts';

/** Until it ends. */
export async function noteBeside(folder: string, child: ChildProcess): Promise<void> {
  const [boot, daemon, command] = await Promise.all([bootId(), look(process.pid), look(child.pid ?? 0)]);
  if (!daemon || !command) return;
  const file = join(folder, [boot, daemon.pid, daemon.start, command.pid, command.start].join('.'));
  const forget = (): void => void rm(file, { force: true }).catch(() => undefined);
  child.once('exit', forget);
  await writeFile(file, '', { mode: 0o600 });
  if (child.exitCode !== null || child.signalCode !== null) forget();
}

/** Each with its group, as when somebody closes its session. What it has put elsewhere stays. */
export async function endOrphans(folder: string): Promise<void> {
  const boot = await bootId();
  for (const name of await readdir(folder)) {
    const [of = '', ...numbers] = name.split('.');
    const [daemonPid = 0, daemonStart = 0, pid = 0, start = 0] = numbers.map(Number);
    const daemon: Identity = { pid: daemonPid, start: daemonStart };
    if (of === boot && (await find(daemon))) continue;
    if (of === boot && (await find({ pid, start }))) endGroup(pid);
    await rm(join(folder, name), { force: true });
  }
}

export function endGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}
