/** Resources beside apps and slots, as they are answered: services, volumes, deployments, tokens, the cluster. */
import { z } from '@hono/zod-openapi';
import type { JoinTokenView } from '../../../protocols/cluster/token.ts';
import type { TokenView } from '../../../protocols/security/tokens.ts';
import { portSpec } from './app-spec.ts';
import { reasonView } from './views.ts';

const count = z.int().min(0);
const time = z.number().min(0).openapi({ description: 'milliseconds since 1970' });

const tokenFields = {
  name: z.string(),
  scope: z.enum(['read', 'write', 'admin']),
  createdAt: time,
  expiresAt: z.exactOptional(time),
  expired: z.boolean(),
};
export const tokenView: z.ZodType<TokenView> = z.strictObject(tokenFields).openapi('Token');
export const tokenMade: z.ZodType<TokenView & { token: string }> = z.strictObject({
  ...tokenFields,
  token: z.string(),
});

export const joinTokenView: z.ZodType<JoinTokenView> = z
  .strictObject({
    id: z.string(),
    createdAt: time,
    expiresAt: time,
    expired: z.boolean(),
    uses: count.openapi({ description: 'how many nodes may join with it' }),
    used: count,
  })
  .openapi('JoinToken');

export const joinTokenMade: z.ZodType<JoinTokenView & { token: string }> = z.strictObject({
  id: z.string(),
  createdAt: time,
  expiresAt: time,
  expired: z.boolean(),
  uses: count,
  used: count,
  token: z.string(),
});

const place = z.strictObject({
  name: z.string(),
  address: z.string().openapi({ example: '10.0.0.1:4484' }),
  apiAddress: z
    .exactOptional(z.string())
    .openapi({ description: 'where its API listens, mostly of its machine alone; absent: not told' }),
});

/** This node's place among the others. */
const placeView = z.strictObject({
  label: z.string().openapi({ description: 'of the cluster' }),
  id: z.string(),
  name: z.string(),
  role: z.enum(['server', 'agent']),
  address: z.string(),
  zone: z.string(),
  server: place,
  members: z.record(z.enum(['alive', 'suspected', 'dead', 'left']), count),
  certificate: z.exactOptional(
    z.strictObject({ from: time, until: time, unrenewed: z.exactOptional(reasonView) }),
  ),
  gossipKeys: z
    .exactOptional(z.array(z.string()).readonly())
    .openapi({ description: 'names; the first is the one in use' }),
});

export const clusterView = z
  .strictObject({
    place: z.exactOptional(placeView).openapi({ description: 'absent: the node is alone' }),
    nodes: count,
    leader: z.string(),
    failover: z
      .boolean()
      .openapi({ description: 'whether work goes on when a node dies: not with one node' }),
    store: z.strictObject({
      id: z.exactOptional(z.string()),
      epoch: z.exactOptional(count),
      revision: z.exactOptional(count),
      oldestRevision: z.exactOptional(count),
      reason: z.exactOptional(reasonView).openapi({ description: 'why the store does not answer' }),
      phase: z.string().openapi({ description: 'whether this node follows the store' }),
    }),
  })
  .openapi('Cluster');

export const serviceView = z
  .strictObject({
    name: z.string().openapi({ example: 'shop/web' }),
    app: z.string(),
    service: z.string(),
    image: z.string(),
    replicas: count,
    ready: count,
    ports: z.array(portSpec).readonly(),
    host: z
      .string()
      .openapi({ description: 'its name inside the cluster', example: 'web.shop.hive.internal' }),
    endpoints: z
      .array(z.strictObject({ slot: z.string(), address: z.string(), ready: z.boolean() }))
      .readonly(),
  })
  .openapi('ServiceView');

export type ServiceRow = z.output<typeof serviceView>;

export const volumeView = z
  .strictObject({
    name: z.string().openapi({ example: 'shop/data' }),
    app: z.string(),
    volume: z.string(),
    node: z.string(),
    path: z.exactOptional(z.string()).openapi({ description: 'absent until something mounted it' }),
    removing: z.boolean(),
    usedBy: z
      .array(z.string())
      .readonly()
      .openapi({ description: 'services that mount it; of an anonymous one its replica' }),
    diskBytes: z.exactOptional(count).openapi({
      description: 'with disk=true; at most a minute old, absent when there is too much to count',
    }),
  })
  .openapi('Volume');

export type VolumeRow = z.output<typeof volumeView>;

export const deploymentView = z
  .strictObject({
    app: z.string(),
    revision: count,
    state: z
      .enum(['progressing', 'waiting', 'done', 'removing'])
      .openapi({ description: 'waiting: something must change before it can go on, as the reasons say' }),
    services: z
      .array(z.strictObject({ name: z.string(), replicas: count, ready: count, current: count }))
      .readonly()
      .openapi({ description: 'current: slots that run this revision or need no change for it' }),
    reasons: z.array(z.strictObject({ slot: z.string(), reason: reasonView })).readonly(),
  })
  .openapi('Deployment');

export type DeploymentRow = z.output<typeof deploymentView>;
