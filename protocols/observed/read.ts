/**
 * Records as they came from another node, read with care: a signature says who wrote them, not that they are in form.
 * What this node does not know (kinds and fields of a later version) is kept and passed on, and shown to nobody.
 */
import { z } from 'zod';
import type { SlotStatus } from '../apps/status.ts';
import { containerPrefix, factsKey, resourcesKey } from './own-records.ts';
import type { NodeFacts, NodeResources, RecordKey, Records } from './model.ts';

const count = z.number().min(0);
const reason = z.looseObject({ code: z.string(), message: z.string(), hint: z.string() });

const forms = {
  facts: z.looseObject({
    hostname: z.string(),
    os: z.string(),
    kernel: z.string(),
    architecture: z.string(),
    cpus: count,
    labels: z.record(z.string(), z.string()),
    role: z.enum(['server', 'agent']),
    version: z.string(),
    startedAt: count,
    reason: reason.optional(),
  }),
  resources: z.looseObject({
    measuredAt: count,
    load: count,
    memoryBytes: count,
    memoryUsedBytes: count,
    diskBytes: count,
    diskUsedBytes: count,
    reserved: z.looseObject({ cpus: count, memoryBytes: count }),
  }),
  container: z.looseObject({
    slot: z.string(),
    app: z.string(),
    service: z.string(),
    index: count,
    node: z.string(),
    placement: count,
    run: count,
    revision: count,
    specHash: z.string(),
    phase: z.enum(['waiting', 'starting', 'running', 'backoff', 'stopping', 'completed', 'failed']),
    readiness: z.enum(['none', 'starting', 'ready', 'unready', 'unhealthy']),
    image: z.string(),
    ports: z.array(z.looseObject({ hostPort: count, containerPort: count, protocol: z.string() })),
    restarts: count,
    since: count,
    reason: reason.optional(),
  }),
} as const;

const wellNamed = /^(?:facts|resources|[a-z]{1,20}\/[^\s#]{1,255})$/;
export const isRecordKey = (key: unknown): key is RecordKey => typeof key === 'string' && wellNamed.test(key);

/** Why the records cannot be taken as those of the node of that name; `undefined` when they can. `known` ones were looked at. */
export function faultOf(records: Records, node: string, known: Records): string | undefined {
  for (const [key, entry] of Object.entries(records)) {
    if (known[key] === entry) continue;
    const { value } = entry;
    const form = formOf(key);
    if (form && !form.safeParse(value).success) return `the record ${key} is not in form`;
    if (!key.startsWith(containerPrefix)) continue;
    const { slot, node: holder } = value as SlotStatus;
    if (containerPrefix + slot !== key || holder !== node)
      return `the record ${key} is of ${slot} on ${holder}`;
  }
  return undefined;
}

function formOf(key: RecordKey) {
  if (key === factsKey || key === resourcesKey) return forms[key];
  return key.startsWith(containerPrefix) ? forms.container : undefined;
}

export function factsIn(records: Records): NodeFacts | undefined {
  return records[factsKey]?.value as NodeFacts | undefined;
}

export function resourcesIn(records: Records): NodeResources | undefined {
  return records[resourcesKey]?.value as NodeResources | undefined;
}

export function containersIn(records: Records): readonly SlotStatus[] {
  return Object.entries(records).flatMap(([key, { value }]) =>
    key.startsWith(containerPrefix) ? [value as SlotStatus] : [],
  );
}
