/**
 * Figures of the API, each server in a fresh process of its own that is asked from this one over its unix socket: lists
 * a second beside a bare `node:http` server that answers the same bytes, and what 1,000 watchers of events cost.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { request, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build, stop } from 'esbuild';
import { until } from '../../kit/until.ts';
import { requestsPerSecond } from './load.ts';
import type { Bare, Order, Told } from './serve.ts';

export interface ApiFigures {
  /** Requests a second. */
  readonly containers: number;
  readonly apps: number;
  readonly bareContainers: number;
  readonly bareApps: number;
  readonly watchers: WatcherFigures;
}

interface WatcherFigures {
  /** Of the whole serving process, with all its watchers, while events flow. */
  readonly rssMb: number;
  /** More than the same process without them. */
  readonly addedMb: number;
  readonly perWatcherKb: number;
}

const load = { connections: 16, seconds: 3 };
const rounds = 3;
const watchers = 1_000;
const eventsPerSecond = 20;

export async function measureApi(): Promise<ApiFigures> {
  const dir = await mkdtemp(join(tmpdir(), 'hm-bench-api-'));
  try {
    const program = await bundled(dir);
    const [containers, bareContainers] = await lists(dir, program, '/v1/containers');
    const [apps, bareApps] = await lists(dir, program, '/v1/apps');
    return { containers, apps, bareContainers, bareApps, watchers: await watched(program) };
  } finally {
    await rm(dir, { recursive: true });
  }
}

/** As users run it: one file. */
async function bundled(dir: string): Promise<string> {
  const outfile = join(dir, 'serve.mjs');
  await build({
    absWorkingDir: resolve(import.meta.dirname, '../../..'),
    entryPoints: ['test/bench/api/serve.ts'],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    keepNames: true,
    logLevel: 'error',
    external: ['lmdb', 'msgpackr-extract'],
    banner: {
      js: "import { createRequire as createRequireHere } from 'node:module';\nconst require = createRequireHere(import.meta.url);",
    },
  });
  await stop();
  return outfile;
}

interface Served {
  readonly socketPath: string;
  ask(order: Order): Promise<Told>;
  tell(order: Order): void;
  end(): Promise<void>;
}

async function served(program: string, bare?: Bare): Promise<Served> {
  const args = bare ? [JSON.stringify(bare)] : [];
  const child: ChildProcess = fork(program, args, { execArgv: ['--expose-gc'] });
  const heard = async (): Promise<Told> => ((await once(child, 'message')) as [Told])[0];
  const ready = await heard();
  if (ready.told !== 'ready') throw new Error(JSON.stringify(ready));
  return {
    socketPath: ready.socketPath,
    ask: (order) => {
      child.send(order);
      return heard();
    },
    tell: (order) => void child.send(order),
    end: async () => {
      const exited = once(child, 'exit');
      child.disconnect();
      await exited;
    },
  };
}

/** Ours and the bare one's, by turns; the best of each: noise of the machine only slows. */
async function lists(dir: string, program: string, path: string): Promise<[ours: number, bare: number]> {
  const node = await served(program);
  const { headers, body } = await answerOf(node.socketPath, path);
  const bare = await served(program, {
    socketPath: join(dir, `bare${path.replaceAll('/', '-')}.sock`),
    headers,
    body,
  });
  try {
    let [ours, theirs] = [0, 0];
    for (const { socketPath } of [node, bare])
      await requestsPerSecond(socketPath, path, { ...load, seconds: 1 });
    for (let round = 0; round < rounds; round++) {
      ours = Math.max(ours, await requestsPerSecond(node.socketPath, path, load));
      theirs = Math.max(theirs, await requestsPerSecond(bare.socketPath, path, load));
    }
    return [ours, theirs];
  } finally {
    await Promise.all([node.end(), bare.end()]);
  }
}

async function answerOf(
  socketPath: string,
  path: string,
): Promise<{ headers: Record<string, string>; body: string }> {
  const response = await opened(socketPath, path);
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  const { date: _, connection: _c, 'keep-alive': _k, ...headers } = response.headers;
  return { headers: headers as Record<string, string>, body: Buffer.concat(chunks).toString('utf8') };
}

const opened = (socketPath: string, path: string): Promise<IncomingMessage> =>
  new Promise((resolved, reject) => {
    request({ socketPath, path, agent: false }, resolved).on('error', reject).end();
  });

async function watched(program: string): Promise<WatcherFigures> {
  const node = await served(program);
  const memory = async (): Promise<number> => {
    const told = await node.ask({ do: 'memory' });
    if (told.told !== 'memory') throw new Error(JSON.stringify(told));
    return told.rss;
  };
  try {
    const before = await memory();
    const streams = await Promise.all(
      Array.from({ length: watchers }, () => opened(node.socketPath, '/v1/events/stream')),
    );
    const seen = streams.map((stream) => {
      const counted = { events: 0 };
      stream.on('data', (chunk: Buffer) => (counted.events += chunk.includes('bench.happened') ? 1 : 0));
      stream.on('error', () => {});
      return counted;
    });
    node.tell({ do: 'events', perSecond: eventsPerSecond });
    await until(
      'each watcher has heard of 100 events',
      () => seen.every(({ events }) => events >= 100),
      60_000,
    );
    const during = await memory();
    node.tell({ do: 'events', perSecond: 0 });
    for (const stream of streams) stream.destroy();
    const mb = 1_048_576;
    return {
      rssMb: during / mb,
      addedMb: (during - before) / mb,
      perWatcherKb: (during - before) / watchers / 1_024,
    };
  } finally {
    await node.end();
  }
}
