/**
 * Endless answers that are made when the connection has room: a source is asked for its next piece then, so nothing
 * waits for a slow reader, and each reader costs its connection and its place. They go straight to Node's response: a
 * web stream between would hold as much again for every reader, and make promises for every line.
 */
import type { ServerResponse } from 'node:http';
import type { Stop } from '../../../protocols/ports.ts';

export interface PullSource {
  /** What is to be told now; nothing when there is nothing to tell yet. */
  next(): string | Uint8Array | undefined;
  /** `wake` hears that `next` may have something. */
  follow(wake: () => void): void;
  stop(): void;
}

interface Pulled {
  readonly source: PullSource;
  /** Of the count of streams. */
  readonly closed: Stop;
}

const sources = new WeakMap<Response, Pulled>();

/** The answer whose body `source` is, once `pump` has it. */
export function pulledAnswer(response: Response, source: PullSource, closed: Stop): Response {
  sources.set(response, { source, closed });
  return response;
}

/** Nobody will read what this answers. */
export function letGo(response: Response): void {
  const pulled = sources.get(response);
  pulled?.source.stop();
  pulled?.closed();
  response.body?.cancel().catch(() => {});
}

/** Answers the body to whom it is for, until they go; false when it is none of ours. */
export function pump(response: Response, outgoing: ServerResponse): boolean {
  const pulled = sources.get(response);
  if (!pulled) return false;
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  outgoing.flushHeaders();
  const { source, closed } = pulled;
  let [over, full] = [false, false];
  const flow = (): void => {
    while (!over && !full) {
      const piece = source.next();
      if (piece === undefined) return;
      full = !outgoing.write(piece);
    }
  };
  outgoing.on('drain', () => {
    full = false;
    flow();
  });
  outgoing.once('close', () => {
    over = true;
    source.stop();
    closed();
  });
  source.follow(flow);
  flow();
  return true;
}
