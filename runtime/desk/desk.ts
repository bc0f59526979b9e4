/**
 * A cluster of several nodes on one machine, and what can go wrong with it. Each function is one command and ends with
 * its work done: nothing stays behind but the nodes themselves, which outlive whoever called. `npm run cluster` and the
 * end-to-end tests use the same functions.
 */
import { constants, existsSync } from 'node:fs';
import { access, rm } from 'node:fs/promises';
import { coded } from '../../protocols/errors.ts';
import { limits } from '../../protocols/limits.ts';
import type { Environment } from '../config/environment.ts';
import { ensureContainerd } from '../drivers/container/containerd/bootstrap.ts';
import { lockDataFolder } from '../drivers/store/embedded/data-lock.ts';
import { realClock } from '../world/real-clock.ts';
import { waitFor } from './commands.ts';
import { addContexts, assertNamesFree } from './contexts.ts';
import { cutLinks, healAll } from './faults.ts';
import { mostNodes, nodesNamed, nodesOf, type DeskName, type DeskNode } from './names.ts';
import { freeSecond, hostLinksOf, makeNetwork, moveNode, namespacesOf } from './network.ts';
import { startNode } from './nodes.ts';
import { daemonOf, processesOf, signalAll } from './processes.ts';
import { addressOf, readRecord, requireRecord, writeRecord, type DeskRecord } from './record.ts';
import { takeDown } from './take-down.ts';

export interface UpOptions {
  readonly count: number;
  readonly runtime: 'containerd' | 'process';
  readonly environment: Environment;
  /** Where a containerd of the machine would listen. */
  readonly containerdAddress?: string;
  /** For every daemon. */
  readonly flags?: readonly string[];
  readonly progress: (line: string) => void;
}

/** How many daemons start at a time, after the first: each takes a processor for a second. */
const startsAtOnce = 2;
const searchPath = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/**
 * Makes everything and resolves when every node is ready; whatever fails is taken down again. HM-DESK-STATE when one is
 * up or the rest of one is there, HM-DESK-MACHINE for what the machine lacks, HM-DESK-NODE for a node that does not start.
 */
export async function bringUp(desk: DeskName, options: UpOptions): Promise<void> {
  const { count, environment, progress } = options;
  if (!Number.isSafeInteger(count) || count < 1 || count > mostNodes)
    throw coded('HM-DESK-NODE', `A desk has 1 to ${mostNodes} nodes, not ${count}`, {});
  await assertMachine();
  await alone(desk, async () => {
    await assertNothing(desk);
    const nodes = nodesOf(desk, count);
    const before = (await assertNamesFree(environment, desk, nodes)).current;
    const record: DeskRecord = {
      count,
      second: await freeSecond(desk),
      runtime: options.runtime,
      ...(before === undefined ? {} : { contextBefore: before }),
    };
    await writeRecord(desk, record);
    try {
      await make(desk, record, nodes, options);
    } catch (thrown) {
      progress('taking down what was made so far');
      await takeDown(desk, environment, () => undefined);
      throw thrown;
    }
  });
}

async function make(
  desk: DeskName,
  written: DeskRecord,
  nodes: readonly DeskNode[],
  options: UpOptions,
): Promise<void> {
  const { progress } = options;
  let record = written;
  if (record.runtime === 'containerd') {
    const address = options.containerdAddress ?? '/run/containerd/containerd.sock';
    const place = await ensureContainerd({ address, dataDir: desk.folder, clock: realClock });
    record = { ...record, containerd: place.address };
    await writeRecord(desk, record);
    progress(`containerd: ${place.own ? 'one of the desk’s own' : 'the machine’s'}`);
  }
  await makeNetwork(desk, nodes, record.second);
  await healAll(desk);
  const [first, ...rest] = nodes;
  await startNode(desk, record, first!, options.flags);
  progress(`${first!.name} is ready`);
  const waiting = [...rest];
  const starter = async (): Promise<void> => {
    for (let node = waiting.shift(); node; node = waiting.shift()) {
      await startNode(desk, record, node, options.flags);
      progress(`${node.name} is ready`);
    }
  };
  await Promise.all(Array.from({ length: startsAtOnce }, starter));
  await addContexts(options.environment, desk, nodes);
}

/** Removes everything, also after a command that was killed in the middle; answers whether there was anything. */
export async function bringDown(
  desk: DeskName,
  environment: Environment,
  progress: (line: string) => void,
): Promise<boolean> {
  await assertMachine();
  const isThere = existsSync(desk.folder) || (await hasRest(desk));
  if (isThere) await alone(desk, () => takeDown(desk, environment, progress));
  return isThere;
}

/** Packets of `from` reach `to` no more, and the other way round unless it is one way. Names are as `n1,n2`. */
export async function cut(desk: DeskName, from: string, to: string, oneWay: boolean): Promise<void> {
  const nodes = await nodesUp(desk);
  const [one, other] = [nodesNamed(nodes, from), nodesNamed(nodes, to)];
  const both = one.find((node) => other.includes(node));
  if (both) throw coded('HM-DESK-NODE', `${both.name} stands on both sides of the cut`, {});
  await cutLinks(desk, one, other);
  if (!oneWay) await cutLinks(desk, other, one);
}

/** kill −9 of the daemon alone: its containers run on. HM-DESK-NODE when it does not run. */
export async function crash(desk: DeskName, names: string): Promise<void> {
  for (const node of await running(desk, names)) await signalAll(node, 'SIGKILL', ['daemon']);
}

/** As a machine that loses its power: everything of the node at once. */
export async function kill(desk: DeskName, names: string): Promise<void> {
  const all = ['daemon', 'other', 'shim', 'container'] as const;
  for (const node of await running(desk, names)) await signalAll(node, 'SIGKILL', all);
}

/** SIGSTOP: the node's processes stand still, with everything they hold. */
export async function freeze(desk: DeskName, names: string): Promise<void> {
  for (const node of await running(desk, names))
    await signalAll(node, 'SIGSTOP', ['daemon', 'other', 'container']);
}

export async function thaw(desk: DeskName, names: string): Promise<void> {
  for (const node of nodesNamed(await nodesUp(desk), names)) await thawed(node);
}

/** Starts nodes that do not run. `flags` are added to the daemon's. */
export async function start(desk: DeskName, names: string, flags: readonly string[] = []): Promise<void> {
  const record = await requireRecord(desk);
  for (const node of nodesNamed(nodesOf(desk, record.count), names))
    await startNode(desk, record, node, flags);
}

/** Gently, as a service of the machine would: containers run on. */
export async function stop(desk: DeskName, names: string): Promise<void> {
  for (const node of await running(desk, names)) await signalAll(node, 'SIGTERM', ['daemon']);
}

/** Another address for a node: its daemon is stopped and started there. */
export async function move(desk: DeskName, name: string): Promise<void> {
  const before = await requireRecord(desk);
  const nodes = nodesOf(desk, before.count);
  const [node] = nodesNamed(nodes, name);
  await signalAll(node!, 'SIGTERM', ['daemon']);
  const moves = { ...before.moves, [node!.name]: (before.moves?.[node!.name] ?? 0) + 1 };
  const record = { ...before, moves };
  await writeRecord(desk, record);
  await moveNode(nodes, node!, record.second, addressOf(record, node!));
  await startNode(desk, record, node!);
}

/** The disk of a node is gone, with all that it knew. HM-DESK-NODE while it runs. */
export async function wipe(desk: DeskName, names: string): Promise<void> {
  const record = await requireRecord(desk);
  for (const node of nodesNamed(nodesOf(desk, record.count), names)) {
    if ((await processesOf(node)).length > 0)
      throw coded(
        'HM-DESK-NODE',
        `${node.name} runs`,
        {},
        `npm run cluster -- kill ${node.name}, then again`,
      );
    await rm(node.dataDir, { recursive: true, force: true });
  }
}

/** No fault is left: links whole, nobody frozen, every node running. Answers the names of those it started. */
export async function heal(desk: DeskName): Promise<readonly string[]> {
  const record = await requireRecord(desk);
  const started: string[] = [];
  await healAll(desk);
  for (const node of nodesOf(desk, record.count)) {
    await thawed(node);
    if (await daemonOf(node)) continue;
    await startNode(desk, record, node);
    started.push(node.name);
  }
  return started;
}

export async function nodesUp(desk: DeskName): Promise<readonly DeskNode[]> {
  return nodesOf(desk, (await requireRecord(desk)).count);
}

async function thawed(node: DeskNode): Promise<void> {
  await signalAll(node, 'SIGCONT', ['container', 'other', 'daemon']);
}

async function running(desk: DeskName, names: string): Promise<readonly DeskNode[]> {
  const nodes = nodesNamed(await nodesUp(desk), names);
  for (const node of nodes)
    if ((await processesOf(node)).length === 0)
      throw coded('HM-DESK-NODE', `${node.name} does not run`, {}, `npm run cluster -- start ${node.name}`);
  return nodes;
}

async function assertMachine(): Promise<void> {
  if (process.getuid?.() !== 0)
    throw coded('HM-DESK-MACHINE', 'Network namespaces need root', {}, 'sudo npm run cluster -- …');
  for (const [program, from] of [
    ['ip', 'iproute2'],
    ['nft', 'nftables'],
    ['nsenter', 'util-linux'],
  ] as const) {
    const found = await Promise.all(
      searchPath.map((folder) =>
        access(`${folder}/${program}`, constants.X_OK).then(
          () => true,
          () => false,
        ),
      ),
    );
    if (!found.includes(true))
      throw coded('HM-DESK-MACHINE', `${program} is not installed`, {}, `apt-get install ${from}`);
  }
}

async function hasRest(desk: DeskName): Promise<boolean> {
  return (await namespacesOf(desk)).length > 0 || (await hostLinksOf(desk)).length > 0;
}

async function assertNothing(desk: DeskName): Promise<void> {
  const record = await readRecord(desk);
  const isUp = record && (await Promise.all(nodesOf(desk, record.count).map(daemonOf))).some(Boolean);
  if (isUp) {
    const message = `A desk of ${record.count} nodes is up`;
    throw coded('HM-DESK-STATE', message, { nodes: record.count }, 'npm run cluster -- down, then again');
  }
  if (record !== undefined || (await hasRest(desk)))
    throw coded('HM-DESK-STATE', 'The rest of a desk is there', {}, 'npm run cluster -- down, then again');
}

/** One command at a time makes or removes a desk; the lock ends with its process, whatever ends that. */
async function alone(desk: DeskName, work: () => Promise<void>): Promise<void> {
  const lock = await waitFor(limits.killMs, () => lockDataFolder(desk.folder).catch(() => undefined));
  if (!lock) throw coded('HM-DESK-STATE', 'Another command is making or removing this desk', {});
  try {
    await work();
  } finally {
    await lock.release();
  }
}
