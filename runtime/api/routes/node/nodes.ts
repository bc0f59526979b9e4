/** The nodes of the cluster, as the one that answers sees them. Its own machine is measured when it is asked for. */
import { z } from '@hono/zod-openapi';
import { coded, reasonOf } from '../../../../protocols/errors.ts';
import { placeText } from '../../../../protocols/membership/actors/telling.ts';
import { oneOfEachName } from '../../../../protocols/membership/views/names.ts';
import type { MemberView } from '../../../../protocols/membership/views/view.ts';
import { machineOf } from '../../../../protocols/observed/own-records.ts';
import {
  observedAt,
  type ObservedNode,
  type ObservedRecords,
} from '../../../../protocols/observed/report.ts';
import type { Call } from '../../../../protocols/ports.ts';
import type { PeerCondition } from '../../../../protocols/wire/calls.ts';
import { paths } from '../../../../protocols/wire/paths.ts';
import type { NodeHandle } from '../../../node-handle.ts';
import { heardBy, knownNodes } from '../../../observed/cluster-view.ts';
import { listRoute } from '../../lists/list-route.ts';
import { jsonRoute } from '../../route.ts';
import { nodeView, type ConnectionView, type MemberRow, type NodeView } from '../../schemas/nodes.ts';
import { observedSlots } from '../containers.ts';

async function ownRow(node: NodeHandle, call: Call): Promise<NodeView> {
  const { name, version, boot, startedAt, cluster } = node;
  const [machine, slots, runtime] = await Promise.all([
    node.machine(),
    observedSlots(node),
    node.ports.containers.info({}, call).then(
      ({ cdi: _cdi, ...info }) => ({ runtime: info }),
      (thrown: unknown) => ({ reason: reasonOf(thrown) }),
    ),
  ]);
  const running = slots.filter(({ phase }) => phase === 'running').length;
  const leader = node.actors.show(paths.apps) !== undefined;
  const role = cluster?.self.role ?? 'server';
  const who = { name, state: 'alive', role, leader, version, boot, startedAt } as const;
  return { ...who, slots: slots.length, running, machine, ...runtime };
}

function memberRow({
  id,
  self,
  zone,
  condition,
  since,
  suspectedBy,
  planes,
  address,
}: MemberView): MemberRow {
  return { id, self, address: placeText(address), zone, condition, since, suspectedBy, planes };
}

function connectionOf(condition: PeerCondition): ConnectionView {
  const { open, idle, sinceMs, queuedFrames, queuedBytes, asking, answering } = condition;
  return { open, idle, since: Math.max(0, sinceMs), queuedFrames, queuedBytes, asking, answering };
}

/** Of another node: what membership knows, and what it said of itself. The server leads, as long as there is one. */
function otherRow(
  { cluster }: NodeHandle,
  view: MemberView,
  told: Partial<NodeView>,
  condition: PeerCondition | undefined,
): NodeView {
  const { name, status, incarnation } = view;
  const leader = name === cluster?.server().name;
  const role = leader ? 'server' : 'agent';
  const connection = condition ? { connection: connectionOf(condition) } : {};
  const who = { name, state: status, role, leader, boot: incarnation.boot } as const;
  return { ...told, ...who, member: memberRow(view), ...connection };
}

/** What nodes said of themselves, by identity. */
async function toldOf(node: NodeHandle): Promise<ReadonlyMap<string, Partial<NodeView>>> {
  const [nodes, heard] = await Promise.all([knownNodes(node), heardBy(node)]);
  return new Map(nodes.map((one) => [one.id, one.records ? toldBy(one, one.records, heard) : {}]));
}

function toldBy(
  one: ObservedNode,
  records: ObservedRecords,
  heard: ReadonlyMap<string, number>,
): Partial<NodeView> {
  const { facts, resources, containers, version, staleSince } = records;
  const reserved = resources ? { reserved: resources.reserved } : {};
  const api = facts?.apiAddress === undefined ? {} : { apiAddress: facts.apiAddress };
  if (one.self) return { ...reserved, ...api };
  const stale = staleSince === undefined ? {} : { stale: true as const };
  const { runtime, reason } = facts ?? {};
  return {
    ...(facts ? { version: facts.version, startedAt: facts.startedAt } : {}),
    slots: containers.length,
    running: containers.filter(({ phase }) => phase === 'running').length,
    ...(facts && resources ? { machine: machineOf(facts, resources) } : {}),
    ...reserved,
    ...api,
    ...(runtime ? { runtime } : {}),
    ...(reason ? { reason } : {}),
    observed: { at: observedAt(one, records, heard.get(one.id)), version, ...stale },
  };
}

async function rows(node: NodeHandle, call: Call): Promise<readonly NodeView[]> {
  const [own, views, told] = await Promise.all([
    ownRow(node, call),
    node.cluster?.membership.look() ?? [],
    toldOf(node),
  ]);
  const self = views.find((view) => view.self);
  const first = self ? { ...own, ...told.get(self.id), member: memberRow(self) } : own;
  const conditions = new Map(node.cluster?.calls.conditions().map((one) => [one.id, one]));
  const others = oneOfEachName(views)
    .filter((view) => !view.self)
    .map((view) => otherRow(node, view, told.get(view.id) ?? {}, conditions.get(view.id)));
  return [first, ...others];
}

const list = listRoute({
  id: 'listNodes',
  path: '/v1/nodes',
  summary: 'The nodes of the cluster, as this one sees them',
  name: 'nodes',
  row: nodeView,
  key: ({ name }) => name,
  quiet: ['observed', 'connection'],
  rows: ({ node, call }) => rows(node, call),
});

const show = jsonRoute({
  id: 'getNode',
  method: 'get',
  path: '/v1/nodes/{name}',
  summary: 'One node: its machine, its runtime, what it holds, who suspects it and what each plane says',
  params: z.object({ name: z.string().max(255) }),
  answer: nodeView,
  run: async ({ node, params, call }) => {
    const known = await rows(node, call);
    const found = known.find(({ name }) => name === params.name);
    if (found) return found;
    const names = known.map(({ name }) => name).join(', ');
    throw coded('HM-NODE-UNKNOWN', `No node is called ${params.name}; there are: ${names}`, {
      node: params.name,
    });
  },
});

export const memberRoutes = [list, show];
