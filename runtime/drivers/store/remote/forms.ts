/** Requests to the store of another node, as they come over a connection: checked before anything else is done. */
import { z } from 'zod';
import { limits } from '../../../../protocols/limits.ts';

const key = z.string().max(limits.storeKeyBytes);
const count = z.int().min(0);
const position = z.strictObject({ epoch: count, revision: count });
const lease = z.string().max(64);

export const forms = {
  'store.status': z.strictObject({}),
  'store.get': z.strictObject({ key }),
  'store.list': z.strictObject({
    prefix: key,
    limit: z.exactOptional(z.int().min(1)),
    startAfter: z.exactOptional(key),
    at: z.exactOptional(count),
  }),
  'store.txn': z.strictObject({
    requestId: z.string().max(limits.storeRequestIdBytes),
    compare: z
      .array(
        z.strictObject({
          key,
          field: z.enum(['createRevision', 'modRevision', 'version']),
          equals: z.number(),
        }),
      )
      .max(limits.storeTxnOps),
    then: z
      .array(
        z.strictObject({
          key,
          /** msgpack; a delete has none. */
          value: z.exactOptional(z.instanceof(Uint8Array)),
          lease: z.exactOptional(lease),
        }),
      )
      .max(limits.storeTxnOps),
  }),
  'store.grant': z.strictObject({ ttlMs: z.number(), key: z.string().max(512) }),
  'store.keep-alive': z.strictObject({ lease }),
  'store.revoke': z.strictObject({ lease }),
  'secret.open': z.strictObject({ name: key, version: key }),
  'store.watch': z.strictObject({ prefix: key, after: position }),
} as const;

export type StoreRequest<Type extends keyof typeof forms> = z.output<(typeof forms)[Type]>;
