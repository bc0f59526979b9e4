/**
 * An app of ten services with health gates, deployed: beside the longest chain of its own starts (what no orchestrator
 * can do without: each start on that chain, from its first step to healthy or completed), and beside `docker-compose up`
 * of the same file with the same image. Medians of several turns, which alternate.
 */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { request, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { parse } from 'yaml';
import { startDaemon, type TestDaemon } from '../../kit/node/daemon.ts';
import { importHelloImages } from '../../kit/node/images.ts';
import { until } from '../../kit/until.ts';
import { missingForDocker, startDocker, type Docker } from './docker.ts';

export interface ComposeFigures {
  readonly deployMs: number;
  readonly chainMs: number;
  /** Of one turn: the median. */
  readonly ratio: number;
  /** Absent with a reason. */
  readonly dockerMs?: number;
  readonly why?: string;
}

const file = join(import.meta.dirname, 'gated.yaml');
const archive = join(import.meta.dirname, '../../../.cache/images/hello-web.tar');
const app = 'gated';
const turns = 3;

export async function measureCompose(): Promise<ComposeFigures> {
  const daemon = await startDaemon();
  const docker = await dockerOrWhy();
  try {
    await importHelloImages(daemon);
    if (typeof docker !== 'string') await docker.load(archive, 'hello-web');
    const [ours, theirs]: [{ deployMs: number; chainMs: number }[], number[]] = [[], []];
    for (let turn = 0; turn <= turns; turn++) {
      const deployed = await deployOurs(daemon);
      const upMs = typeof docker === 'string' ? undefined : await upTheirs(docker);
      // The first turn warms the caches of both.
      if (turn === 0) continue;
      ours.push(deployed);
      if (upMs !== undefined) theirs.push(upMs);
    }
    const middle = median(ours, ({ deployMs, chainMs }) => deployMs / chainMs);
    return {
      ...middle,
      ratio: middle.deployMs / middle.chainMs,
      ...(typeof docker === 'string' ? { why: docker } : { dockerMs: median(theirs, (ms) => ms) }),
    };
  } finally {
    await daemon.end();
    if (typeof docker !== 'string') await docker.stop();
  }
}

async function dockerOrWhy(): Promise<Docker | string> {
  const missing = missingForDocker();
  if (missing !== undefined) return missing;
  return startDocker().catch((thrown: unknown) => (thrown as Error).message);
}

async function deployOurs(daemon: TestDaemon): Promise<{ deployMs: number; chainMs: number }> {
  const since = Date.now();
  const began = performance.now();
  const { code, stderr } = await daemon.cli('deploy', '-f', file, '-p', app, '--progress', 'quiet');
  const deployMs = performance.now() - began;
  if (code !== 0) throw new Error(stderr);
  const chainMs = longestChain(await needs(), await starts(daemon, since));
  await daemon.cli('rm', app, '--yes');
  await until('it is removed', async () => (await daemon.slots()).length === 0, 60_000);
  return { deployMs, chainMs };
}

/** Until the last of them is healthy, which `up` itself does not wait for. */
async function upTheirs(docker: Docker): Promise<number> {
  const gates = Object.keys(await needs()).filter((service) => service !== 'schema');
  const began = performance.now();
  await docker.compose('-f', file, '-p', app, 'up', '--detach', '--no-color');
  await until(
    'all are healthy',
    async () => {
      const healthy = await docker.docker('ps', '--quiet', '--filter', 'health=healthy');
      return healthy.trim().split('\n').length === gates.length;
    },
    60_000,
  );
  const upMs = performance.now() - began;
  await docker.compose('-f', file, '-p', app, 'down', '--volumes', '--timeout', '0');
  return upMs;
}

/** Each service and those it waits for. */
async function needs(): Promise<Readonly<Record<string, readonly string[]>>> {
  const { services } = parse(await readFile(file, 'utf8'), { merge: true }) as {
    services: Record<string, { depends_on?: object }>;
  };
  return Object.fromEntries(
    Object.entries(services).map(([name, { depends_on = {} }]) => [name, Object.keys(depends_on)]),
  );
}

/** Of the transcript. */
interface Line {
  readonly at: number;
  readonly path: string;
  readonly text: string;
}

interface Told {
  readonly at: number;
  readonly type: string;
  readonly subject: string;
}

/** Service to ms: from the first step of its slot's actor to healthy or completed. */
async function starts(daemon: TestDaemon, since: number): Promise<ReadonlyMap<string, number>> {
  const frames = await lines(daemon, '/v1/actors/transcript?limit=10000');
  const events = JSON.parse((await daemon.cli('events', '--json')).stdout) as
    readonly Told[] | { readonly events: readonly Told[] };
  const began = new Map<string, number>();
  for (const { at, path, text: line } of frames) {
    const service = new RegExp(`^/workload/slots/${app}/([a-z]+)\\.1$`).exec(path)?.[1];
    if (at >= since && service !== undefined && line.includes('started slot')) began.set(service, at);
  }
  const took = new Map<string, number>();
  for (const { at, type, subject } of 'events' in events ? events.events : events) {
    const service = /^[^/]+\/([a-z]+)\.1$/.exec(subject)?.[1] ?? '';
    const from = began.get(service);
    if (at >= since && from !== undefined && /^(health\.passed|container\.exited)$/.test(type))
      took.set(service, at - from);
  }
  return took;
}

function longestChain(
  graph: Readonly<Record<string, readonly string[]>>,
  took: ReadonlyMap<string, number>,
): number {
  const whole = (service: string): number => {
    const own = took.get(service);
    if (own === undefined) throw new Error(`nothing tells when ${service} began and was there`);
    return own + Math.max(0, ...graph[service]!.map(whole));
  };
  return Math.max(...Object.keys(graph).map(whole));
}

function median<Item>(items: readonly Item[], measure: (item: Item) => number): Item {
  return items.toSorted((a, b) => measure(a) - measure(b))[Math.floor(items.length / 2)]!;
}

async function lines(daemon: TestDaemon, path: string): Promise<readonly Line[]> {
  const asked = request({ socketPath: daemon.socketPath, path }).end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  const told = (await text(response)).trim().split('\n');
  return told.map((line) => JSON.parse(line) as Line);
}
