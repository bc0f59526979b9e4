/** Volumes of this node: those of apps and those made by hand. One that an app mounts is never removed here. */
import { z } from '@hono/zod-openapi';
import { isName } from '../../../protocols/apps/compose/files/names.ts';
import { slotName, type AppSpec } from '../../../protocols/apps/model.ts';
import { coded } from '../../../protocols/errors.ts';
import type { Call } from '../../../protocols/ports.ts';
import { keys } from '../../../protocols/state/keys.ts';
import type { VolumeRecord } from '../../../protocols/storage/manager.ts';
import { everyAnonymous, isAnonymousVolume, ownerOf } from '../../../protocols/storage/anonymous.ts';
import type { NodeHandle } from '../../node-handle.ts';
import { listRoute } from '../lists/list-route.ts';
import { jsonRoute } from '../route.ts';
import { switched } from '../schemas/query.ts';
import { volumeView, type VolumeRow } from '../schemas/resources.ts';
import { appSpecs, appViews } from './services.ts';

const unnamed = z.string().refine(isAnonymousVolume, 'the name of a volume');
const part = z.string().refine(isName, 'a name: lower-case letters, digits, - and _');

async function volumesOf(
  node: NodeHandle,
  call: Call,
  disk: { readonly disk?: true } = {},
): Promise<readonly VolumeRow[]> {
  const [{ kvs }, { volumes }, usersOfVolume] = await Promise.all([
    node.ports.store.list({ prefix: keys.volumes }, call),
    node.ports.volumes.list(disk, call),
    usersOf(node),
  ]);
  const rows = new Map<string, VolumeRow>();
  for (const { value } of kvs) {
    const { app, volume, node: owner, removing } = value as VolumeRecord;
    if (volume === everyAnonymous) continue;
    const name = `${app}/${volume}`;
    rows.set(name, { name, app, volume, node: owner, removing, usedBy: usersOfVolume(app, volume) });
  }
  for (const { app, volume, path, diskBytes } of volumes) {
    const name = `${app}/${volume}`;
    const known = rows.get(name) ?? {
      name,
      app,
      volume,
      node: node.name,
      removing: false,
      usedBy: usersOfVolume(app, volume),
    };
    rows.set(name, { ...known, path, ...(diskBytes === undefined ? {} : { diskBytes }) });
  }
  return [...rows.values()];
}

/** Which services mount a volume, by its name outside the app; an anonymous one is its replica's while that is wanted. */
async function usersOf(node: NodeHandle): Promise<(app: string, volume: string) => readonly string[]> {
  const users = new Map<string, string[]>();
  const [specs, apps] = await Promise.all([appSpecs(node), appViews(node)]);
  const slots = new Set(apps.flatMap((app) => app.slots.map(({ slot }) => slot)));
  for (const spec of specs) {
    for (const service of Object.values(spec.services))
      for (const mount of service.mounts) {
        if (mount.type !== 'volume') continue;
        const volume = outsideName(spec, mount.volume);
        users.set(volume, [...(users.get(volume) ?? []), `${spec.name}/${service.name}`]);
      }
  }
  return (app, volume) => {
    const owner = ownerOf(volume);
    if (!owner) return users.get(`${app}/${volume}`) ?? [];
    const slot = slotName(app, owner.service, owner.index);
    return slots.has(slot) ? [slot] : [];
  };
}

function outsideName({ name, volumes }: AppSpec, volume: string): string {
  const { externalName } = volumes[volume] ?? {};
  if (externalName === undefined) return `${name}/${volume}`;
  return externalName.includes('/') ? externalName : `${name}/${externalName}`;
}

const list = listRoute({
  id: 'listVolumes',
  path: '/v1/volumes',
  summary: 'All volumes of this node, and who mounts them',
  name: 'volumes',
  query: z.object({ disk: switched.openapi({ description: 'what each takes on disk too' }) }),
  row: volumeView,
  key: ({ name }) => name,
  rows: ({ node, call, query }) => volumesOf(node, call, query.disk ? { disk: true } : {}),
});

const create = jsonRoute({
  id: 'createVolume',
  method: 'post',
  path: '/v1/volumes',
  summary: 'Make a volume before an app does; one that is there stays as it is',
  body: z.strictObject({ app: part, volume: part }),
  answer: volumeView,
  run: async ({ node, body: { app, volume }, call }) => {
    const key = keys.volume(app, volume);
    const record: VolumeRecord = { app, volume, node: node.name, removing: false };
    await node.ports.store.txn(
      {
        requestId: call.key,
        compare: [{ key, field: 'createRevision', equals: 0 }],
        then: [{ op: 'put', key, value: record }],
      },
      call,
    );
    await node.ports.volumes.ensure({ app, volume }, call);
    return found(await volumesOf(node, call), `${app}/${volume}`);
  },
});

function found(rows: readonly VolumeRow[], name: string): VolumeRow {
  const row = rows.find((one) => one.name === name);
  if (!row) throw coded('HM-VOLUME-MISSING', `There is no volume ${name}`, { volume: name });
  return row;
}

const remove = jsonRoute({
  id: 'removeVolume',
  method: 'delete',
  path: '/v1/volumes/{app}/{volume}',
  summary: 'Remove a volume with all that is in it; refused while an app mounts it',
  params: z.object({ app: part, volume: part.or(unnamed) }),
  answer: z.strictObject({}),
  run: async ({ node, params: { app, volume }, call }) => {
    const name = `${app}/${volume}`;
    const { usedBy } = found(await volumesOf(node, call), name);
    if (usedBy.length > 0)
      throw coded(
        'HM-VOLUME-USED',
        `${name} is mounted by ${usedBy.join(', ')}`,
        { volume: name },
        'Remove that app, or the volume from its file, first.',
      );
    // Marked first: after a crash in between the volume manager finishes it.
    const key = keys.volume(app, volume);
    const record: VolumeRecord = { app, volume, node: node.name, removing: true };
    const write = (step: string, op: 'put' | 'delete') =>
      node.ports.store.txn(
        {
          requestId: `${call.key}-${step}`,
          compare: [],
          then: [op === 'put' ? { op, key, value: record } : { op, key }],
        },
        call,
      );
    await write('mark', 'put');
    await node.ports.volumes.remove({ app, volume }, call);
    await write('done', 'delete');
    return {};
  },
});

export const volumeRoutes = [list, create, remove];
