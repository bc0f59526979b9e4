/** Apps: deploy, look, scale, restart, remove. Everything is asked of the app manager; nothing is decided here. */
import { z } from '@hono/zod-openapi';
import type { AppRecord, AppSpec } from '../../../protocols/apps/model.ts';
import type { AppView } from '../../../protocols/apps/status.ts';
import { coded, reasonOf } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import { paths } from '../../../protocols/wire/paths.ts';
import { mask, maskedPlace, shownSpec } from '../../../protocols/security/shown-spec.ts';
import type { NodeHandle } from '../../node-handle.ts';
import { listRoute } from '../lists/list-route.ts';
import { sealApp } from '../../secrets/app-files.ts';
import { jsonRoute, type Ask } from '../route.ts';
import { addressWarnings } from '../rules/addresses.ts';
import { assertFits } from '../rules/capacity.ts';
import { tagOf } from '../rules/conditions.ts';
import { assertScope } from '../rules/gate.ts';
import { assertReplaceable, busyPorts, resolveImages } from '../rules/deployable.ts';
import { appSpec } from '../schemas/app-spec.ts';
import { planId } from '../schemas/plan.ts';
import { appName, switched } from '../schemas/query.ts';
import { appShow, appView, reasonView } from '../schemas/views.ts';

const nothing = z.strictObject({});

export const deployed = z.strictObject({
  app: z.string(),
  revision: z.int().min(1),
  changed: z.boolean(),
  warnings: z
    .exactOptional(z.array(reasonView).readonly())
    .openapi({ description: 'what the node cannot do for it as it is' }),
});

interface Shown {
  readonly view: AppView;
  readonly spec: AppSpec;
  readonly record: AppRecord;
}

const shown = (node: NodeHandle, app: string): Promise<Shown> =>
  node.ask<Shown>(paths.apps, { type: 'app.show', app });

async function seenByPeople(node: NodeHandle, app: string): Promise<Shown> {
  const { view, spec, record } = await shown(node, app);
  return { view, spec: shownSpec(spec), record };
}

/** The tag of an app: its record is what a change must have seen, what runs may move on meanwhile. */
export async function current({
  node,
  params,
}: Pick<Ask<{ name: string }, unknown, unknown>, 'node' | 'params'>) {
  try {
    const answer = await seenByPeople(node, params.name);
    return tagOf(JSON.stringify(answer), answer.record);
  } catch (thrown) {
    if (reasonOf(thrown).code === 'HM-APP-UNKNOWN') return undefined;
    throw thrown;
  }
}

/** Compared once more by the app manager, where no other change can come between. */
export const seen = ({ match }: { readonly match: readonly string[] | undefined }) =>
  match ? { match } : {};

const deploy = jsonRoute({
  id: 'deployApp',
  method: 'put',
  path: '/v1/apps/{name}',
  summary: 'Deploy an app: a revision of its own, unless nothing changed',
  params: appName,
  body: z.strictObject({ spec: appSpec, plan: z.exactOptional(planId) }),
  answer: deployed,
  current,
  run: async ({ node, params, body: { spec: brought, plan }, call, match }) => {
    assertBrought(brought, params.name);
    await assertFits(node, brought);
    const { spec, sealed } = await sealApp(node.ports.secrets, brought, call);
    const { digests, troubles } = await resolveImages(node, spec, call);
    await assertReplaceable(node, spec, troubles, call);
    const taken = await node.ask<{ app: string; revision: number; changed: boolean }>(paths.apps, {
      type: 'app.deploy',
      spec,
      digests,
      ...(await busyPorts(node, spec, call)),
      ...(plan === undefined ? {} : { plan }),
      sealed,
      ...seen({ match }),
    });
    return { ...taken, ...(await addressWarnings(node, spec, call)) };
  },
});

/** HM-API-REQUEST. */
export function assertBrought(spec: AppSpec, name: string): void {
  if (spec.name !== name) {
    const text = `The app in the body is ${spec.name}, not ${name}`;
    throw coded('HM-API-REQUEST', text, { at: 'body.spec.name' });
  }
  const masked = maskedPlace(spec);
  if (masked === undefined) return;
  const hint = `Send the true value: an admin reads it with GET /v1/apps/${name}?reveal=true`;
  const at = `body.spec.${masked}`;
  throw coded('HM-API-REQUEST', `${masked} is ${mask}: what was hidden cannot be deployed`, { at }, hint);
}

const list = listRoute({
  id: 'listApps',
  path: '/v1/apps',
  summary: 'All apps',
  name: 'apps',
  row: appView,
  key: ({ name }) => name,
  filters: { ready: ({ services }) => services.every(({ ready, replicas }) => ready >= replicas) },
  // At an agent they come from its server.
  held: ({ cluster }) => cluster?.self.role !== 'agent',
  rows: async ({ node }) =>
    (await node.ask<{ apps: readonly AppView[] }>(paths.apps, { type: 'apps.report' })).apps,
});

const show = jsonRoute({
  id: 'getApp',
  method: 'get',
  path: '/v1/apps/{name}',
  summary: 'One app: what is wanted beside what is there',
  params: appName,
  query: z.object({
    reveal: switched.openapi({
      description:
        'with what could be a secret, which stands as [masked] else: for admins, and told as an event',
    }),
  }),
  answer: appShow,
  wished: ({ record }) => record,
  run: async ({ node, params: { name }, query, identity }) => {
    if (!query.reveal) return seenByPeople(node, name);
    assertScope(identity, 'admin');
    const answer = await shown(node, name);
    node.note({
      type: 'app.revealed',
      subject: name,
      level: 'info',
      message: `${identity.name} read the true values of ${name}`,
      details: { by: identity.name },
    });
    return answer;
  },
});

const remove = jsonRoute({
  id: 'removeApp',
  method: 'delete',
  path: '/v1/apps/{name}',
  summary: 'Remove an app; its named volumes stay unless volumes=true',
  params: appName,
  query: z.object({ volumes: switched }),
  answer: nothing,
  current,
  run: ({ node, params, query, match }) =>
    node.ask<Record<string, never>>(paths.apps, {
      type: 'app.remove',
      app: params.name,
      volumes: query.volumes,
      ...seen({ match }),
    }),
});

const scale = jsonRoute({
  id: 'scaleApp',
  method: 'post',
  path: '/v1/apps/{name}/scale',
  summary: 'Set the replicas of a service, over what its revision says',
  params: appName,
  body: z.strictObject({ service: z.string(), replicas: z.int().min(0).max(limits.composeReplicas) }),
  answer: nothing,
  current,
  run: async ({ node, params, body, match }) => {
    const { view, spec } = await shown(node, params.name);
    const present = Object.fromEntries(view.services.map(({ name, replicas }) => [name, replicas]));
    const more = body.replicas > (present[body.service] ?? 0);
    if (more) await assertFits(node, spec, { ...present, [body.service]: body.replicas });
    return node.ask<Record<string, never>>(paths.apps, {
      type: 'app.scale',
      app: params.name,
      ...body,
      ...seen({ match }),
    });
  },
});

const restart = jsonRoute({
  id: 'restartApp',
  method: 'post',
  path: '/v1/apps/{name}/restart',
  summary: 'Replace the containers of an app, a service or one slot',
  params: appName,
  body: z.strictObject({ service: z.exactOptional(z.string()), index: z.exactOptional(z.int().min(1)) }),
  answer: z.strictObject({ slots: z.int().min(0) }),
  current,
  run: ({ node, params, body, match }) => {
    if (body.index !== undefined && body.service === undefined)
      throw coded('HM-API-REQUEST', 'An index needs its service', { at: 'body.service' });
    const restarted = { type: 'app.restart', app: params.name, ...body, ...seen({ match }) };
    return node.ask<{ slots: number }>(paths.apps, restarted);
  },
});

export const appRoutes = [deploy, list, show, remove, scale, restart];
