/** The node itself: who it is, whether it lives, what is wrong with its machine. */
import { z } from '@hono/zod-openapi';
import { paths } from '../../../../protocols/wire/paths.ts';
import type { NodeHandle } from '../../../node-handle.ts';
import { gatherMetrics } from '../../metrics/gather.ts';
import { metricsType } from '../../metrics/text.ts';
import { define, jsonRoute } from '../../route.ts';
import { finding } from '../../schemas/views.ts';

const version = jsonRoute({
  id: 'getVersion',
  method: 'get',
  path: '/v1/version',
  summary: 'Versions, and which node and boot answers',
  answer: z.strictObject({
    version: z.string(),
    node: z.string(),
    boot: z.int().min(1),
    startedAt: z.number(),
    api: z.literal('v1'),
  }),
  run: ({ node }) => ({
    version: node.version,
    node: node.name,
    boot: node.boot,
    startedAt: node.startedAt,
    api: 'v1' as const,
  }),
});

const doctor = jsonRoute({
  id: 'examineNode',
  method: 'get',
  path: '/v1/doctor',
  summary: 'What others did to this machine, and what to do about it',
  answer: z.strictObject({ findings: z.array(finding).readonly() }),
  run: async ({ node }) => ({ findings: await node.doctor() }),
});

const mend = jsonRoute({
  id: 'mendNode',
  method: 'post',
  path: '/v1/doctor/mend',
  summary: 'Mend what can be mended without harm, then tell how it stands',
  answer: z.strictObject({ findings: z.array(finding).readonly() }),
  run: async ({ node }) => ({ findings: await node.doctor({ mend: true }) }),
});

const acceptStore = jsonRoute({
  id: 'acceptStore',
  method: 'post',
  path: '/v1/store/accept',
  summary: 'Take the store as it is, after HM-STORE-FOREIGN',
  answer: z.strictObject({}),
  run: async ({ node }) => {
    await node.ask(paths.guard, { type: 'store.accept' });
    return {};
  },
});

const live = jsonRoute({
  id: 'getLiveness',
  method: 'get',
  path: '/livez',
  summary: 'The process answers',
  answer: z.strictObject({ live: z.literal(true) }),
  run: () => ({ live: true as const }),
});

const ready = jsonRoute({
  id: 'getReadiness',
  method: 'get',
  path: '/readyz',
  summary:
    'The node may be worked with: its tree has started and, where it leads, the app manager answers; else 503',
  query: z.object({ verbose: z.exactOptional(z.enum(['', 'true', 'false'])) }),
  answer: z.strictObject({
    ready: z.boolean(),
    waitsFor: z.array(z.string()),
    checks: z.exactOptional(
      z
        .array(z.strictObject({ name: z.string(), ready: z.boolean(), phase: z.string() }))
        .openapi({ description: 'with verbose: each part that is looked at' }),
    ),
  }),
  status: (answer) => (answer.ready ? 200 : 503),
  run: ({ node, query: { verbose } }) => {
    const checks = checksOf(node);
    const waitsFor = checks.flatMap((check) => (check.ready ? [] : [check.name]));
    const isVerbose = verbose !== undefined && verbose !== 'false';
    return { ready: waitsFor.length === 0, waitsFor, ...(isVerbose ? { checks } : {}) };
  },
});

/** The well-known actors that must be there and ready. Slots and containers do not count: they may wait for good reasons. */
function checksOf(node: NodeHandle): { name: string; ready: boolean; phase: string }[] {
  const { root, guard, apps, manager } = paths;
  // An agent leads nothing: its cluster's apps are managed at its server.
  const leading = node.cluster?.self.role === 'agent' ? [] : [apps];
  return [root, guard, ...leading, manager].map((path) => {
    const actor = node.actors.show(path);
    return { name: path, ready: actor?.tags.includes('ready') ?? false, phase: actor?.phase ?? 'gone' };
  });
}

const metrics = define(
  {
    id: 'readMetrics',
    method: 'get',
    path: '/metrics',
    summary: 'Figures of the node and its containers, for Prometheus',
  },
  { 'text/plain': z.string() },
  async (_c, { context, call }) => ({
    status: 200,
    text: await gatherMetrics(context, call),
    type: metricsType,
  }),
);

export const nodeRoutes = [metrics, version, doctor, mend, acceptStore, live, ready];
