/**
 * Records as they came from another node, read with care: a signature says who wrote them, not that they are in form.
 * What this node does not know (kinds and fields of a later version) is kept and passed on, and shown to nobody.
 */
import { z } from 'zod';
import type { SlotStatus } from '../apps/status.ts';
import { apiAddressPattern } from '../cluster/api-place.ts';
import { isOf, type EndpointRecord } from './endpoints.ts';
import { containerKey, containerPrefix, endpointPrefix, factsKey, resourcesKey } from './own-records.ts';
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
    apiAddress: z.string().regex(apiAddressPattern).optional(),
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
  endpoint: z.looseObject({
    slot: z.string(),
    placement: count,
    run: count,
    address: z.string(),
    ports: z.array(z.looseObject({ containerPort: count, protocol: z.enum(['tcp', 'udp']) })),
    ready: z.boolean(),
    since: count,
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
  return faultOfEndpoints(records, known);
}

/** Each stands beside its container and says the same; only now is the form of both known to be good. */
function faultOfEndpoints(records: Records, known: Records): string | undefined {
  for (const [key, entry] of Object.entries(records)) {
    if (!key.startsWith(endpointPrefix)) continue;
    const beside = containerKey(key.slice(endpointPrefix.length));
    const container = records[beside];
    if (known[key] === entry && known[beside] === container) continue;
    const endpoint = entry.value as EndpointRecord;
    const agree =
      container !== undefined &&
      endpointPrefix + endpoint.slot === key &&
      isOf(endpoint, container.value as SlotStatus);
    if (!agree) return `the record ${key} is not of the container that it stands beside`;
  }
  return undefined;
}

function formOf(key: RecordKey) {
  if (key === factsKey || key === resourcesKey) return forms[key];
  if (key.startsWith(containerPrefix)) return forms.container;
  return key.startsWith(endpointPrefix) ? forms.endpoint : undefined;
}

export function factsIn(records: Records): NodeFacts | undefined {
  return records[factsKey]?.value as NodeFacts | undefined;
}

export function resourcesIn(records: Records): NodeResources | undefined {
  return records[resourcesKey]?.value as NodeResources | undefined;
}

export const containersIn = (records: Records): readonly SlotStatus[] => below(records, containerPrefix);

export const endpointsIn = (records: Records): readonly EndpointRecord[] => below(records, endpointPrefix);

function below<Value>(records: Records, prefix: string): readonly Value[] {
  return Object.entries(records).flatMap(([key, { value }]) =>
    key.startsWith(prefix) ? [value as Value] : [],
  );
}
