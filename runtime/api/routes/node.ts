/** The node itself: who it is, whether it lives, what is wrong with its machine. */
import { z } from '@hono/zod-openapi';
import { paths } from '../../../protocols/wire/paths.ts';
import type { NodeHandle } from '../../node-handle.ts';
import { jsonRoute } from '../route.ts';
import { finding } from '../schemas/views.ts';

const version = jsonRoute({
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
  method: 'get',
  path: '/v1/doctor',
  summary: 'What others did to this machine, and what to do about it',
  answer: z.strictObject({ findings: z.array(finding).readonly() }),
  run: async ({ node }) => ({ findings: await node.doctor() }),
});

const mend = jsonRoute({
  method: 'post',
  path: '/v1/doctor/mend',
  summary: 'Mend what can be mended without harm, then tell how it stands',
  answer: z.strictObject({ findings: z.array(finding).readonly() }),
  run: async ({ node }) => ({ findings: await node.doctor({ mend: true }) }),
});

const acceptStore = jsonRoute({
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
  method: 'get',
  path: '/livez',
  summary: 'The process answers',
  answer: z.strictObject({ live: z.literal(true) }),
  run: () => ({ live: true as const }),
});

const ready = jsonRoute({
  method: 'get',
  path: '/readyz',
  summary: 'The node may be worked with: its tree has started and the app manager answers; else 503',
  answer: z.strictObject({ ready: z.boolean(), waitsFor: z.array(z.string()) }),
  status: (answer) => (answer.ready ? 200 : 503),
  run: ({ node }) => {
    const waitsFor = unready(node);
    return { ready: waitsFor.length === 0, waitsFor };
  },
});

/** The well-known actors that are not there or not ready. Slots and containers do not count: they may wait for good reasons. */
function unready(node: NodeHandle): string[] {
  const { root, guard, apps, manager } = paths;
  return [root, guard, apps, manager].filter((path) => !node.actors.show(path)?.tags.includes('ready'));
}

export const nodeRoutes = [version, doctor, mend, acceptStore, live, ready];
