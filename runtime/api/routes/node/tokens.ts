/** Named tokens: who may ask this API from afar, and for how long. The token itself is answered once, when it is made. */
import { z } from '@hono/zod-openapi';
import { isName } from '../../../../protocols/apps/compose/files/names.ts';
import { limits } from '../../../../protocols/limits.ts';
import { listRoute } from '../../lists/list-route.ts';
import { jsonRoute } from '../../route.ts';
import { tokenMade, tokenView } from '../../schemas/resources.ts';

const name = z.string().refine(isName, 'a name: lower-case letters, digits, - and _');

const list = listRoute({
  id: 'listTokens',
  path: '/v1/tokens',
  summary: 'Named tokens without their secret',
  name: 'tokens',
  row: tokenView,
  key: (token) => token.name,
  scope: 'admin',
  rows: ({ context, call }) => context.tokens.list(call),
});

const create = jsonRoute({
  id: 'createToken',
  method: 'post',
  path: '/v1/tokens',
  summary: 'Make a token: the answer holds it, nothing else ever does',
  scope: 'admin',
  body: z.strictObject({
    name,
    scope: z.enum(['read', 'write', 'admin']),
    expiresInS: z.exactOptional(z.int().min(1).max(limits.apiTokenS)),
  }),
  answer: tokenMade,
  run: ({ context, body, call }) => context.tokens.create(body, call),
});

const revoke = jsonRoute({
  id: 'revokeToken',
  method: 'delete',
  path: '/v1/tokens/{name}',
  summary: 'Revoke a token: it ends at once',
  scope: 'admin',
  params: z.object({ name }),
  answer: z.strictObject({}),
  run: async ({ context, params, call }) => {
    await context.tokens.revoke(params.name, call);
    return {};
  },
});

export const tokenRoutes = [list, create, revoke];
