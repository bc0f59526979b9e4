/** What leads the cluster is at its server alone; whoever asks an agent for it is told where that is. */
import { coded, type CodedError } from '../../protocols/errors.ts';
import type { ClusterHandle } from './handle.ts';

/** HM-CLUSTER-AGENT at an agent; nothing at a server, and at a node that is alone. */
export function notLeading(cluster: ClusterHandle | undefined): CodedError | undefined {
  if (cluster?.self.role !== 'agent') return undefined;
  const { name, address } = cluster.server();
  const { host, port } = address;
  return coded('HM-CLUSTER-AGENT', `the node ${cluster.self.name} is an agent; the server is ${name}`, {
    server: name,
    address: `${host}:${port}`,
  });
}
