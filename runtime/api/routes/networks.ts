/** Networks: which there are, and who stands on them. Made and removed by apps. */
import { z } from '@hono/zod-openapi';
import type { AppSpec } from '../../../protocols/apps/model.ts';
import type { AppView } from '../../../protocols/apps/status.ts';
import { reasonOf } from '../../../protocols/errors.ts';
import { networksOf, type NetworkView } from '../../../protocols/network/view.ts';
import { paths } from '../../../protocols/wire/paths.ts';
import type { NodeHandle } from '../../node-handle.ts';
import { listRoute } from '../lists/list-route.ts';
import { observedSlots } from './containers.ts';

const networkView: z.ZodType<NetworkView> = z
  .strictObject({
    id: z.string().openapi({ description: '* is the open network, on which all apps meet' }),
    app: z.exactOptional(z.string()),
    internal: z.boolean(),
    subnets: z.array(z.string()).readonly(),
    members: z.array(z.strictObject({ slot: z.string(), address: z.string() })).readonly(),
  })
  .openapi('NetworkView');

async function specs(node: NodeHandle): Promise<readonly AppSpec[]> {
  const { apps } = await node.ask<{ apps: readonly AppView[] }>(paths.apps, { type: 'apps.report' });
  const asked = apps.map(async ({ name }) => {
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

export const networkRoutes = [
  listRoute({
    path: '/v1/networks',
    summary: 'The networks of all apps, and the slots on them',
    name: 'networks',
    row: networkView,
    key: ({ id }) => id,
    rows: async ({ node }) => networksOf(await specs(node), await observedSlots(node)),
  }),
];
