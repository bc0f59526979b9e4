/** What stands behind every request: the node, who asks, and what is counted over all doors. */
import { coded } from '../../protocols/errors.ts';
import { limits } from '../../protocols/limits.ts';
import type { Random } from '../../protocols/ports.ts';
import type { Scope } from '../../protocols/security/tokens.ts';
import type { Collection } from '../image-collector.ts';
import type { NodeHandle } from '../node-handle.ts';
import type { Logger } from '../telemetry/logger.ts';
import { EventHub } from './lists/event-reader.ts';
import { Feeds } from './lists/feeds.ts';
import { Counts } from './metrics/counts.ts';
import { DiskMeter } from './metrics/disk-use.ts';
import { Audit } from './rules/audit.ts';
import { IdempotencyKeys } from './rules/idempotency.ts';
import { Rates } from './rules/rates.ts';
import { Tokens } from './rules/tokens.ts';

/** Who asks: `socket`, `root`, or the name of a token. */
export interface Identity {
  readonly name: string;
  readonly scope: Scope;
}

/** What the handlers work on. */
export interface ApiContext {
  readonly node: NodeHandle;
  /** The next request's name: 16 hex digits. */
  readonly requestId: () => string;
  /** Uploads wait here until they are imported. */
  readonly importDir: string;
  /** What the collector of images goes by. */
  readonly collection?: Collection;
  readonly logger: Logger;
  /** Streams that are open, exec sessions included; bounded by `limits.apiStreams`. */
  readonly streams: StreamCount;
  readonly idempotency: IdempotencyKeys;
  readonly rates: Rates;
  /** Lists that are watched. */
  readonly feeds: Feeds;
  readonly events: EventHub;
  readonly tokens: Tokens;
  readonly audit: Audit;
  readonly disk: DiskMeter;
  /** For `/metrics`. */
  readonly counts: Counts;
}

export interface Env {
  Variables: { requestId: string; identity: Identity; route?: string; replayed?: true };
}

export interface StreamCount {
  /** HM-API-BUSY when there are too many; otherwise what must be called once when the stream is over. */
  open(): () => void;
  readonly count: number;
}

export function createContext(
  node: NodeHandle,
  { importDir, collection, logger }: Pick<ApiContext, 'importDir' | 'collection' | 'logger'>,
): ApiContext {
  const counts = new Counts();
  for (const event of node.events.read({ after: { boot: node.boot, seq: 0 }, limit: limits.eventLog }))
    counts.event(event);
  node.events.watch((event) => counts.event(event));
  return {
    counts,
    node,
    requestId: requestIds(node.random),
    importDir,
    ...(collection ? { collection } : {}),
    logger,
    streams: createStreamCount(),
    idempotency: new IdempotencyKeys(node.clock),
    rates: new Rates(node.clock),
    feeds: new Feeds(node),
    events: new EventHub(node),
    tokens: new Tokens(node),
    audit: new Audit(node),
    disk: new DiskMeter(node),
  };
}

/** Chance names the process, then they are counted: chance for each costs as much as a small answer. */
function requestIds(random: Random): () => string {
  const process = random.hex(4);
  let count = 0;
  return () => {
    count = (count + 1) % 0x1_0000_0000;
    return process + count.toString(16).padStart(8, '0');
  };
}

export function createStreamCount(): StreamCount {
  let open = 0;
  return {
    get count() {
      return open;
    },
    open: () => {
      if (open >= limits.apiStreams)
        throw coded('HM-API-BUSY', `${open} streams are open`, { limit: limits.apiStreams, retryAfterS: 10 });
      open += 1;
      let closed = false;
      return () => {
        if (!closed) open -= 1;
        closed = true;
      };
    },
  };
}
