/** Resources beside apps and slots, as they are answered: services, volumes, deployments, tokens, the cluster. */
import { z } from '@hono/zod-openapi';
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

export const clusterView = z
  .strictObject({
    nodes: count,
    leader: z.string(),
    failover: z
      .boolean()
      .openapi({ description: 'whether work goes on when a node dies: not with one node' }),
    store: z.strictObject({
      id: z.string(),
      epoch: count,
      revision: count,
      oldestRevision: count,
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
