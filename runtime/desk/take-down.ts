/**
 * Taking a desk down: everything that it or a killed command of it made on the machine, in the order in which one thing
 * holds the other. A step that fails is told and the rest goes on; what is left in the end is an error.
 */
import { existsSync } from 'node:fs';
import { readdir, readFile, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { coded, reasonOf } from '../../protocols/errors.ts';
import type { Call } from '../../protocols/ports.ts';
import type { Environment } from '../config/environment.ts';
import { ensureContainerd, stopOwnContainerd } from '../drivers/container/containerd/bootstrap.ts';
import { grantsFolder, removeAllGrants } from '../drivers/grants/tmpfs-grants.ts';
import { emptyContainerd, networkTag, removeProcesses } from '../purge.ts';
import { processFolder } from '../world/process-world.ts';
import { realClock } from '../world/real-clock.ts';
import { runcRoot } from '../drivers/container/containerd/containers/leftovers.ts';
import { must } from './commands.ts';
import { removeContexts } from './contexts.ts';
import { removeFaults } from './faults.ts';
import { nodeOf, type DeskName, type DeskNode } from './names.ts';
import { namespacesOf, removeNetwork } from './network.ts';
import { signalAll } from './processes.ts';
import { readRecord } from './record.ts';

const call = (): Call => ({ key: 'desk', signal: AbortSignal.timeout(60_000) });
const hierarchies = '/sys/fs/cgroup';

/** HM-DESK-MACHINE names what could not be removed; the next `down` tries again. */
export async function takeDown(
  desk: DeskName,
  environment: Environment,
  progress: (line: string) => void,
): Promise<void> {
  const record = await readRecord(desk).catch(() => undefined);
  const nodes = await nodesLeft(desk, record?.count ?? 0);
  const failed: string[] = [];
  const step = async (what: string, work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
      progress(`✓ ${what}`);
    } catch (thrown) {
      failed.push(what);
      progress(`! ${what}: ${reasonOf(thrown).message}`);
    }
  };
  await step('daemons', async () => {
    for (const node of nodes) await signalAll(node, 'SIGKILL', ['daemon', 'other']);
  });
  await step('containers', () => removeContainers(desk, nodes, record?.containerd));
  await step('network', async () => {
    await removeFaults(desk);
    await removeNetwork(desk);
  });
  await step('contexts of the CLI', () => removeContexts(environment, desk, record?.contextBefore));
  if (failed.length === 0) await step('files', () => removeFiles(desk, nodes));
  if (failed.length === 0) return;
  throw coded('HM-DESK-MACHINE', `Not everything of the desk could be removed: ${failed.join(', ')}`, {});
}

/** By the record, by what runs in namespaces of the desk, and by folders. */
async function nodesLeft(desk: DeskName, count: number): Promise<readonly DeskNode[]> {
  const numbers = new Set(Array.from({ length: count }, (_, index) => index + 1));
  for (const namespace of await namespacesOf(desk)) numbers.add(Number(namespace.split('-').at(-1)));
  for (const entry of await readdir(desk.folder).catch(() => [])) {
    const number = Number(entry.slice(desk.prefix.length));
    if (entry.startsWith(desk.prefix) && Number.isSafeInteger(number)) numbers.add(number);
  }
  return [...numbers].sort((a, b) => a - b).map((number) => nodeOf(desk, number));
}

async function removeContainers(
  desk: DeskName,
  nodes: readonly DeskNode[],
  address: string | undefined,
): Promise<void> {
  for (const { dataDir } of nodes) if (existsSync(processFolder(dataDir))) await removeProcesses(dataDir);
  if (existsSync(join(desk.folder, 'containerd.choice'))) {
    const own = { address: address ?? '/run/containerd/containerd.sock', dataDir: desk.folder };
    const place = await ensureContainerd({ ...own, clock: realClock });
    for (const node of nodes) {
      // What a frozen node held stands still: thawed, so that it can end.
      await signalAll(node, 'SIGCONT', ['container']);
      await emptyContainerd(node, place);
    }
  }
  // Found by its settings' path: also where somebody removed the folder.
  await stopOwnContainerd({ dataDir: desk.folder, clock: realClock });
  for (const node of nodes) {
    await signalAll(node, 'SIGKILL', ['container', 'shim', 'other']);
    await removeAllGrants(grantsFolder(networkTag(node.name)), call());
    await removeCgroups(node);
    await rm(join(runcRoot, node.containerdNamespace), { recursive: true, force: true });
  }
}

/** In every hierarchy, the innermost first. */
async function removeCgroups({ cgroup }: DeskNode): Promise<void> {
  const remove = async (folder: string): Promise<void> => {
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) if (entry.isDirectory()) await remove(join(folder, entry.name));
    await rmdir(folder).catch(() => undefined);
  };
  await remove(join(hierarchies, cgroup));
  for (const entry of await readdir(hierarchies, { withFileTypes: true }))
    if (entry.isDirectory()) await remove(join(hierarchies, entry.name, cgroup));
}

/** Nothing that is still mounted is ever deleted. */
async function removeFiles(desk: DeskName, nodes: readonly DeskNode[]): Promise<void> {
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8'))
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((path) => path.startsWith(`${desk.folder}/`))
    .reverse();
  for (const path of mounts) await must(`unmounting ${path}`, ['umount', '--lazy', path]);
  for (const { dataDir, socketPath, logPath } of nodes)
    for (const path of [dataDir, socketPath, logPath]) await rm(path, { recursive: true, force: true });
  await rm(desk.folder, { recursive: true, force: true });
}
