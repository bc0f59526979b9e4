/** What the API answers of plans and revisions. */
import { z } from '@hono/zod-openapi';
import type { Plan } from '../../../protocols/apps/plan/plan.ts';
import type { RevisionView } from '../../../protocols/apps/plan/revisions.ts';
import { reasonView } from './views.ts';

const count = z.int().min(0);

export const planId = z
  .string()
  .regex(/^p-[0-9a-f]{8}-[0-9a-f]{8}$/)
  .openapi({ description: 'names what was asked and what it was compared with' });

const fieldChange = z
  .strictObject({
    path: z.string(),
    kind: z.enum(['added', 'removed', 'changed']),
    before: z.exactOptional(z.string()),
    after: z.exactOptional(z.string()),
    hidden: z.exactOptional(z.literal(true)).openapi({ description: 'could be a secret: not shown' }),
    effect: z.enum(['replaces', 'in-place']),
  })
  .openapi('FieldChange');

const containerCounts = z.strictObject({ create: count, replace: count, remove: count, keep: count });

export const planView: z.ZodType<Plan> = z
  .strictObject({
    id: planId,
    app: z.string(),
    from: count.openapi({ description: '0: not deployed yet' }),
    to: count,
    changed: z.boolean(),
    services: z.array(
      z.strictObject({
        name: z.string(),
        action: z.enum(['create', 'replace', 'update', 'remove', 'keep']),
        containers: containerCounts,
        fields: z.array(fieldChange),
        unchanged: count,
      }),
    ),
    fields: z.array(fieldChange),
    volumes: z.array(z.strictObject({ name: z.string(), action: z.enum(['create', 'keep', 'leave']) })),
    images: z.array(z.strictObject({ image: z.string(), digest: z.exactOptional(z.string()) })),
    containers: containerCounts,
    warnings: z.exactOptional(z.array(reasonView)),
  })
  .openapi('Plan');

export const revisionView: z.ZodType<RevisionView> = z
  .strictObject({
    revision: z.int().min(1),
    current: z.boolean(),
    createdAt: z.number().min(0).openapi({ description: 'milliseconds since 1970' }),
    services: z.array(z.strictObject({ name: z.string(), image: z.string(), replicas: count })),
  })
  .openapi('Revision');
