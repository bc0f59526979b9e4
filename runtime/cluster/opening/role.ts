/** Which role this node has, by its settings and by what is in its data folder; what contradicts is refused before anything is opened. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { coded } from '../../../protocols/errors.ts';
import type { NodeRole } from '../../../protocols/wire/catalogue.ts';
import type { ClusterSettings } from './parts.ts';
import { clusterFolder, givenPath } from './places.ts';

/** HM-CLUSTER-ROLE. Without `settings` the node is to be alone. */
export function roleHere(dataDir: string, settings: ClusterSettings | undefined): NodeRole {
  const hasStore = existsSync(join(dataDir, 'store', 'data.mdb'));
  const before = roleBefore(clusterFolder(dataDir), hasStore);
  if (before === 'unknown' && settings?.join === undefined)
    throw coded('HM-CLUSTER-KEY', `${givenPath(clusterFolder(dataDir))} is damaged`, { path: dataDir });
  if (!settings) {
    if (before !== 'agent') return 'server';
    throw coded(
      'HM-CLUSTER-ROLE',
      `the data folder ${dataDir} is of an agent of a cluster, and there is no cluster address`,
      { path: dataDir },
      'Add --cluster-address; or let it leave first, or give it another --data-dir.',
    );
  }
  const isAgent = settings.role !== 'server' && (settings.join !== undefined || before === 'agent');
  if (!isAgent && before === 'agent')
    throw coded('HM-CLUSTER-ROLE', `the data folder ${dataDir} is of an agent`, { path: dataDir });
  if (isAgent && before === undefined && hasStore)
    throw coded(
      'HM-CLUSTER-ROLE',
      `the data folder ${dataDir} holds a store of its own; a node that joins has none`,
      { path: dataDir },
      'Remove its apps and then everything it made: hivemind rm, hivemind purge; or give it another --data-dir.',
    );
  if (isAgent && before === 'server')
    throw coded(
      'HM-CLUSTER-ROLE',
      `the data folder ${dataDir} is of the server of a cluster; it cannot join another`,
      { path: dataDir },
      'Leave --join out, or give it another --data-dir.',
    );
  if (!isAgent && settings.role === 'agent')
    throw coded(
      'HM-CLUSTER-ROLE',
      'an agent has its store at a server',
      {},
      'Name a node of its cluster: --join',
    );
  return isAgent ? 'agent' : 'server';
}

/** What it was the last time. Where that cannot be read, a store says that it was no agent. */
function roleBefore(folder: string, hasStore: boolean): NodeRole | 'unknown' | undefined {
  const path = givenPath(folder);
  if (!existsSync(path)) return undefined;
  try {
    const { role } = JSON.parse(readFileSync(path, 'utf8')) as { readonly role?: unknown };
    if (role === 'server' || role === 'agent') return role;
  } catch {
    // Whoever needs what is in it says why it cannot be read.
  }
  return hasStore ? 'server' : 'unknown';
}
