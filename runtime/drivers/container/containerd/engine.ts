/**
 * What every operation of the driver needs to know about its containerd: the connection, deadlines, and which
 * snapshotter, cgroup version and platform it has. Asked once and remembered: none of it changes while a node runs.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { coded } from '../../../../protocols/errors.ts';
import { limits } from '../../../../protocols/limits.ts';
import type { Call, Clock } from '../../../../protocols/ports.ts';
import { Introspection, type Plugin } from './gen/services/introspection_pb.ts';
import { connectContainerd, type CallLimits, type Connection } from './rpc.ts';

export interface ContainerdRuntimeOptions {
  /** Path of containerd's socket. */
  readonly address: string;
  /** One a node: whatever carries our labels in it is this node's. */
  readonly namespace: string;
  readonly clock: Clock;
  /** Folder for the pipes of execs, of this runtime alone: it is made, and emptied when the runtime starts. */
  readonly ioDir: string;
  /** The cgroup above all containers of the node: `/hivemind-n1`. */
  readonly cgroupParent: string;
  /** containerd's `state` setting; the sweeper looks for bundles of died creates there. Default /run/containerd. */
  readonly stateDir?: string;
  /** Default overlayfs, or native where overlayfs is not usable. */
  readonly snapshotter?: string;
  /** Where the machine's CDI files lie; later folders go before earlier ones. Default /etc/cdi and /var/run/cdi. */
  readonly cdiFolders?: readonly string[];
  /** Deadline of one call, and of making a task. Defaults in `protocols/limits.ts`. */
  readonly callMs?: number;
  readonly createMs?: number;
}

export interface EngineFacts {
  readonly snapshotter: string;
  /** `linux/amd64` */
  readonly platform: string;
  /** containerd's `root` setting, where it tells. */
  readonly rootDir?: string;
}

export interface Engine {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly namespace: string;
  readonly ioDir: string;
  /** Beside it: mounts that live as long as a container. */
  readonly mountsDir: string;
  readonly stateDir: string;
  readonly cdiFolders: readonly string[];
  readonly cgroups: 1 | 2;
  /** Hard limit of open files that a container may get. Absent: it inherits containerd's. */
  readonly openFilesHard?: number;
  cgroupOf(id: string): string;
  readonly cgroupParent: string;
  /** Limits of an ordinary call made for `call`. */
  callLimits(call: Pick<Call, 'signal'>): CallLimits;
  readonly callMs: number;
  readonly createMs: number;
  facts(call: Pick<Call, 'signal'>): Promise<EngineFacts>;
}

/** Opens nothing yet. */
export function openEngine(options: ContainerdRuntimeOptions): Engine {
  const connection = connectContainerd(options);
  const callMs = options.callMs ?? limits.runtimeCallMs;
  const callLimits = (call: Pick<Call, 'signal'>) => ({ timeoutMs: callMs, signal: call.signal });
  const openFilesHard = ownOpenFilesHard();
  let known: EngineFacts | undefined;
  return {
    connection,
    clock: options.clock,
    namespace: options.namespace,
    ioDir: options.ioDir,
    mountsDir: `${options.ioDir}-held`,
    stateDir: options.stateDir ?? '/run/containerd',
    cdiFolders: options.cdiFolders ?? ['/etc/cdi', '/var/run/cdi'],
    cgroups: existsSync('/sys/fs/cgroup/cgroup.controllers') ? 2 : 1,
    ...(openFilesHard === undefined ? {} : { openFilesHard }),
    cgroupOf: (id) => join(options.cgroupParent, id),
    cgroupParent: options.cgroupParent,
    callLimits,
    callMs,
    createMs: options.createMs ?? limits.runtimeCreateMs,
    facts: async (call) => {
      known ??= await readEngineFacts(connection, callLimits(call), options.snapshotter);
      return known;
    },
  };
}

/** `wanted` must be usable if it is named; else overlayfs before native. HM-CONFIG when there is none. */
export async function readEngineFacts(
  connection: Connection,
  callLimits: CallLimits,
  wanted?: string,
): Promise<EngineFacts> {
  const { plugins } = await connection.unary(Introspection.method.plugins, {}, callLimits);
  const snapshotters = plugins.filter((plugin) => plugin.type === 'io.containerd.snapshotter.v1');
  const usable = (id: string) => snapshotters.find((plugin) => plugin.id === id && !plugin.initErr);
  const chosen = wanted === undefined ? (usable('overlayfs') ?? usable('native')) : usable(wanted);
  if (!chosen) {
    const name = wanted ?? 'overlayfs';
    const why = snapshotters.find((plugin) => plugin.id === name)?.initErr?.message ?? 'containerd has none';
    throw coded('HM-CONFIG', `The snapshotter ${name} of containerd is not usable: ${why}`, {
      snapshotter: name,
    });
  }
  const rootDir = rootOf(plugins);
  return {
    snapshotter: chosen.id,
    platform: platformOf(chosen),
    ...(rootDir === undefined ? {} : { rootDir }),
  };
}

/** This process's own: runc, a child of containerd, may give as much where both run as the same root. */
function ownOpenFilesHard(): number | undefined {
  const limit = /^Max open files\s+\S+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
  return limit ? Number(limit[1]) : undefined;
}

function platformOf(plugin: Plugin): string {
  const platform = plugin.platforms[0];
  return platform ? `${platform.os}/${platform.architecture}` : 'linux/amd64';
}

/** containerd does not tell its root, but where the content store is below it. */
function rootOf(plugins: readonly Plugin[]): string | undefined {
  const content = plugins.find((plugin) => plugin.type === 'io.containerd.content.v1')?.exports['root'];
  return content?.endsWith('/io.containerd.content.v1.content') ? join(content, '..') : undefined;
}
