/** A reason as HTTP says it: RFC 9457 `application/problem+json`, with the whole reason inside. */
import { catalogue, type Reason } from '../../protocols/errors.ts';

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly hint: string;
  readonly requestId: string;
  readonly reason: Reason;
}

export const problemType = 'application/problem+json';

export function problemOf(reason: Reason, requestId: string): Problem {
  const { cause, status } = catalogue[reason.code];
  return {
    type: `urn:hivemind:${reason.code}`,
    title: cause,
    // Some reasons only inform (a torn journal); as an answer to a request they are failures all the same.
    status: status < 400 ? 500 : status,
    detail: reason.message,
    code: reason.code,
    hint: reason.hint,
    requestId,
    reason,
  };
}

export function problemResponse(reason: Reason, requestId: string): Response {
  const problem = problemOf(reason, requestId);
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: { 'content-type': problemType },
  });
}
