/**
 * What others did to this machine, and what Hivemind needs of it: one finding a line, each with its remedy. It reads
 * only; `hivemind doctor --fix` also mends what can be mended without harm to anybody.
 */
import { execFile } from 'node:child_process';
import { readFile, statfs, writeFile } from 'node:fs/promises';
import { stockInWords } from '../../protocols/containers/cdi/choose.ts';
import { reasonOf } from '../../protocols/errors.ts';
import { foreignRoutes } from '../../protocols/network/forwarding.ts';
import type { MemberView } from '../../protocols/membership/views/view.ts';
import type { Call, Clock, Ports } from '../../protocols/ports.ts';
import type { ClusterHandle } from '../cluster/handle.ts';
import type { ContainerdPlace } from '../drivers/container/containerd/bootstrap.ts';
import type { LinuxNetwork } from '../drivers/network/linux/driver.ts';
import type { Finding } from '../node-handle.ts';
import { findingsInTime, inTime, type Check } from './in-time.ts';
import type { NodeSettings } from './world.ts';

interface Subject {
  readonly clock: Clock;
  readonly ports: Ports;
  readonly settings: NodeSettings;
  readonly dataDir: string;
  /** Absent at a node that is alone. */
  readonly cluster?: ClusterHandle;
  /** Absent where services are processes of the machine. */
  readonly engineRoom?: EngineRoom;
}

interface EngineRoom {
  readonly network: LinuxNetwork;
  readonly place: ContainerdPlace;
}

const lowSpace = 0.05;

export function examine(subject: Subject): Promise<readonly Finding[]> {
  return findingsInTime(subject.clock, checksOf(subject));
}

function checksOf({ ports, settings, dataDir, cluster, engineRoom }: Subject): readonly Check[] {
  const place = storePlace(cluster);
  const everywhere: readonly Check[] = [
    ...(cluster ? [{ id: 'cluster', run: () => Promise.resolve(others(cluster.membership.members())) }] : []),
    { id: 'store', run: (call) => store(ports, place, call) },
    { id: 'secrets', run: (call) => secretKey(ports, place, call) },
    { id: 'disk', run: () => disk(dataDir) },
  ];
  if (!engineRoom) return [{ id: 'processes', run: (call) => processes(ports, call) }, ...everywhere];
  const { network, place: engine } = engineRoom;
  const remedy = containerdRemedy(engine);
  return [
    { id: 'containerd', run: (call) => containerd(ports, engine, call), remedy, code: 'HM-RUNTIME-TIMEOUT' },
    ...everywhere,
    { id: 'ip-forward', run: forwarding },
    { id: 'forward-policy', run: (call) => forwardPolicy(network, call) },
    { id: 'bridge', run: (call) => bridge(settings.bridge, call) },
    { id: 'bridge-rules', run: (call) => bridgeRules(network, call) },
    { id: 'routes', run: (call) => routes(network, settings, call) },
  ];
}

/** Each mender answers what it did, nothing when there was nothing to do. */
const menders: Readonly<Record<string, (room: EngineRoom, call: Call) => Promise<string | undefined>>> = {
  'ip-forward': async () => {
    if (await forwards()) return undefined;
    await writeFile(forwardSwitch, '1');
    return 'net.ipv4.ip_forward is 1 now';
  },
  'forward-policy': async ({ network }, call) => {
    const obstacles = await network.obstacles(call);
    for (const obstacle of obstacles) await network.clear(obstacle, call);
    return obstacles.length === 0 ? undefined : obstacles.map(({ mend }) => mend).join('; ');
  },
};

/** A mender that fails leaves its finding as it is, with what went wrong behind it. */
export async function mendAndExamine(subject: Subject): Promise<readonly Finding[]> {
  const done = new Map<string, string>();
  const failed = new Map<string, string>();
  const { engineRoom, clock } = subject;
  const mending = Object.entries(engineRoom ? menders : {}).map(async ([id, mend]) => {
    try {
      const told = await inTime(clock, (call) => mend(engineRoom!, call), undefined);
      if (told !== undefined) done.set(id, told);
    } catch (thrown) {
      failed.set(id, (thrown as Error).message);
    }
  });
  await Promise.all(mending);
  return (await examine(subject)).map((finding) => {
    const [mended, trouble] = [done.get(finding.id), failed.get(finding.id)];
    return {
      ...finding,
      ...(mended === undefined ? {} : { mended }),
      ...(trouble === undefined ? {} : { detail: `${finding.detail} (mending it failed: ${trouble})` }),
    };
  });
}

async function processes(ports: Ports, call: Call): Promise<Finding> {
  const { version, cgroups, withoutLimits } = await ports.containers.info({}, call);
  const limits = withoutLimits === undefined ? `cgroup v${cgroups}` : `no limits: ${withoutLimits}`;
  return {
    id: 'processes',
    verdict: 'ok',
    detail: `services are processes of this machine, Linux ${version}, ${limits}`,
  };
}

const containerdRemedy = (place: ContainerdPlace): string =>
  place.own ? 'It is started again by itself within seconds.' : 'Start it: systemctl start containerd';

async function containerd(ports: Ports, place: ContainerdPlace, call: Call): Promise<Finding> {
  const id = 'containerd';
  try {
    const info = await ports.containers.info({}, call);
    const cdi = info.cdi && stockInWords(info.cdi);
    const whose = place.own ? 'started by Hivemind' : "the machine's own";
    return {
      id,
      verdict: 'ok',
      detail: `containerd ${info.version} (${whose}), ${info.snapshotter}, cgroup v${info.cgroups}${cdi === undefined ? '' : `, CDI devices: ${cdi}`}`,
    };
  } catch (thrown) {
    const because = reasonOf(thrown);
    const detail = `${because.code}: ${because.message}`;
    return { id, verdict: 'failed', detail, remedy: containerdRemedy(place) };
  }
}

/** Where an agent's store is; nothing where it is the node's own. */
function storePlace(cluster: ClusterHandle | undefined): string | undefined {
  if (cluster?.self.role !== 'agent') return undefined;
  const { name, address } = cluster.server();
  return `the server ${name} at ${address.host}:${address.port}`;
}

/** Whom of the others this node sees, and whom it misses. */
export function others(members: readonly MemberView[]): Finding {
  const id = 'cluster';
  const named = (states: readonly string[]): readonly string[] =>
    members.filter(({ self, status }) => !self && states.includes(status)).map(({ name }) => name);
  const [alive, missed] = [named(['alive']), named(['suspected', 'dead'])];
  const seen = `${alive.length} other ${alive.length === 1 ? 'node is' : 'nodes are'} alive`;
  if (missed.length === 0) return { id, verdict: 'ok', detail: seen };
  const detail = `${seen}, and ${missed.join(', ')} not heard`;
  return { id, verdict: 'warning', detail, remedy: `hivemind why ${missed[0]}` };
}

async function secretKey(ports: Ports, place: string | undefined, call: Call): Promise<Finding> {
  const id = 'secrets';
  if (place !== undefined) return { id, verdict: 'ok', detail: `kept by ${place}` };
  const { keyId, locked } = await ports.secrets.status({}, call);
  if (locked)
    return { id, verdict: 'failed', detail: `${locked.code}: ${locked.message}`, remedy: locked.hint };
  return { id, verdict: 'ok', detail: keyId === undefined ? 'none yet' : `key ${keyId}` };
}

async function store(ports: Ports, place: string | undefined, call: Call): Promise<Finding> {
  const id = 'store';
  try {
    const status = await ports.store.status({}, call);
    return {
      id,
      verdict: 'ok',
      detail: `${place === undefined ? 'embedded store' : `of ${place}:`} ${status.identity.id} at revision ${status.position.revision}; one server, no failover yet`,
    };
  } catch (thrown) {
    const because = reasonOf(thrown);
    return { id, verdict: 'failed', detail: `${because.code}: ${because.message}`, remedy: because.hint };
  }
}

async function disk(dataDir: string): Promise<Finding> {
  const id = 'disk';
  const { bavail, blocks, bsize } = await statfs(dataDir);
  const detail = `${Math.round((bavail * bsize) / 2 ** 20)} MiB free of ${Math.round((blocks * bsize) / 2 ** 20)} MiB under ${dataDir}`;
  if (bavail / blocks >= lowSpace) return { id, verdict: 'ok', detail };
  return {
    id,
    verdict: 'warning',
    detail,
    remedy: 'Free space: hivemind image ls; rotated logs are bounded already.',
  };
}

const forwardSwitch = '/proc/sys/net/ipv4/ip_forward';

const forwards = async (): Promise<boolean> =>
  (await readFile(forwardSwitch, 'utf8').catch(() => '?')).trim() === '1';

async function forwarding(): Promise<Finding> {
  const id = 'ip-forward';
  if (await forwards()) return { id, verdict: 'ok', detail: 'IPv4 forwarding is on' };
  return {
    id,
    verdict: 'failed',
    detail: 'IPv4 forwarding is off: containers reach nothing outside',
    remedy: 'sysctl -w net.ipv4.ip_forward=1',
  };
}

/** Docker and firewalls drop what is forwarded; their tables are theirs, so this is said, not changed. */
async function forwardPolicy(network: LinuxNetwork, call: Call): Promise<Finding> {
  const id = 'forward-policy';
  try {
    const obstacles = await network.obstacles(call);
    if (obstacles.length === 0)
      return { id, verdict: 'ok', detail: 'nothing drops forwarded packets by policy' };
    const tables = obstacles.map(({ family, table, chain }) => `${family} ${table} ${chain}`).join(', ');
    return {
      id,
      verdict: 'warning',
      detail: `another program drops what containers send: ${tables}`,
      remedy: obstacles.map(({ mend }) => mend).join('; '),
    };
  } catch (thrown) {
    const because = reasonOf(thrown);
    return { id, verdict: 'warning', detail: `${because.code}: ${because.message}`, remedy: because.hint };
  }
}

async function bridge(name: string, call: Call): Promise<Finding> {
  const id = 'bridge';
  const link = await output('ip', ['-brief', 'address', 'show', 'dev', name], call);
  if (link?.includes('/')) return { id, verdict: 'ok', detail: link.trim().replace(/\s+/g, ' ') };
  return {
    id,
    verdict: 'warning',
    detail: `bridge ${name} is not there`,
    remedy: 'It is made again within half a minute; hivemind events',
  };
}

/** A kernel built without it is rare, and then every publication and attachment fails: nft refuses the whole table. */
async function bridgeRules(network: LinuxNetwork, call: Call): Promise<Finding> {
  const id = 'bridge-rules';
  try {
    if (await network.hasBridgeRules(call))
      return { id, verdict: 'ok', detail: "the kernel has nftables' bridge family" };
    return {
      id,
      verdict: 'failed',
      detail: "nftables' bridge family is missing: networks of apps cannot be kept apart",
      remedy: 'modprobe nft_meta_bridge; else a kernel with CONFIG_NF_TABLES_BRIDGE',
    };
  } catch (thrown) {
    const because = reasonOf(thrown);
    return { id, verdict: 'warning', detail: `${because.code}: ${because.message}`, remedy: because.hint };
  }
}

/** Another program's route into the addresses of containers takes their packets away, or ours take its. */
async function routes(network: LinuxNetwork, settings: NodeSettings, call: Call): Promise<Finding> {
  const id = 'routes';
  const { bridge: own, containerPool } = settings;
  const blocks = [containerPool, ...network.subnets()];
  const listed = await output('ip', ['-json', '-4', 'route', 'show'], call);
  const met = foreignRoutes(listed?.trim() || '[]', own, blocks);
  if (met.length === 0) return { id, verdict: 'ok', detail: `nothing else routes into ${blocks.join(', ')}` };
  const told = met.map(({ block, destination, link }) => `${destination} to ${link} meets ${block}`);
  const hasSubnet = met.some(({ block }) => block !== containerPool);
  return {
    id,
    verdict: 'warning',
    detail: `another route leads into the addresses of containers: ${told.join(', ')}`,
    remedy: hasSubnet
      ? 'Give the network another subnet (hivemind network ls shows whose it is), or remove the route: ip route'
      : 'Give the node another --container-pool, or remove the route: ip route',
  };
}

function output(command: string, args: readonly string[], { signal }: Call): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(command, [...args], { signal }, (error, stdout) => resolve(error ? undefined : stdout));
  });
}
