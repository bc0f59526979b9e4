/**
 * The process that is measured: the API in front of a real node over scripted containers, or a bare server that answers
 * the same bytes. It tells its socket, and then its memory or makes events, as its parent asks.
 */
import { createServer } from 'node:http';
import { apiRig, app, service } from '../../runtime/api/rig.ts';

export type Order =
  | { readonly do: 'memory' }
  /** So many events a second; 0: none any more. */
  | { readonly do: 'events'; readonly perSecond: number };

export type Told =
  | { readonly told: 'ready'; readonly socketPath: string }
  | { readonly told: 'memory'; readonly rss: number; readonly heap: number };

export interface Bare {
  readonly socketPath: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const tell = (told: Told): void => void process.send!(told);

async function serveNode(): Promise<void> {
  const rig = await apiRig();
  await rig.deploy(app('shop', service('web', { replicas: 5 }), service('db', { image: 'hello-store' })));
  await rig.deploy(app('blog', service('web', { replicas: 3 }), service('db', { image: 'hello-store' })));
  let timer: NodeJS.Timeout | undefined;
  let made = 0;
  process.on('message', (order: Order) => {
    if (order.do === 'memory') {
      globalThis.gc?.();
      const { rss, heapUsed } = process.memoryUsage();
      return tell({ told: 'memory', rss, heap: heapUsed });
    }
    clearInterval(timer);
    if (order.perSecond === 0) return;
    timer = setInterval(() => {
      made += 1;
      rig.node.note({
        type: 'bench.happened',
        subject: `thing-${made}`,
        message: `The ${made}th thing`,
        level: 'info',
        details: { made },
      });
    }, 1_000 / order.perSecond);
  });
  process.on('disconnect', () => void rig.end().finally(() => process.exit(0)));
  tell({ told: 'ready', socketPath: rig.api.socketPath });
}

function serveBare({ socketPath, headers, body }: Bare): void {
  const server = createServer((_request, response) => {
    response.writeHead(200, headers);
    response.end(body);
  });
  server.listen(socketPath, () => tell({ told: 'ready', socketPath }));
  process.on('disconnect', () => process.exit(0));
}

const [bare] = process.argv.slice(2);
if (bare === undefined) await serveNode();
else serveBare(JSON.parse(bare) as Bare);
