/** Images of this node: list, import an archive, remove what no app uses. */
import { createWriteStream } from 'node:fs';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { z } from '@hono/zod-openapi';
import type { AppView } from '../../../protocols/apps/status.ts';
import { shortImageName } from '../../../protocols/containers/image-name.ts';
import type { PullProgress } from '../../../protocols/containers/model.ts';
import { parsePullPolicy } from '../../../protocols/containers/registry/policy.ts';
import { CodedError, coded, reasonOf } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import { paths } from '../../../protocols/wire/paths.ts';
import { collectImages, everythingUnused, lookUses } from '../../image-collector.ts';
import { listRoute } from '../lists/list-route.ts';
import { define, jsonRoute, lineRoute, streamed } from '../route.ts';
import { imageDetails, imageRow, imageView, pullView } from '../schemas/views.ts';

const images = z.strictObject({ images: z.array(imageView).readonly() });

const list = listRoute({
  id: 'listImages',
  path: '/v1/images',
  summary: 'The images of this node',
  name: 'images',
  row: imageRow,
  key: ({ name, digest }) => `${name} ${digest}`,
  rows: async ({ node, context, call }) => {
    const { images: all } = await node.ports.images.list({}, call);
    const useOf = await lookUses(node, context.collection, call);
    return all.map((image) => ({ ...image, ...useOf(image) }));
  },
});

const show = jsonRoute({
  id: 'getImage',
  method: 'get',
  path: '/v1/images/{name}',
  summary: 'One image: its layers, how its author wants it run, who uses it and when it would go',
  params: z.object({ name: z.string().openapi({ example: 'hello-web:latest' }) }),
  answer: imageDetails,
  run: async ({ node, context, params, call }) => {
    const image = shortImageName(params.name);
    if (image === undefined) throw coded('HM-IMAGE-NAME', `${params.name} is not the name of an image`);
    const found = await node.ports.images.show({ image }, call);
    return { ...found, ...(await lookUses(node, context.collection, call))(found) };
  },
});

const add = jsonRoute({
  id: 'importImage',
  method: 'post',
  path: '/v1/images/import',
  summary: 'Bring an OCI archive to the node: the body is the archive, name overrides the names in it',
  query: z.object({ name: z.exactOptional(z.string().max(255)) }),
  upload: 'application/octet-stream',
  answer: images,
  run: async ({ node, context, query: { name }, raw, call }) => {
    if (!raw.body) throw coded('HM-API-REQUEST', 'The body must be an OCI archive');
    await mkdir(context.importDir, { recursive: true, mode: 0o700 });
    const path = join(context.importDir, `${node.random.hex(8)}.tar`);
    try {
      await receive(raw.body as ReadableStream<Uint8Array>, path);
      return await node.ports.images.import({ path, ...(name === undefined ? {} : { name }) }, call);
    } finally {
      await rm(path, { force: true });
    }
  },
});

/** To disk as it comes, never into memory. */
async function receive(body: ReadableStream<Uint8Array>, path: string): Promise<void> {
  let bytes = 0;
  const bounded = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      bytes += chunk.length;
      if (bytes <= limits.imageArchiveBytes) return done(null, chunk);
      done(coded('HM-API-TOO-LARGE', 'The archive is too large', { limitBytes: limits.imageArchiveBytes }));
    },
  });
  try {
    await pipeline(Readable.fromWeb(body), bounded, createWriteStream(path, { mode: 0o600, flags: 'wx' }));
  } catch (thrown) {
    if (thrown instanceof CodedError) throw thrown;
    const { code, message } = thrown as NodeJS.ErrnoException;
    if (code === 'ENOSPC' || code === 'EDQUOT')
      throw coded('HM-DISK-FULL', 'No room for the archive', { path });
    throw coded('HM-IMAGE-ARCHIVE', `The archive did not arrive whole: ${message}`);
  }
}

const exportQuery = z.object({
  format: z.enum(['oci', 'docker']).default('oci'),
  platform: z.exactOptional(z.string().max(64)),
});

/** First whole on the disk, so that a failure is a problem and no torn archive. */
const exported = define(
  {
    id: 'exportImage',
    method: 'get',
    path: '/v1/images/{name}/export',
    summary: 'An image as an archive: OCI, or what docker load reads',
    params: z.object({ name: z.string().openapi({ example: 'hello-web:latest' }) }),
    query: exportQuery,
  },
  { 'application/x-tar': z.string().openapi({ format: 'binary' }) },
  async (c, ask) => {
    const { node, context, call } = ask;
    const { name } = ask.params as { name: string };
    await mkdir(context.importDir, { recursive: true, mode: 0o700 });
    const path = join(context.importDir, `${node.random.hex(8)}.tar`);
    await node.ports.images.export(
      { image: name, path, ...(ask.query as z.output<typeof exportQuery>) },
      call,
    );
    const file = await open(path);
    // It goes with the last one who reads it.
    await rm(path, { force: true });
    return streamed(
      c,
      Readable.toWeb(file.createReadStream()) as unknown as globalThis.ReadableStream<Uint8Array>,
      'application/x-tar',
    );
  },
);

const remove = jsonRoute({
  id: 'removeImage',
  method: 'delete',
  path: '/v1/images/{name}',
  summary: 'Remove an image that no app uses',
  params: z.object({ name: z.string().openapi({ example: 'hello-web:latest' }) }),
  answer: z.strictObject({}),
  run: async ({ node, params, call }) => {
    const image = shortImageName(params.name);
    if (image === undefined) throw coded('HM-IMAGE-NAME', `${params.name} is not the name of an image`);
    const { apps } = await node.ask<{ apps: readonly AppView[] }>(paths.apps, { type: 'apps.report' });
    const users = apps.filter(({ services }) => services.some((one) => shortImageName(one.image) === image));
    if (users.length > 0)
      throw coded('HM-IMAGE-USED', `${image} is used by ${users.map((app) => app.name).join(', ')}`, {
        image,
      });
    return node.ports.images.remove({ image }, call);
  },
});

const wish = z.strictObject({
  image: z.string().min(1).max(255),
  platform: z.exactOptional(z.string().regex(/^[a-z0-9_.-]+\/[a-z0-9_.-]+(?:\/[a-z0-9_.-]+)?$/)),
  policy: z
    .exactOptional(z.string().max(32))
    .openapi({ description: 'always (usual), missing, never, daily, weekly, every_12h' }),
});

const pull = lineRoute({
  id: 'pullImage',
  method: 'post',
  path: '/v1/images/pull',
  summary: 'Pull an image: how far it has come, line by line, the last of phase done or failed',
  body: wish,
  line: pullView,
  run: ({ node, body, call }) => {
    const { image: text, platform, policy: said = 'always' } = body as z.output<typeof wish>;
    const image = shortImageName(text);
    if (image === undefined) throw coded('HM-IMAGE-NAME', `${text} is not the name of an image`);
    const policy = parsePullPolicy(said);
    if (!policy) throw coded('HM-API-REQUEST', `${said} is no pull policy`, { at: 'body.policy' });
    const { images: source } = node.ports;
    const asked = { image, policy, ...(platform === undefined ? {} : { platform }) };
    const all = { image, doneBytes: 0, totalBytes: 0, layers: [] };
    return {
      present: () => [],
      follow: (push, end) => {
        let last: PullProgress = { ...all, phase: 'resolving' };
        const left = new AbortController();
        const stop = source.onPull((progress) => {
          if (progress.image !== image || progress.phase === 'done' || progress.phase === 'failed') return;
          void push((last = progress));
        });
        const signal = AbortSignal.any([call.signal, left.signal]);
        void source
          .ensure(asked, { ...call, signal })
          .then(
            ({ digest }) => push({ ...last, phase: 'done', digest }),
            (thrown: unknown) => push({ ...last, phase: 'failed', reason: reasonOf(thrown) }),
          )
          .finally(end);
        return () => {
          stop();
          left.abort();
        };
      },
    };
  },
});

const prune = jsonRoute({
  id: 'pruneImages',
  method: 'post',
  path: '/v1/images/prune',
  summary: 'Remove every image that no kept revision of an app wants; answers what went',
  answer: images,
  run: async ({ node, call }) => ({ images: await collectImages(node, everythingUnused, call) }),
});

export const imageRoutes = [list, show, add, exported, remove, pull, prune];
