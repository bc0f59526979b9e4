/**
 * Network, volumes and names of a simulated machine: what they hold outlives the daemon, as links and folders do.
 */
import type { Attachment, NodeNetwork, Publication } from '../../../protocols/network/model.ts';
import type { ZoneUpdate } from '../../../protocols/discovery/model.ts';
import { coded } from '../../../protocols/errors.ts';
import type { NameServer, NetworkDriver, VolumeDriver } from '../../../protocols/ports.ts';

export class SimulatedNetwork implements NetworkDriver {
  node: NodeNetwork | undefined;
  readonly attachments = new Map<string, Attachment>();
  publications: readonly Publication[] = [];
  /** Host ports that something else listens on. */
  readonly foreign = new Set<number>();
  /** Changes made to the machine. */
  changes = 0;

  ensureNode: NetworkDriver['ensureNode'] = async (node) => {
    if (JSON.stringify(node) !== JSON.stringify(this.node)) this.changes += 1;
    this.node = node;
    return {};
  };
  attach: NetworkDriver['attach'] = async ({ id, address }) => {
    if (this.attachments.get(id)?.address !== address) this.changes += 1;
    this.attachments.set(id, { id, address });
    return {};
  };
  detach: NetworkDriver['detach'] = async ({ id }) => {
    if (this.attachments.delete(id)) this.changes += 1;
    return {};
  };
  list: NetworkDriver['list'] = async () => ({ attachments: [...this.attachments.values()] });
  publish: NetworkDriver['publish'] = async ({ publications }) => {
    if (JSON.stringify(publications) !== JSON.stringify(this.publications)) this.changes += 1;
    this.publications = publications;
    return {};
  };
  taken: NetworkDriver['taken'] = async ({ ports }) => ({
    taken: ports.filter((port) => this.foreign.has(port.hostPort)),
  });
  purge: NetworkDriver['purge'] = async () => {
    this.attachments.clear();
    this.publications = [];
    return {};
  };
}

export class SimulatedVolumes implements VolumeDriver {
  /** By `app/volume`: what was written there. */
  readonly volumes = new Map<string, { app: string; volume: string; path: string }>();
  readonly missing = new Set<string>();
  changes = 0;

  ensure: VolumeDriver['ensure'] = async ({ app, volume }) => {
    const key = `${app}/${volume}`;
    const known = this.volumes.get(key) ?? { app, volume, path: `/volumes/${key}#${++this.changes}` };
    this.volumes.set(key, known);
    return { path: known.path };
  };
  bind: VolumeDriver['bind'] = async ({ source, create }) => {
    if (this.missing.has(source) && !create)
      throw coded('HM-BIND-MISSING', `${source} does not exist`, { source });
    return { path: source };
  };
  remove: VolumeDriver['remove'] = async ({ app, volume }) => {
    if (this.volumes.delete(`${app}/${volume}`)) this.changes += 1;
    return {};
  };
  list: VolumeDriver['list'] = async () => ({ volumes: [...this.volumes.values()] });
  prepareRun: VolumeDriver['prepareRun'] = async ({ slot, run }) => ({
    stdoutPath: `/runs/${slot}/${run}/stdout.log`,
    stderrPath: `/runs/${slot}/${run}/stderr.log`,
    mounts: [],
  });
  pruneRuns: VolumeDriver['pruneRuns'] = async () => ({});
}

export class SimulatedNames implements NameServer {
  zone: ZoneUpdate = { names: [], clients: [] };
  listen: NameServer['listen'] = async () => ({});
  update: NameServer['update'] = async (zone) => {
    this.zone = zone;
    return {};
  };
  close: NameServer['close'] = async () => ({});
}
