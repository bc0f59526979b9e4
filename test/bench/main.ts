/**
 * `npm run bench`: each figure beside its limit or its peer, in one run. `npm run bench -- kernel store node` runs
 * some of them. It never fails on a figure: it prints, and a person reads.
 */
import { measureApi } from './api/api.ts';
import { measureCompose } from './compose/compose.ts';
import { measureImages } from './images.ts';
import { measureKernel } from './kernel.ts';
import { measureLogs } from './logs.ts';
import { membershipRows } from './membership/membership.ts';
import { measureNode } from './node.ts';
import { observedRows } from './observed.ts';
import { least, most, row, skipped, type Row } from './row.ts';
import { simulationRows } from './simulation.ts';
import { measureStore } from './store.ts';
import { swarmRows } from './swarm.ts';

const hoursAt = process.argv.indexOf('--hours');
/** Virtual time of the swarm's long run. */
const hours = hoursAt < 0 ? 2 : Number(process.argv[hoursAt + 1]);

const suites: Readonly<Record<string, () => Promise<readonly Row[]>>> = {
  kernel: async () => {
    const figures = await measureKernel();
    return [
      row('router ÷ bare send, messages a second', figures.routerRatio, ' ×', least(0.85)),
      row('heap of an idle actor', figures.heapBytesPerActor, ' B', most(8_192)),
    ];
  },
  store: async () => {
    const { embedded, etcd, ratio } = await measureStore();
    return [
      row('embedded store, durable writes, one writer', embedded.sequential.perSecond, '/s'),
      row('embedded store, durable writes, 32 writers', embedded.writers32.perSecond, '/s'),
      ...(etcd
        ? [
            row('etcd, the same, one writer', etcd.sequential.perSecond, '/s'),
            row('etcd, the same, 32 writers', etcd.writers32.perSecond, '/s'),
          ]
        : [skipped('etcd, the same', 'no etcd on this machine')]),
      ...(ratio
        ? [
            row('embedded ÷ etcd, one writer', ratio.sequential, ' ×', least(2)),
            row('embedded ÷ etcd, 32 writers', ratio.writers32, ' ×', least(2)),
          ]
        : []),
    ];
  },
  api: async () => {
    const { containers, apps, bareContainers, bareApps, watchers } = await measureApi();
    return [
      row('GET /v1/containers, 9 slots', containers, '/s', least(5_000)),
      row('a bare node:http server, the same bytes', bareContainers, '/s'),
      row('GET /v1/containers ÷ bare', containers / bareContainers, ' ×'),
      row('GET /v1/apps, 2 apps', apps, '/s', least(5_000)),
      row('a bare node:http server, the same bytes', bareApps, '/s'),
      row('GET /v1/apps ÷ bare', apps / bareApps, ' ×'),
      row('1,000 watchers of events, added to the process', watchers.addedMb, ' MB', most(60)),
      row('the same, each', watchers.perWatcherKb, ' kB'),
      row('the whole process with them, RSS', watchers.rssMb, ' MB'),
    ];
  },
  images: async () => {
    const figures = await measureImages();
    if ('missing' in figures) return [skipped('pull of 100 MB from a local registry', figures.missing)];
    return [
      row('pull of 100 MB from a local registry', figures.pullMs, ' ms'),
      row("the same by containerd's own client", figures.ctrMs, ' ms'),
      row('pull ÷ ctr images pull', figures.ratio, ' ×', most(1.2)),
    ];
  },
  logs: async () => {
    const figures = await measureLogs();
    return [
      row('logs -f: lines received of those sent', figures.received / figures.sent, ' ×', least(1)),
      row('logs -f: lines a second', figures.perSecond, '/s', least(50_000)),
      row('logs -f: RSS of the daemon before', figures.rssBeforeMb, ' MB'),
      row('logs -f: RSS of the daemon, most', figures.rssMostMb, ' MB'),
      row('logs -f: growth until after 500,000 lines', figures.rssAfterMb - figures.rssBeforeMb, ' MB'),
    ];
  },
  node: async () => {
    const figures = await measureNode();
    return [
      row('20 containers, deploy to running', figures.deployMs, ' ms'),
      row('20 containers, ctr run -d, 4 at once', figures.ctrMs, ' ms'),
      row('deploy ÷ ctr', figures.deployRatio, ' ×', most(1.7)),
      row('hivemind ps', figures.psMs, ' ms', most(150)),
      row('adoption of 100 containers', figures.adopt100Ms, ' ms', most(1_000)),
      row('idle with 10 containers, RSS', figures.idleRssMb, ' MB', most(110)),
      row('idle with 10 containers, CPU of a core', figures.idleCpuPercent, ' %', most(1)),
      row('idle with 10 containers, written by the daemon', figures.idleWrittenMbPerHour, ' MB/h', most(1)),
    ];
  },
  membership: membershipRows,
  observed: observedRows,
  swarm: async () => swarmRows(hours),
  simulation: simulationRows,
  compose: async () => {
    const { deployMs, chainMs, ratio, dockerMs, why = '' } = await measureCompose();
    return [
      row('10 services with health gates, deploy', deployMs, ' ms'),
      row('the longest chain of its own starts', chainMs, ' ms'),
      row('deploy ÷ longest chain', ratio, ' ×', most(1.3)),
      ...(dockerMs === undefined
        ? [skipped('the same file, docker-compose up', why)]
        : [
            row('the same file, docker-compose up until healthy', dockerMs, ' ms'),
            row('deploy ÷ docker-compose up', deployMs / dockerMs, ' ×'),
          ]),
    ];
  },
};

const wanted = process.argv.slice(2).filter((name) => name in suites);
for (const [name, measure] of Object.entries(suites)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  for (const { figure, measured, limit, ok } of await measure()) {
    const mark = ok === undefined ? '    ' : ok ? 'PASS' : 'MISS';
    console.log(`${mark} ${name.padEnd(10)} ${figure.padEnd(52)} ${measured.padStart(12)}   ${limit}`);
  }
}
process.exit(0);
