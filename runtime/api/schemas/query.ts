/** Parts of requests that several routes take. Queries are text: `follow=true`, `limit=50`. */
import { z } from '@hono/zod-openapi';
import { isName } from '../../../protocols/apps/compose/files/names.ts';
import { parseSlotName, type SlotName } from '../../../protocols/apps/model.ts';
import { limits } from '../../../protocols/limits.ts';
import type { ActorPath } from '../../../protocols/wire/address.ts';

export const switched = z
  .enum(['true', 'false'])
  .default('false')
  .transform((text) => text === 'true');

/** A whole number of lines, bounded. */
export const lineCount = (usual: number) =>
  z.coerce.number().int().min(0).max(limits.apiLines).default(usual).openapi({ type: 'integer' });

export const appName = z.object({ name: z.string().refine(isName, 'the name of an app') });

export const slotParams = z.object({
  slot: z
    .string()
    .refine((text) => parseSlotName(text) !== undefined, 'a slot, as shop/web.2 with its / written %2F')
    .openapi({ example: 'shop%2Fweb.2' }) as z.ZodType<SlotName, string>,
});

export const actorPath = z
  .string()
  .regex(/^\/[^#]*$/, 'the path of an actor, as /leader/apps')
  .openapi({ example: '/leader/apps' }) as unknown as z.ZodType<ActorPath, string>;
