/** Networks: which there are, and who stands on them. Made and removed by apps. */
import { z } from '@hono/zod-openapi';
import { networksOf, type NetworkView } from '../../../protocols/network/view.ts';
import { listRoute } from '../lists/list-route.ts';
import { observedSlots } from './containers.ts';
import { appSpecs } from './services.ts';

const networkView: z.ZodType<NetworkView> = z
  .strictObject({
    id: z.string().openapi({ description: '* is the open network, on which all apps meet' }),
    app: z.exactOptional(z.string()),
    internal: z.boolean(),
    subnets: z.array(z.string()).readonly(),
    members: z.array(z.strictObject({ slot: z.string(), address: z.string() })).readonly(),
  })
  .openapi('NetworkView');

export const networkRoutes = [
  listRoute({
    id: 'listNetworks',
    path: '/v1/networks',
    summary: 'The networks of all apps, and the slots on them',
    name: 'networks',
    row: networkView,
    key: ({ id }) => id,
    rows: async ({ node }) => networksOf(await appSpecs(node), await observedSlots(node)),
  }),
];
