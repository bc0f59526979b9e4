/**
 * What leads the cluster is at its server alone. Who asks an agent for what any node may know gets it all the same, as the
 * agent passes the question on to the server's actor; for everything else it is told where that is.
 */
import type { Message } from '../../protocols/effects.ts';
import { coded, reasonOf, type CodedError } from '../../protocols/errors.ts';
import { limits } from '../../protocols/limits.ts';
import type { ActorPath } from '../../protocols/wire/address.ts';
import { actorMessages } from '../../protocols/wire/catalogue.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { ClusterHandle } from './handle.ts';

/** HM-CLUSTER-AGENT at an agent; nothing at a server, and at a node that is alone. */
export function notLeading(cluster: ClusterHandle | undefined): CodedError | undefined {
  return cluster?.self.role === 'agent' ? elsewhere(cluster) : undefined;
}

function elsewhere({ self, server }: ClusterHandle, why = ''): CodedError {
  const { name, address } = server();
  const { host, port } = address;
  const text = `the node ${self.name} is an agent; the server is ${name}${why}`;
  return coded('HM-CLUSTER-AGENT', text, { server: name, address: `${host}:${port}` });
}

/** An actor below `/leader`, wherever that is. HM-CLUSTER-AGENT also when the server does not answer. */
export async function askLeader<Value>(
  kernel: Pick<Kernel, 'ask'>,
  cluster: ClusterHandle | undefined,
  path: ActorPath,
  message: Message,
  timeoutMs: number,
): Promise<Value> {
  if (cluster?.self.role !== 'agent') return kernel.ask<Value>(path, message, timeoutMs);
  if (!Object.hasOwn(actorMessages, message.type)) throw elsewhere(cluster);
  const there = `hive://${cluster.server().name}${path}`;
  try {
    return await kernel.ask<Value>(there, message, Math.min(timeoutMs, limits.leaderAskMs));
  } catch (thrown) {
    throw elsewhere(cluster, `, which does not answer now: ${reasonOf(thrown).message}`);
  }
}
