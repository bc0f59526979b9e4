/**
 * Figures of a whole node, on the bundles and real containerd: deploy of 20 containers beside containerd's own client,
 * `hivemind ps`, adoption of 100 containers, and an idle hour's worth of memory, CPU and writes (sampled).
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readdir, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startDaemon, type TestDaemon } from '../kit/node/daemon.ts';
import { importHelloImages } from '../kit/node/images.ts';
import { until } from '../kit/until.ts';
import { pause } from './pause.ts';

const run = promisify(execFile);
const parallelism = 4;

export interface NodeFigures {
  /** 20 containers: `deploy` to all running, ms; with networks and addresses. */
  readonly deployMs: number;
  /** The same number by `ctr run -d` at the same parallelism, without networks. */
  readonly ctrMs: number;
  readonly deployRatio: number;
  readonly psMs: number;
  readonly adopt100Ms: number;
  readonly idleRssMb: number;
  readonly idleCpuPercent: number;
  /** What the daemon itself wrote, scaled to an hour. */
  readonly idleWrittenMbPerHour: number;
}

const app = (replicas: number): string =>
  [
    'services:',
    '  a:',
    '    image: hello-web',
    "    entrypoint: ['sleep']",
    "    command: ['100000']",
    `    deploy: { replicas: ${replicas} }`,
    '    stop_grace_period: 0s',
    '',
  ].join('\n');

/** Ten that serve and that nobody visits: each is probed by a connection every ten seconds. */
const quiet = [
  'services:',
  '  a:',
  '    image: hello-web',
  '    deploy: { replicas: 10 }',
  '    x-hivemind: { probes: { readiness: { tcp: { port: 8000 }, interval: 10s } } }',
  '',
].join('\n');

/** `idleSeconds`: how long the idle node is watched. */
export async function measureNode(idleSeconds = 60): Promise<NodeFigures> {
  const daemon = await startDaemon();
  try {
    await importHelloImages(daemon);
    const pairs: { deployMs: number; ctrMs: number }[] = [];
    // A first pair warms the caches of both and does not count.
    for (let pair = 0; pair < 4; pair++)
      pairs.push({ deployMs: await deploy20(daemon, `bench${pair}`), ctrMs: await ctr20(daemon, pair) });
    const counted = pairs.slice(1).sort((a, b) => a.deployMs / a.ctrMs - b.deployMs / b.ctrMs);
    const median = counted[Math.floor(counted.length / 2)]!;
    await write(daemon, 'ten', quiet);
    await deployed(daemon, 'ten');
    const psMs = await best(5, async () => void (await daemon.cli('ps')));
    const idle = await watchIdle(daemon, idleSeconds);
    await write(daemon, 'hundred', app(50));
    await deployed(daemon, 'hundred');
    await write(daemon, 'hundred2', app(40));
    await deployed(daemon, 'hundred2');
    const adopt100Ms = await adoption(daemon);
    return { ...median, deployRatio: median.deployMs / median.ctrMs, psMs, adopt100Ms, ...idle };
  } finally {
    await daemon.end();
  }
}

async function write(daemon: TestDaemon, name: string, text: string): Promise<void> {
  await writeFile(join(daemon.dir, `${name}.yaml`), text);
}

async function deployed(daemon: TestDaemon, name: string): Promise<void> {
  const { code, stderr } = await daemon.cli(
    'deploy',
    '-f',
    join(daemon.dir, `${name}.yaml`),
    '-p',
    name,
    '--progress',
    'quiet',
  );
  if (code !== 0) throw new Error(stderr);
}

async function deploy20(daemon: TestDaemon, name: string): Promise<number> {
  await write(daemon, name, app(20));
  const started = performance.now();
  await deployed(daemon, name);
  const took = performance.now() - started;
  await daemon.cli('rm', name, '--yes');
  await until('it is removed', async () => (await daemon.slots()).every((slot) => slot.app !== name), 60_000);
  return took;
}

/** containerd's own client: the same image, command and parallelism; no network of their own. */
async function ctr20(daemon: TestDaemon, round: number): Promise<number> {
  const place = ['-a', daemon.containerdSocket(), '-n', daemon.containerdNamespace];
  const ctr = (...args: string[]) => run('ctr', [...place, ...args]);
  const { stdout } = await ctr('images', 'ls', '-q');
  const image = stdout.split('\n').find((name) => name.includes('hello-web'));
  if (!image) throw new Error(`no hello-web in ${stdout}`);
  const ids = Array.from({ length: 20 }, (_, index) => `ctr-${round}-${index}`);
  // Named, so that it can be removed: ctr leaves the one above its containers.
  const cgroup = `hivemind-${daemon.name}-ctr`;
  const started = performance.now();
  await inParallel(ids, (id) =>
    ctr('run', '-d', '--null-io', '--cgroup', `/${cgroup}/${id}`, image, id, 'sleep', '100000'),
  );
  const took = performance.now() - started;
  await inParallel(ids, (id) => ctr('task', 'kill', '-s', 'SIGKILL', id));
  await inParallel(ids, (id) =>
    until(`${id} is gone`, () =>
      ctr('task', 'rm', '-f', id).then(
        () => true,
        () => false,
      ),
    ),
  );
  await inParallel(ids, (id) => ctr('container', 'rm', id));
  await removeCgroup(cgroup);
  return took;
}

/** On the one hierarchy of version 2, and on each of version 1. */
async function removeCgroup(name: string): Promise<void> {
  const top = '/sys/fs/cgroup';
  const hierarchies = await readdir(top, { withFileTypes: true });
  const places = hierarchies.filter((entry) => entry.isDirectory()).map((entry) => join(top, entry.name));
  for (const place of [top, ...places])
    await rmdir(join(place, name)).catch((thrown: NodeJS.ErrnoException) => {
      if (thrown.code !== 'ENOENT') throw thrown;
    });
}

async function inParallel<Item>(
  items: readonly Item[],
  work: (item: Item) => Promise<unknown>,
): Promise<void> {
  const queue = [...items];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: parallelism }, worker));
}

async function best(times: number, work: () => Promise<void>): Promise<number> {
  let least = Infinity;
  for (let time = 0; time < times; time++) {
    const started = performance.now();
    await work();
    least = Math.min(least, performance.now() - started);
  }
  return least;
}

/** From the daemon's answer to "ready" until all of them are running again, in its own words. */
async function adoption(daemon: TestDaemon): Promise<number> {
  const wanted = (await daemon.slots()).length;
  await daemon.stop('SIGKILL');
  await daemon.start();
  const started = performance.now();
  await until(
    `${wanted} slots run`,
    async () => (await daemon.slots()).filter((slot) => slot.phase === 'running').length >= wanted,
    60_000,
  );
  return performance.now() - started;
}

async function watchIdle(
  daemon: TestDaemon,
  seconds: number,
): Promise<Pick<NodeFigures, 'idleRssMb' | 'idleCpuPercent' | 'idleWrittenMbPerHour'>> {
  await pause(10_000);
  const before = sample(daemon.pid);
  await pause(seconds * 1_000);
  const after = sample(daemon.pid);
  return {
    idleRssMb: after.rssMb,
    idleCpuPercent: ((after.cpuSeconds - before.cpuSeconds) / seconds) * 100,
    idleWrittenMbPerHour: ((after.writtenBytes - before.writtenBytes) / 2 ** 20) * (3_600 / seconds),
  };
}

function sample(pid: number): { rssMb: number; cpuSeconds: number; writtenBytes: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const io = readFileSync(`/proc/${pid}/io`, 'utf8');
  return {
    rssMb: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1_024,
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / 100,
    writtenBytes: Number(/^write_bytes: (\d+)/m.exec(io)?.[1]),
  };
}
