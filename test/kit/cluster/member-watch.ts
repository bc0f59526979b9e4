/**
 * What the nodes of a desk say of each other, by each one's API alone: news as they come from its event stream, and its
 * list of nodes whenever somebody had news.
 */
import { EventEmitter, once } from 'node:events';
import { isDeepStrictEqual } from 'node:util';
import { connect } from '../../../runtime/client/client.ts';
import type { DeskNode } from '../../../runtime/desk/names.ts';

export interface Told {
  readonly by: string;
  readonly about: string;
  /** `joined`, `restarted`, `suspected`, `recovered`, `died`, `left`, `described`. */
  readonly what: string;
  /** `performance.now()` of this process when it came. */
  readonly at: number;
}

/** State by name. */
export type View = Readonly<Record<string, string>>;

export interface MemberWatch {
  readonly told: readonly Told[];
  onTold(notify: (told: Told) => void): void;
  /** From now on; again after a node was started anew. Resolves once its stream is open. */
  follow(node: DeskNode): Promise<void>;
  /** Until each of these nodes sees exactly this. Rejects after `withinMs` with what they see. */
  agree(nodes: readonly DeskNode[], view: View, withinMs?: number): Promise<void>;
  close(): void;
}

interface EventLine {
  readonly type?: string;
  readonly subject?: string;
}

/** Looked at anyhow, should the last news have come before the list was changed. */
const lookAgainMs = 500;
const place = ({ socketPath }: DeskNode) => connect({ address: socketPath });

export function watchMembers(): MemberWatch {
  const told: Told[] = [];
  const news = new EventEmitter();
  const over = new AbortController();
  const read = async (by: string, lines: AsyncGenerator<unknown>): Promise<void> => {
    for await (const line of lines as AsyncGenerator<EventLine>) {
      const [topic, what = ''] = (line.type ?? '').split('.');
      if (topic !== 'member' || line.subject === undefined) continue;
      const one = { by, about: line.subject, what, at: performance.now() };
      told.push(one);
      news.emit('told', one);
    }
  };
  return {
    told,
    onTold: (notify) => void news.on('told', notify),
    follow: async (node) => {
      const client = place(node);
      const lines = client.lines('GET /v1/events/stream', { signal: over.signal });
      // A stream ends with its node.
      void read(node.name, lines)
        .catch(() => undefined)
        .finally(() => client.close());
      // It is open when a later request is answered: connections are taken in order.
      await client.request('GET /v1/version');
    },
    agree: async (nodes, view, withinMs = 60_000) => {
      const deadline = performance.now() + withinMs;
      for (;;) {
        const views = await Promise.all(nodes.map(viewOf));
        if (views.every((one) => isDeepStrictEqual(one, view))) return;
        if (performance.now() > deadline) {
          const seen = nodes.map(({ name }, at) => `${name}: ${JSON.stringify(views[at])}`).join('\n');
          throw new Error(`waited ${withinMs} ms until all see ${JSON.stringify(view)}:\n${seen}`);
        }
        await once(news, 'told', { signal: AbortSignal.timeout(lookAgainMs) }).catch(() => undefined);
      }
    },
    close: () => over.abort(),
  };
}

/** What a node answers now; nothing when it does not. */
async function viewOf(node: DeskNode): Promise<View> {
  const client = place(node);
  try {
    const { value } = await client.request('GET /v1/nodes', { signal: AbortSignal.timeout(5_000) });
    const { nodes } = value as { nodes: readonly { name: string; state: string }[] };
    return Object.fromEntries(nodes.map(({ name, state }) => [name, state]));
  } catch {
    return {};
  } finally {
    client.close();
  }
}
