/** What running containers use, as answers hold it. */
import { z } from '@hono/zod-openapi';
import type { ContainerProcess, ContainerStats } from '../../../protocols/containers/model.ts';

const count = z.number().nonnegative();

export const statsView = z
  .strictObject({
    slot: z.string(),
    /** The container's. */
    id: z.string(),
    at: count,
    cpuNs: count,
    memoryBytes: count,
    workingSetBytes: count,
    memoryLimitBytes: z.exactOptional(count),
    pids: count,
    diskBytes: z.exactOptional(count),
  })
  .openapi('Stats') satisfies z.ZodType<ContainerStats & { readonly slot: string; readonly at: number }>;

export const processView = z
  .strictObject({
    pid: count,
    parent: count,
    uid: count,
    state: z.string(),
    cpuMs: count,
    memoryBytes: count,
    command: z.string(),
  })
  .openapi('Process') satisfies z.ZodType<ContainerProcess>;
