/** Services and deployments: apps seen from two other sides. Nothing is decided here, everything is the app's own view. */
import type { AppSpec } from '../../../protocols/apps/model.ts';
import type { AppView, SlotStatus, SlotView } from '../../../protocols/apps/status.ts';
import { reasonOf } from '../../../protocols/errors.ts';
import { paths } from '../../../protocols/wire/paths.ts';
import type { NodeHandle } from '../../node-handle.ts';
import { listRoute } from '../lists/list-route.ts';
import { everyonesEndpoints } from '../../observed/endpoint-view.ts';
import { jsonRoute } from '../route.ts';
import { observedSlots } from './containers.ts';
import { appName } from '../schemas/query.ts';
import { endpointView } from '../schemas/views.ts';
import { deploymentView, serviceView, type DeploymentRow, type ServiceRow } from '../schemas/resources.ts';

export async function appViews(node: NodeHandle): Promise<readonly AppView[]> {
  return (await node.ask<{ apps: readonly AppView[] }>(paths.apps, { type: 'apps.report' })).apps;
}

const statusesOf = (app: AppView, service: string): readonly SlotStatus[] =>
  app.slots.flatMap(({ status }) => (status?.service === service ? [status] : []));

/** What is wanted of every app that is still there. */
export async function appSpecs(node: NodeHandle): Promise<readonly AppSpec[]> {
  const asked = (await appViews(node)).map(async ({ name }) => {
    try {
      return [(await node.ask<{ spec: AppSpec }>(paths.apps, { type: 'app.show', app: name })).spec];
    } catch (thrown) {
      // Removed meanwhile.
      if (reasonOf(thrown).code === 'HM-APP-UNKNOWN') return [];
      throw thrown;
    }
  });
  return (await Promise.all(asked)).flat();
}

function servicesOf(app: AppView): ServiceRow[] {
  return app.services.map(({ name, image, replicas, ready, ports }) => ({
    name: `${app.name}/${name}`,
    app: app.name,
    service: name,
    image,
    replicas,
    ready,
    ports: [...ports],
    host: `${name}.${app.name}.hive.internal`,
    endpoints: statusesOf(app, name).flatMap(({ slot, address, readiness }) =>
      address === undefined ? [] : [{ slot, address, ready: readiness === 'ready' }],
    ),
  }));
}

const services = listRoute({
  id: 'listServices',
  path: '/v1/services',
  summary: 'All services: what is wanted, what is ready, and where it answers',
  name: 'services',
  row: serviceView,
  key: ({ name }) => name,
  rows: async ({ node }) => (await appViews(node)).flatMap(servicesOf),
});

const endpoints = listRoute({
  id: 'listEndpoints',
  path: '/v1/endpoints',
  summary:
    'Where the containers of all services answer, on all nodes: ready or not, as of when, and which may be used',
  name: 'endpoints',
  row: endpointView,
  key: ({ slot, node }) => `${slot} ${node}`,
  held: ({ cluster }) => cluster === undefined,
  quiet: ['observedAt'],
  rows: async ({ node }) => everyonesEndpoints(node, await observedSlots(node)),
});

/** Reasons that pass by themselves: work is under way. */
const passing: ReadonlySet<string> = new Set(['HM-HEALTH-STARTING', 'HM-DEPENDENCY-WAIT', 'HM-ROLLOUT-WAIT']);

function deploymentOf(app: AppView): DeploymentRow {
  const reasons = app.slots.flatMap(({ slot, reason }: SlotView) => (reason ? [{ slot, reason }] : []));
  const isWaiting = reasons.some(({ reason }) => !passing.has(reason.code));
  const going = isWaiting ? 'waiting' : 'progressing';
  return {
    app: app.name,
    revision: app.revision,
    state: app.removing ? 'removing' : app.converged ? 'done' : going,
    services: app.services.map(({ name, replicas, ready }) => ({
      name,
      replicas,
      ready,
      current: statusesOf(app, name).filter(({ revision }) => revision === app.revision).length,
    })),
    reasons,
  };
}

const deployments = listRoute({
  id: 'listDeployments',
  path: '/v1/deployments',
  summary: 'The present deployment of each app: how far it is, and what it waits for',
  name: 'deployments',
  row: deploymentView,
  key: ({ app }) => app,
  rows: async ({ node }) => (await appViews(node)).map(deploymentOf),
});

const deployment = jsonRoute({
  id: 'getDeployment',
  method: 'get',
  path: '/v1/deployments/{name}',
  summary: 'The present deployment of one app',
  params: appName,
  answer: deploymentView,
  run: async ({ node, params: { name } }) => {
    const { view } = await node.ask<{ view: AppView }>(paths.apps, { type: 'app.show', app: name });
    return deploymentOf(view);
  },
});

export const serviceRoutes = [services, endpoints, deployments, deployment];
