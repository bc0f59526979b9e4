/** Secrets: names and versions come out, values only go in. */
import { z } from '@hono/zod-openapi';
import { coded, CodedError } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import { isSecretName, tooLargeSecret } from '../../../protocols/security/secrets.ts';
import { changeKey, listSecrets, removeSecret, setSecret, showSecret } from '../../secrets/shelf.ts';
import { listRoute } from '../lists/list-route.ts';
import { jsonRoute } from '../route.ts';
import { secretView } from '../schemas/views.ts';

const named = z.object({ name: z.string().refine(isSecretName, 'the name of a secret') });
const written = z.strictObject({ name: z.string(), version: z.int().min(1), changed: z.boolean() });

const list = listRoute({
  id: 'listSecrets',
  path: '/v1/secrets',
  summary: 'All secrets: names, versions, who uses them; never a value',
  name: 'secrets',
  row: secretView,
  key: ({ name }) => name,
  filters: { used: ({ usedBy }) => usedBy.length > 0, app: ({ usedBy }) => usedBy.map(appOf) },
  rows: ({ node, call }) => listSecrets(node, call),
});

/** Of `shop/web`. */
const appOf = (service: string): string => service.split('/')[0]!;

const show = jsonRoute({
  id: 'getSecret',
  method: 'get',
  path: '/v1/secrets/{name}',
  summary: 'One secret without its value',
  params: named,
  answer: secretView,
  run: ({ node, params, call }) => showSecret(node, params.name, call),
});

const set = jsonRoute({
  id: 'setSecret',
  method: 'put',
  path: '/v1/secrets/{name}',
  summary: 'Set a secret: the body is the value, byte by byte. Another value is another version',
  params: named,
  upload: 'application/octet-stream',
  answer: written,
  run: async ({ node, params, raw, call }) =>
    setSecret(node, { name: params.name, content: await valueOf(raw), mustExist: false }, call),
});

const rotate = jsonRoute({
  id: 'rotateSecret',
  method: 'post',
  path: '/v1/secrets/{name}/rotate',
  summary: 'Give a secret that exists another value; what uses it follows',
  params: named,
  upload: 'application/octet-stream',
  answer: written,
  run: async ({ node, params, raw, call }) =>
    setSecret(node, { name: params.name, content: await valueOf(raw), mustExist: true }, call),
});

const remove = jsonRoute({
  id: 'removeSecret',
  method: 'delete',
  path: '/v1/secrets/{name}',
  summary: 'Remove a secret that no app uses',
  params: named,
  answer: z.strictObject({}),
  run: async ({ node, params, call }) => {
    await removeSecret(node, params.name, call);
    return {};
  },
});

const rekey = jsonRoute({
  id: 'rekeySecrets',
  method: 'post',
  path: '/v1/secrets/rekey',
  summary: 'A new key for all secrets; no value changes',
  answer: z.strictObject({ keyId: z.string(), rewrapped: z.int().min(0) }),
  run: ({ node, call }) => changeKey(node, call),
});

/** Bounded while it comes: what it claims to be long is not believed. */
async function valueOf(raw: Request): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of raw.body ?? []) {
    bytes += chunk.length;
    if (bytes > limits.secretBytes) throw new CodedError(tooLargeSecret(bytes));
    chunks.push(chunk);
  }
  if (bytes === 0) throw coded('HM-API-REQUEST', 'The body must be the value of the secret', { at: 'body' });
  return Buffer.concat(chunks);
}

export const secretRoutes = [list, show, set, rotate, remove, rekey];
