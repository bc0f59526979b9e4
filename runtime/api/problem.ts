/** A reason as HTTP says it: RFC 9457 `application/problem+json`, with the whole reason inside. */
import { CodedError, catalogue, coded, type Reason } from '../../protocols/errors.ts';

/** One thing that is wrong with a request: where (a JSON pointer into that part of it) and what. */
export interface Fault {
  readonly in: 'body' | 'query' | 'path' | 'header';
  readonly pointer: string;
  readonly detail: string;
}

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** The path that was asked. */
  readonly instance: string;
  readonly code: string;
  readonly hint: string;
  readonly requestId: string;
  /** The same request may succeed later. */
  readonly retryable: boolean;
  readonly errors?: readonly Fault[];
  readonly reason: Reason;
}

export const problemType = 'application/problem+json';

/** A request that is not as its schema has it. */
export class MalformedError extends CodedError {
  readonly faults: readonly Fault[];
  constructor(message: string, faults: readonly Fault[], at: string) {
    super(coded('HM-API-REQUEST', message, { at }).reason);
    this.faults = faults;
  }
}

interface Asked {
  readonly requestId: string;
  readonly path: string;
  readonly faults?: readonly Fault[];
}

const laterStatus: ReadonlySet<number> = new Set([429, 503, 504, 507]);
const laterCodes: ReadonlySet<string> = new Set(['HM-STORE-CONFLICT', 'HM-APP-CONFLICT', 'HM-API-IN-FLIGHT']);

export function problemOf(reason: Reason, { requestId, path, faults }: Asked): Problem {
  const { cause, status } = catalogue[reason.code];
  return {
    type: `urn:hivemind:${reason.code}`,
    title: cause,
    // Some reasons only inform (a torn journal); as an answer to a request they are failures all the same.
    status: status < 400 ? 500 : status,
    detail: reason.message,
    instance: path,
    code: reason.code,
    hint: reason.hint,
    requestId,
    retryable: laterStatus.has(status) || laterCodes.has(reason.code),
    ...(faults && faults.length > 0 ? { errors: faults } : {}),
    reason,
  };
}

/** Headers that a reason asks for besides its body. */
export function problemHeaders({ evidence }: Reason): Record<string, string> {
  const { etag, retryAfterS, allow } = evidence;
  return {
    'content-type': problemType,
    ...(typeof etag === 'string' ? { etag } : {}),
    ...(typeof allow === 'string' ? { allow } : {}),
    ...(typeof retryAfterS === 'number' ? { 'retry-after': String(retryAfterS) } : {}),
  };
}
