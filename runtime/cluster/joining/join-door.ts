/**
 * The one path of the cluster port that needs no certificate: `POST /v1/join`, with a token. An agent has no door; it
 * says where the server is. Who comes with wrong tokens waits after a few.
 */
import { LRUCache } from 'lru-cache';
import { joinPath, joinRequest, type JoinAnswer, type JoinRequest } from '../../../protocols/cluster/join.ts';
import { CodedError, catalogue, coded, reason, reasonOf, type Reason } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import type { Clock } from '../../../protocols/ports.ts';

export interface JoinDoorOptions {
  readonly clock: Clock;
  /** At a server. Rejects with coded refusals. */
  readonly join?: (request: JoinRequest) => Promise<JoinAnswer>;
  /** At an agent: where its server is. */
  readonly server?: () => { readonly host: string; readonly port: number };
  /** What failed and is nobody's fault but ours. */
  readonly failed: (thrown: unknown) => void;
}

interface Tries {
  wrong: number;
  readonly sinceMs: number;
}

/** Something is asked of the door. */
export interface DoorRequest {
  readonly method: string;
  /** Where it comes from. */
  readonly client: string;
  /** HM-API-TOO-LARGE. */
  body(): Promise<string>;
}

export interface DoorAnswer {
  /** As of HTTP. */
  readonly status: number;
  readonly body: object;
}

/** Never rejects. */
export type JoinDoor = (request: DoorRequest) => Promise<DoorAnswer>;

export function createJoinDoor({ clock, join, server, failed }: JoinDoorOptions): JoinDoor {
  const tries = new LRUCache<string, Tries>({ max: limits.joinClients });

  const answer = async ({ method, client, body }: DoorRequest): Promise<object> => {
    if (!join) return elsewhere(server?.());
    if (method !== 'POST') throw coded('HM-API-METHOD', `${joinPath} is asked with POST`);
    refuseGuessers(tries, client, clock.monotonicMs());
    const wish = joinRequest.safeParse(parsed(await body()));
    if (!wish.success) {
      const [issue] = wish.error.issues;
      throw coded('HM-API-REQUEST', `the request to join is not in form: ${issue?.path.join('.') ?? ''}`);
    }
    try {
      return await join(wish.data);
    } catch (thrown) {
      if (reasonOf(thrown).code === 'HM-CLUSTER-TOKEN') noteWrong(tries, client, clock.monotonicMs());
      throw thrown;
    }
  };

  return async (request) => {
    try {
      return { status: 200, body: await answer(request) };
    } catch (thrown) {
      const because = thrown instanceof CodedError ? thrown.reason : reason('HM-INTERNAL', 'a defect');
      if (!(thrown instanceof CodedError)) failed(thrown);
      return { status: catalogue[because.code].status, body: refusal(because) };
    }
  };
}

/** As the joiner reads it: the whole reason. */
const refusal = (because: Reason): object => ({ reason: because });

function elsewhere(server: { readonly host: string; readonly port: number } | undefined): object {
  if (!server) throw coded('HM-CLUSTER-JOIN', 'the server of the cluster is not known here');
  return { server };
}

/** HM-API-BUSY while the minute of too many wrong tokens lasts. */
function refuseGuessers(tries: LRUCache<string, Tries>, client: string, nowMs: number): void {
  const known = tries.get(client);
  if (!known || known.wrong < limits.joinWrongTries) return;
  const leftMs = known.sinceMs + limits.joinWrongMs - nowMs;
  if (leftMs <= 0) {
    tries.delete(client);
    return;
  }
  const retryAfterS = Math.ceil(leftMs / 1_000);
  throw coded(
    'HM-API-BUSY',
    `${known.wrong} wrong join tokens came from ${client}`,
    { retryAfterS },
    `Repeat it after ${retryAfterS} s with the right one.`,
  );
}

function noteWrong(tries: LRUCache<string, Tries>, client: string, nowMs: number): void {
  const known = tries.get(client);
  if (known && nowMs - known.sinceMs < limits.joinWrongMs) known.wrong += 1;
  else tries.set(client, { wrong: 1, sinceMs: nowMs });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw coded('HM-API-REQUEST', 'the request to join is not JSON');
  }
}
