/**
 * The composition root: a world and settings become a running node. The same function makes the real daemon and
 * the simulated one; nothing here knows which it is.
 */
import { isLiving } from '../protocols/membership/model.ts';
import { holderOf } from '../protocols/membership/views/names.ts';
import type { Frame } from '../protocols/inspection.ts';
import { limits } from '../protocols/limits.ts';
import { longestAwayMs } from '../protocols/membership/claims/codec.ts';
import type { NetworkSettings } from '../protocols/network/manager.ts';
import type { Clock, Ports } from '../protocols/ports.ts';
import type { ExitReason } from '../protocols/supervision/child-spec.ts';
import { nodeTree } from '../supervisors/trees/node.tree.ts';
import { createRecordSeals } from '../transport/secure/record-seals.ts';
import { countBoot } from './boots.ts';
import type { ClusterHandle } from './cluster/handle.ts';
import { askLeader } from './cluster/leading.ts';
import { createKernel, type Kernel } from './kernel/kernel.ts';
import type { RemoteOptions } from './kernel/remote/remote.ts';
import { machines } from './machines.ts';
import type { NodeHandle } from './node-handle.ts';
import { openRecordDoor } from './observed/record-door.ts';
import { recordPorts } from './observed/record-ports.ts';
import { createEventLog, lostBoots } from './telemetry/events/event-log.ts';
import type { NodeSettings, OpenedWorld, World } from './world/world.ts';

export interface StartOptions {
  /** Every frame from the first one on: the simulation's checkers and its trace hash. */
  readonly onFrame?: (frame: Frame) => void;
}

/** A node as its owner holds it: the handle, and the two ends that only an owner may bring about. */
export interface RunningNode extends NodeHandle {
  readonly kernel: Kernel;
  /** As if the process had been killed; containers stay, nothing is cleaned up. */
  halt(): void;
  /** The root's end: kind `error` when it escalated. */
  readonly exited: Promise<ExitReason>;
}

/** Rejects with the world's own refusals (HM-DATA-LOCKED, HM-STORE-CORRUPT, …); then nothing was started. */
export async function startNode(
  world: World,
  settings: NodeSettings,
  options: StartOptions = {},
): Promise<RunningNode> {
  const opened = await world.open(settings);
  try {
    const boot = opened.boot ?? (await countBoot(opened.ports.journal));
    return run(world, settings, opened, boot, options);
  } catch (thrown) {
    await opened.close();
    throw thrown;
  }
}

function run(
  world: World,
  settings: NodeSettings,
  opened: OpenedWorld,
  boot: number,
  options: StartOptions,
): RunningNode {
  const { clock, random } = world;
  const events = createEventLog(clock, { boot, ...(opened.events ? { store: opened.events } : {}) });
  const kernel = createKernel({
    node: settings.name,
    boot,
    clock,
    random,
    ports: clusterPorts(opened, clock),
    machines,
    emit: (event) => events.append(event),
    ...(options.onFrame ? { onFrame: options.onFrame } : {}),
    ...(opened.cluster ? { remote: remoteOf(opened.cluster) } : {}),
  });
  tellStart(events, settings, opened, boot);
  const network = networkOf(settings);
  opened.cluster?.care?.onEvent((event) => void events.append(event));
  const role = opened.cluster?.self.role ?? settings.role ?? 'server';
  // After what the node itself began with: members were met while its world was opened.
  opened.cluster?.membership.onEvent((event) => void events.append(event));
  const startedAt = clock.now();
  const { cluster } = opened;
  const observed = cluster && {
    id: cluster.self.id,
    words: {
      ...{ role, version: settings.version, startedAt },
      ...(settings.apiAddress === undefined ? {} : { apiAddress: settings.apiAddress }),
    },
  };
  kernel.start(nodeTree({ node: settings.name, role, network, ...(observed ? { observed } : {}) }));
  const shut = cluster ? openRecordDoor(kernel, cluster) : () => {};
  return {
    name: settings.name,
    boot,
    version: settings.version,
    startedAt,
    clock,
    random,
    ports: opened.ports,
    actors: kernel.directory,
    events,
    note: (event) => void events.append(event),
    logs: opened.logs,
    kernel,
    exited: kernel.exited,
    ...(opened.cluster ? { cluster: opened.cluster } : {}),
    ask: (path, message, timeoutMs = limits.askTimeoutMs) =>
      path.startsWith('/leader/')
        ? askLeader(kernel, opened.cluster, path, message, timeoutMs)
        : kernel.ask(path, message, timeoutMs),
    doctor: ({ mend = false } = {}) => opened.doctor({ mend }),
    machine: () => opened.machine(),
    halt: () => {
      shut();
      kernel.halt();
    },
    stop: async () => {
      await sayAway(opened);
      shut();
      await kernel.stop();
      await opened.close();
    },
  };
}

/** What opening had to mend, what the last boot did not say, and that this one begins. */
function tellStart(
  events: ReturnType<typeof createEventLog>,
  { name: subject }: NodeSettings,
  opened: OpenedWorld,
  boot: number,
): void {
  const lost = opened.events ? lostBoots(opened.events.kept, boot) : [];
  for (const because of [...opened.recovered, ...lost]) {
    const { message } = because;
    events.append({ type: 'node.recovered', subject, level: 'warning', message, reason: because });
  }
  events.append({ type: 'node.started', subject, level: 'info', message: `boot ${boot}` });
}

function networkOf(settings: NodeSettings): NetworkSettings {
  const { bridge, networkTag: tag, containerPool: pool, mtu, dnsAddress, dnsPort, upstreams } = settings;
  const named = dnsAddress === undefined ? {} : { dnsAddress };
  return { bridge, tag, pool, mtu, dnsPort, upstreams, ...named };
}

/** Other nodes by their names: those that are not known to be gone. */
function remoteOf({ calls, membership }: ClusterHandle): RemoteOptions {
  const others = () => membership.members().filter((member) => !member.self && isLiving(member));
  return {
    calls,
    resolve: (node) => holderOf(node, others()),
  };
}

/** What only who has others needs. */
function clusterPorts(opened: OpenedWorld, clock: Clock): Ports {
  const { ports, cluster } = opened;
  if (!cluster) return ports;
  const { calls, membership, notary, care } = cluster;
  const seals = createRecordSeals(
    notary,
    () => clock.now(),
    () => care?.certificate().until,
  );
  return { ...ports, ...recordPorts({ calls, membership, seals, machine: () => opened.machine() }) };
}

/** The others hold its containers for running and wait, as long as an upgrade takes. Unsaid, they would look for it. */
async function sayAway({ cluster }: OpenedWorld): Promise<void> {
  try {
    await cluster?.membership.away(longestAwayMs);
  } catch {
    // Nobody is there to say it: the subtree is down.
  }
}
