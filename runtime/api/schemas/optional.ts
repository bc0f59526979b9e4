/**
 * The document of the API asks each schema whether it takes `undefined`, to know whether a field may be missing. One of
 * `z.exactOptional` does not take it, though its field may be missing: it is made to say yes when it is asked alone.
 * Objects are parsed without this question, so nothing else is accepted because of it.
 */
import { z } from '@hono/zod-openapi';

const seen = new WeakSet<object>();

/** Of a schema and everything within it. */
export function declareOptional(schema: unknown): void {
  if (typeof schema !== 'object' || schema === null || seen.has(schema)) return;
  seen.add(schema);
  if (schema instanceof z.ZodExactOptional) {
    const parse = schema.safeParse.bind(schema);
    schema.safeParse = ((value: unknown, params?: never) =>
      value === undefined ? { success: true, data: undefined } : parse(value, params)) as typeof parse;
  }
  if (schema instanceof z.ZodType) {
    for (const part of Object.values(schema.def)) declareOptional(part);
  } else if (Array.isArray(schema) || Object.getPrototypeOf(schema) === Object.prototype) {
    for (const part of Object.values(schema)) declareOptional(part);
  }
}
