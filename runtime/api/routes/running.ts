/** What may be done with a container that runs: look what it uses, let it stand still. */
import { z } from '@hono/zod-openapi';
import type { SlotName } from '../../../protocols/apps/model.ts';
import type { SlotStatus } from '../../../protocols/apps/status.ts';
import type { ContainerStats } from '../../../protocols/containers/model.ts';
import { coded } from '../../../protocols/errors.ts';
import type { Call } from '../../../protocols/ports.ts';
import type { NodeHandle } from '../../node-handle.ts';
import { listRoute } from '../lists/list-route.ts';
import { bytesRoute, jsonRoute } from '../route.ts';
import { slotParams } from '../schemas/query.ts';
import { processView, statsView } from '../schemas/running.ts';
import { observedSlots, absentSlot } from './containers.ts';

/** The container of a slot that runs here. HM-TARGET-UNKNOWN, HM-SLOT-ELSEWHERE, HM-CONTAINER-STOPPED. */
export async function runningSlot(
  node: NodeHandle,
  slot: SlotName,
): Promise<SlotStatus & { readonly containerId: string }> {
  const status = (await observedSlots(node)).find((one) => one.slot === slot);
  if (!status) throw await absentSlot(node, slot);
  const { containerId } = status;
  if (status.phase === 'running' && containerId !== undefined) return { ...status, containerId };
  const evidence = { slot, phase: status.phase };
  throw coded('HM-CONTAINER-STOPPED', `${slot} is ${status.phase}`, evidence, `hivemind why ${slot}`);
}

async function statsOf(node: NodeHandle, slots: readonly SlotStatus[], call: Call) {
  const byId = new Map(slots.map(({ containerId, slot }) => [containerId, slot]));
  const ids = slots.flatMap(({ containerId, phase }) =>
    phase === 'running' && containerId ? [containerId] : [],
  );
  const { stats } = await node.ports.containers.stats({ ids, disk: true }, call);
  const at = node.clock.now();
  return stats.map((one: ContainerStats) => ({ slot: byId.get(one.id)!, at, ...one }));
}

const all = listRoute({
  id: 'listStats',
  path: '/v1/stats',
  summary: 'What every running container uses now',
  name: 'stats',
  row: statsView,
  key: ({ slot }) => slot,
  rows: async ({ node, call }) => statsOf(node, await observedSlots(node), call),
});

const stats = jsonRoute({
  id: 'getStats',
  method: 'get',
  path: '/v1/containers/{slot}/stats',
  summary: 'What the container of a slot uses now',
  params: slotParams,
  answer: z.strictObject({ stats: statsView }),
  run: async ({ node, params: { slot }, call }) => {
    const [one] = await statsOf(node, [await runningSlot(node, slot)], call);
    if (!one) throw coded('HM-CONTAINER-STOPPED', `${slot} has just ended`, { slot });
    return { stats: one };
  },
});

const processes = jsonRoute({
  id: 'listProcesses',
  method: 'get',
  path: '/v1/containers/{slot}/processes',
  summary: 'The processes in the container of a slot',
  params: slotParams,
  answer: z.strictObject({ processes: z.array(processView).readonly() }),
  run: async ({ node, params: { slot }, call }) => {
    const { containerId } = await runningSlot(node, slot);
    return node.ports.containers.processes({ id: containerId }, call);
  },
});

const standing = (verb: 'pause' | 'unpause', summary: string) =>
  jsonRoute({
    id: `${verb}Container`,
    method: 'post',
    path: `/v1/containers/{slot}/${verb}`,
    summary,
    params: slotParams,
    answer: z.strictObject({}),
    run: async ({ node, params: { slot }, call }) => {
      const { containerId } = await runningSlot(node, slot);
      return node.ports.containers[verb]({ id: containerId }, call);
    },
  });

const pause = standing('pause', 'Let the processes of a slot stand still');
const unpause = standing('unpause', 'Let the processes of a slot go on');

const fileQuery = z.object({ path: z.string().startsWith('/').max(4_096) });

const read = bytesRoute({
  id: 'readFiles',
  method: 'get',
  path: '/v1/containers/{slot}/files',
  summary: 'What is at a path in the container of a slot, as a tar',
  params: slotParams,
  query: fileQuery,
  media: 'application/x-tar',
  // What is in a container may be secret.
  scope: 'write',
  run: async ({ node, params: { slot }, query: { path }, call }) => {
    const { containerId } = await runningSlot(node, slot);
    return node.ports.containers.readFiles({ id: containerId, path }, call);
  },
});

const write = jsonRoute({
  id: 'writeFiles',
  method: 'put',
  path: '/v1/containers/{slot}/files',
  summary: 'A tar into a folder in the container of a slot, or under a new name in one',
  params: slotParams,
  query: fileQuery,
  upload: 'application/x-tar',
  answer: z.strictObject({ entries: z.int().nonnegative() }),
  run: async ({ node, params: { slot }, query: { path }, raw, call }) => {
    if (!raw.body) throw coded('HM-API-REQUEST', 'The body must be a tar archive');
    const { containerId } = await runningSlot(node, slot);
    // As it is: a Readable around it would throw at nobody when the upload breaks before it is read.
    const archive = raw.body as unknown as AsyncIterable<Uint8Array>;
    return node.ports.containers.writeFiles({ id: containerId, path, archive }, call);
  },
});

export const runningRoutes = [all, stats, processes, pause, unpause, read, write];
