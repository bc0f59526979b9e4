/** What is reserved on the node is held against the machine, at the door of every change that could need more. */
import { reservedBy, shortage, type Demand } from '../../../protocols/apps/capacity.ts';
import type { AppSpec } from '../../../protocols/apps/model.ts';
import type { AppView } from '../../../protocols/apps/status.ts';
import { paths } from '../../../protocols/wire/paths.ts';
import type { NodeHandle } from '../../node-handle.ts';

/** Refuses with HM-NODE-CAPACITY. `replicas`: of one service, over what the spec says. */
export async function assertFits(
  node: NodeHandle,
  spec: AppSpec,
  replicas: Readonly<Record<string, number>> = {},
): Promise<void> {
  const demands = Object.values(spec.services).map((service): Demand => ({
    ...service,
    replicas: replicas[service.name] ?? service.replicas,
  }));
  const { cpus, memoryBytes } = reservedBy(demands);
  if (cpus === 0 && memoryBytes === 0) return;
  const { apps } = await node.ask<{ apps: readonly AppView[] }>(paths.apps, { type: 'apps.report' });
  const others = apps.filter(({ name, removing }) => name !== spec.name && !removing);
  const taken = await Promise.all(others.map((view) => demandsOf(node, view)));
  const short = shortage(demands, reservedBy(taken.flat()), await node.machine());
  if (short) throw short;
}

/** An app that goes meanwhile reserves nothing. */
async function demandsOf(node: NodeHandle, { name, services }: AppView): Promise<readonly Demand[]> {
  const asked = { type: 'app.show', app: name };
  const { spec } = await node
    .ask<{ spec: AppSpec | undefined }>(paths.apps, asked)
    .catch(() => ({ spec: undefined }));
  return services.map((service): Demand => ({ ...service, ...reservesOf(spec, service.name) }));
}

function reservesOf(spec: AppSpec | undefined, service: string): Pick<Demand, 'resources'> {
  const resources = spec?.services[service]?.resources;
  return resources === undefined ? {} : { resources };
}
