/**
 * The processes of a desk's node, found on the machine itself: a note of a number could be an old one. A node's are those
 * in its network namespace, those in its containers' cgroups, and the shims between containers and containerd.
 */
import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { waitFor } from './commands.ts';
import type { DeskNode } from './names.ts';
import { namespaceId } from './network.ts';

export interface NodeProcess {
  readonly pid: number;
  /** A shim belongs to the machine's containerd, which would hang on a frozen one. */
  readonly kind: 'daemon' | 'container' | 'shim' | 'other';
  readonly state: string;
  readonly rssBytes: number;
}

const pageBytes = 4_096;
const goneWithinMs = 10_000;

/** Ended ones that nobody has asked after are left out. */
export async function processesOf(node: DeskNode): Promise<readonly NodeProcess[]> {
  const namespace = await namespaceId(node.namespace);
  const pids = (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry));
  const found = await Promise.all(pids.map((pid) => processIn(node, namespace, Number(pid))));
  return found.filter((one) => one !== undefined);
}

/** The daemon alone, if it runs. */
export async function daemonOf(node: DeskNode): Promise<NodeProcess | undefined> {
  return (await processesOf(node)).find(({ kind }) => kind === 'daemon');
}

/** Sends a signal to all of these kinds until none is left that has not taken it. */
export async function signalAll(
  node: DeskNode,
  signal: 'SIGKILL' | 'SIGTERM' | 'SIGSTOP' | 'SIGCONT',
  kinds: readonly NodeProcess['kind'][],
): Promise<void> {
  const isDone = ({ state }: NodeProcess): boolean =>
    (signal === 'SIGSTOP' && state === 'T') || (signal === 'SIGCONT' && state !== 'T');
  const told = new Set<number>();
  await waitFor(goneWithinMs, async () => {
    const open = (await processesOf(node)).filter((one) => kinds.includes(one.kind) && !isDone(one));
    for (const { pid } of open) {
      // A second one would mean: at once.
      if (signal !== 'SIGTERM' || !told.has(pid)) send(pid, signal);
      told.add(pid);
    }
    return open.length === 0;
  });
}

async function processIn(
  node: DeskNode,
  namespace: string | undefined,
  pid: number,
): Promise<NodeProcess | undefined> {
  const read = (name: string): Promise<string> => readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '');
  const [stat, command, cgroup, net] = await Promise.all([
    read('stat'),
    read('cmdline'),
    read('cgroup'),
    readlink(`/proc/${pid}/ns/net`).catch(() => ''),
  ]);
  const kind = kindOf(node, command.split('\0'), cgroup, namespace !== undefined && net === namespace);
  // The program's name stands in brackets and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const state = fields[0] ?? '';
  if (kind === undefined || stat === '' || /[ZX]/.test(state)) return undefined;
  return { pid, kind, state, rssBytes: Number(fields[21]) * pageBytes };
}

function kindOf(
  node: DeskNode,
  words: readonly string[],
  cgroup: string,
  isInNetwork: boolean,
): NodeProcess['kind'] | undefined {
  const after = (flag: string): string | undefined => words[words.indexOf(flag) + 1];
  if (/(?:^|\/)containerd-shim/.test(words[0]!))
    return after('-namespace') === node.containerdNamespace ? 'shim' : undefined;
  if (cgroup.split('\n').some((line) => line.split(':').at(-1)!.startsWith(`${node.cgroup}/`)))
    return 'container';
  // Also while `nsenter` has not become it yet.
  const isDaemon = words.includes('--data-dir') && after('--data-dir') === node.dataDir;
  if (isDaemon && words.some((word) => word.endsWith('hivemind-node.js'))) return 'daemon';
  return isInNetwork || words.some((word) => word.startsWith(join(node.dataDir, '/'))) ? 'other' : undefined;
}

/** One that has ended meanwhile is no error. */
function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ESRCH') throw thrown;
  }
}
