/** Headers that routes share, as the document names them. Lenient here: what they mean is checked where they are used. */
import { z } from '@hono/zod-openapi';

const text = (description: string) => z.exactOptional(z.string()).openapi({ description });

export const queryHeaders = z.object({
  'if-none-match': text('answer 304 when this is still the tag'),
  'if-match': text('answer 412 unless this is still the tag'),
});

export const changeHeaders = z.object({
  'if-match': text('change it only while it has this tag: else 412 with the present one'),
  'if-none-match': text('*: make it only when it is not there'),
  'idempotency-key': text('POST: the same key and body are done once and answered alike for 24 hours'),
});

export const answerHeaders = z.object({
  'x-request-id': z.string().openapi({ description: 'names the request in the log of the node' }),
  etag: text('the strong tag of what is answered'),
  'retry-after': text('seconds to wait before it is repeated'),
});
