/** What a request may carry: how large, of which kind, and when its length is not said beforehand. */
import type { Context, MiddlewareHandler } from 'hono';
import { coded, CodedError } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import type { Env } from '../context.ts';

/** Only archives may be of any length: they go to disk as they come, and their routes bound them. */
const isUploadPath = (path: string): boolean =>
  path === '/v1/images/import' || /^\/v1\/containers\/[^/]+\/files$/.test(path);

/** Whether a request's body is bytes of any length that go to disk. */
export function isUpload(method: string | undefined, url: string | undefined): boolean {
  return (method === 'POST' || method === 'PUT') && isUploadPath((url ?? '').split('?')[0]!);
}

/** HM-API-TOO-LARGE, before a byte is read. */
export function boundLength(c: Context<Env>): void {
  if (isUpload(c.req.method, c.req.path)) return;
  if (Number(c.req.header('content-length') ?? 0) > limits.apiBodyBytes) throw tooLarge();
}

/** A body that comes in chunks is gathered first: what reads it then reads what is known to be small. */
async function gatherChunks(c: Context<Env>): Promise<void> {
  const { raw } = c.req;
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const body = (raw.body ?? []) as AsyncIterable<Uint8Array>;
  try {
    for await (const chunk of body) {
      bytes += chunk.length;
      if (bytes > limits.apiBodyBytes) throw tooLarge();
      chunks.push(chunk);
    }
  } catch (thrown) {
    throw thrown instanceof CodedError ? thrown : coded('HM-API-REQUEST', 'The body broke off');
  }
  const { method, headers, signal, url } = raw;
  c.req.raw = new Request(url, { method, headers, signal, body: Buffer.concat(chunks) });
}

const tooLarge = (): Error => coded('HM-API-TOO-LARGE', undefined, { limitBytes: limits.apiBodyBytes });

/**
 * Of a route that reads a body: HM-API-MEDIA for one of another kind than it takes. Without this JSON under another
 * name would count as no body at all: a restart of one service would restart the app.
 */
export const readableBody =
  (takes: 'json' | 'bytes'): MiddlewareHandler<Env> =>
  async (c, next) => {
    const type = c.req.header('content-type')?.toLowerCase();
    const isThere =
      c.req.header('transfer-encoding') !== undefined || Number(c.req.header('content-length') ?? 0) > 0;
    const isRight =
      takes === 'json'
        ? type !== undefined && /^application\/([\w.-]+\+)?json\s*(;|$)/.test(type)
        : // A form's envelope would become part of the value.
          !type?.startsWith('multipart/');
    if (isThere && !isRight) {
      const wanted =
        takes === 'json' ? 'application/json' : 'the bytes themselves, as application/octet-stream';
      throw coded(
        'HM-API-MEDIA',
        `The body is ${type ?? 'of no type'}, not ${wanted}`,
        { at: 'header.content-type' },
        `Send it with content-type: ${takes === 'json' ? 'application/json' : 'application/octet-stream'}`,
      );
    }
    const isChunked = c.req.header('transfer-encoding') !== undefined;
    if (isChunked && !isUpload(c.req.method, c.req.path)) await gatherChunks(c);
    await next();
  };
