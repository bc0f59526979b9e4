/** Before and after a deploy: what it would do, which revisions there were, and back to one of them. */
import { z } from '@hono/zod-openapi';
import type { RevisionRecord } from '../../../protocols/apps/model.ts';
import type { Plan } from '../../../protocols/apps/plan/plan.ts';
import type { RevisionView } from '../../../protocols/apps/plan/revisions.ts';
import { paths } from '../../../protocols/wire/paths.ts';
import { sealApp } from '../../secrets/app-files.ts';
import { listRoute } from '../lists/list-route.ts';
import { jsonRoute } from '../route.ts';
import { addressWarnings } from '../rules/addresses.ts';
import { assertFits } from '../rules/capacity.ts';
import { appSpec } from '../schemas/app-spec.ts';
import { planView, revisionView } from '../schemas/plan.ts';
import { appName } from '../schemas/query.ts';
import { assertReplaceable, busyPorts, resolveImages } from '../rules/deployable.ts';
import { assertBrought, current, deployed, seen } from './apps.ts';

const plan = jsonRoute({
  id: 'planApp',
  method: 'post',
  path: '/v1/apps/{name}/plan',
  summary: 'What a deploy of this would do; its id makes exactly that happen, or nothing',
  params: appName,
  body: z.strictObject({ spec: appSpec }),
  answer: planView,
  run: async ({ node, params, body, call }) => {
    assertBrought(body.spec, params.name);
    await assertFits(node, body.spec);
    // Contents stop at this door also when nothing is to be written: a plan compares digests.
    const { spec } = await sealApp(node.ports.secrets, body.spec, call);
    const { digests } = await resolveImages(node, spec, call);
    const busy = await busyPorts(node, spec, call);
    const found = await node.ask<Plan>(paths.apps, { type: 'app.plan', spec, digests, ...busy });
    return { ...found, ...(await addressWarnings(node, spec, call)) };
  },
});

const revisions = listRoute({
  id: 'listRevisions',
  path: '/v1/apps/{name}/revisions',
  summary: 'The kept revisions of an app, oldest first',
  name: 'revisions',
  params: appName,
  row: revisionView,
  key: ({ revision }) => String(revision).padStart(8, '0'),
  rows: async ({ node, params }) => {
    const asked = { type: 'revisions.list', app: params.name };
    return (await node.ask<{ revisions: readonly RevisionView[] }>(paths.apps, asked)).revisions;
  },
});

const rolledBack = deployed.extend({
  restored: z.int().min(1).openapi({ description: 'the revision that the new one repeats' }),
});

const rollback = jsonRoute({
  id: 'rollbackApp',
  method: 'post',
  path: '/v1/apps/{name}/rollback',
  summary: 'Deploy an earlier revision anew; without a number the one before the present one',
  params: appName,
  body: z.strictObject({ revision: z.exactOptional(z.int().min(1)) }),
  answer: rolledBack,
  current,
  run: async ({ node, params, body, call, match }) => {
    const asked = { type: 'revision.find', app: params.name, ...body };
    const { record } = await node.ask<{ record: RevisionRecord }>(paths.apps, asked);
    const { spec } = record;
    // The content that this revision ran, where it was known.
    const { digests: found, troubles } = await resolveImages(node, spec, call, record.digests);
    const digests = { ...found, ...record.digests };
    await assertFits(node, spec);
    await assertReplaceable(node, spec, troubles, call);
    const taken = await node.ask<z.output<typeof deployed>>(paths.apps, {
      type: 'app.deploy',
      spec,
      digests,
      ...seen({ match }),
    });
    return { ...taken, restored: record.revision };
  },
});

export const planRoutes = [plan, revisions, rollback];
