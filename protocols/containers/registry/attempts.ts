/** What an answer of a registry means, and whether to ask once more. Pure: chance and time are arguments. */
import { limits } from '../../limits.ts';
import type { ErrorCode } from '../../errors.ts';

/** How a request went. */
export type Outcome =
  | { readonly kind: 'status'; readonly status: number; readonly retryAfter?: string }
  /** No answer, or one that ended early: refused, cut, silent. */
  | { readonly kind: 'broken' };

export type Verdict =
  | { readonly do: 'take' }
  | { readonly do: 'authenticate' }
  | { readonly do: 'retry'; readonly afterMs: number }
  | { readonly do: 'refuse'; readonly code: ErrorCode };

/** `attempt` counts from 1 and begins anew after progress. */
export function verdictOf(
  outcome: Outcome,
  at: { readonly attempt: number; readonly nowMs: number; readonly chance: number },
): Verdict {
  const again = (code: ErrorCode, afterMs = backoffMs(at.attempt, at.chance)): Verdict =>
    at.attempt >= limits.registryAttempts ? { do: 'refuse', code } : { do: 'retry', afterMs };
  if (outcome.kind === 'broken') return again('HM-REGISTRY-UNREACHABLE');
  const { status, retryAfter } = outcome;
  if (status >= 200 && status < 300) return { do: 'take' };
  if (status === 401) return { do: 'authenticate' };
  if (status === 403) return { do: 'refuse', code: 'HM-REGISTRY-AUTH' };
  if (status === 404) return { do: 'refuse', code: 'HM-IMAGE-MISSING' };
  if (status === 429 || status === 503) {
    const code = status === 429 ? 'HM-REGISTRY-BUSY' : 'HM-REGISTRY-UNREACHABLE';
    const told = retryAfterMs(retryAfter, at.nowMs);
    if (told === undefined) return again(code);
    return told > limits.registryRetryAfterMs ? { do: 'refuse', code } : again(code, told);
  }
  if (status === 408 || status >= 500) return again('HM-REGISTRY-UNREACHABLE');
  return { do: 'refuse', code: 'HM-REGISTRY-ANSWER' };
}

/** Doubles from first to last, up to half of it by chance (`chance` in [0, 1)). */
export function backoffMs(attempt: number, chance: number): number {
  const full = Math.min(limits.registryBackoffMs * 2 ** (attempt - 1), limits.registryBackoffMaxMs);
  return Math.round(full * (0.5 + chance / 2));
}

/** Seconds, or an HTTP date. `undefined`: neither. */
export function retryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\s*\d{1,9}\s*$/.test(header)) return Number(header) * 1_000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs);
}

/** Where a redirect leads. Credentials go along only to the same place. */
export function redirectOf(
  from: string,
  location: string | undefined,
  hops: number,
  plainHttp: boolean,
): { readonly to: string; readonly sameOrigin: boolean } | { readonly refused: string } {
  if (hops >= limits.registryRedirects) return { refused: `it redirects more than ${hops} times` };
  if (location === undefined || !URL.canParse(location, from)) return { refused: 'it redirects nowhere' };
  const [old, next] = [new URL(from), new URL(location, from)];
  if (next.protocol !== 'https:' && !(next.protocol === 'http:' && plainHttp))
    return { refused: `it redirects to ${next.protocol}//${next.host}, which is not TLS` };
  if (next.username !== '' || next.password !== '')
    return { refused: 'it redirects to an address with a password' };
  return { to: next.href, sameOrigin: next.origin === old.origin };
}

/** Where the answer to a range request begins. `undefined`: not where it was asked to. */
export function rangeStart(
  status: number,
  contentRange: string | undefined,
  asked: number,
): number | undefined {
  if (status !== 206) return 0;
  const match = /^bytes (\d{1,15})-(?:\d{1,15})\/(?:\d{1,15}|\*)$/.exec(contentRange ?? '');
  return match && Number(match[1]) === asked ? asked : undefined;
}
