/** The machine's own: files, TLS, a thread. Loaded by a node that has others. */
import { joinPath } from '../../../protocols/cluster/join.ts';
import { openWebSocketLink } from '../../../transport/websocket/websocket-link.ts';
import { openMembership } from '../../membership/worker-life.ts';
import { overHttp } from '../joining/http-door.ts';
import { reachOverTls } from '../joining/tls-door.ts';
import { clusterFiles } from '../secret-file.ts';
import type { ClusterMeans } from './parts.ts';

export const realMeans: ClusterMeans = {
  files: clusterFiles,
  reachDoor: reachOverTls,
  openMembership,
  openLink: async ({ address, tls, clock }) => {
    const link = await openWebSocketLink({ address, tls, clock });
    return {
      link,
      onJoin: (door) => link.onRequest(joinPath, overHttp(door, clock)),
      renew: () => link.renew(),
    };
  },
};
