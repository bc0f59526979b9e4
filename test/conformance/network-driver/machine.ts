/**
 * A machine of network namespaces, so that the real one is untouched: one namespace stands for the node, one for the
 * world outside, one for each container. Each is held by a process that ends with this one, and everything in it goes
 * with it, also when a test is killed.
 */
import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readlinkSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { until } from '../../kit/until.ts';

const run = promisify(execFile);
const stationFile = fileURLToPath(new URL('./station.mjs', import.meta.url));

/** What this machine lacks for these tests, or `''`. */
export function missingForNetwork(): string {
  if (process.platform !== 'linux') return 'not Linux';
  if (process.getuid?.() !== 0) return 'not root';
  for (const program of ['ip', 'nft', 'nsenter', 'unshare']) {
    if (spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0) return `no ${program}`;
  }
  return spawnSync('unshare', ['-n', 'nft', 'list', 'ruleset']).status === 0
    ? ''
    : 'no nftables in the kernel';
}

export interface Said {
  readonly said?: string;
  readonly error?: string;
}

/** A namespace with somebody in it. */
export interface Station {
  readonly pid: number;
  /** Standard output of a program run in the namespace. */
  run(program: string, ...args: string[]): Promise<string>;
  serve(protocol: 'tcp' | 'udp', port: number, name: string, address?: string): Promise<void>;
  /** What the other side says, `name from <our address as it sees it>`, or the error's code: `TIMEOUT` when nothing comes. */
  call(protocol: 'tcp' | 'udp', address: string, port: number, deadlineMs?: number): Promise<string>;
  /** As `call`, and the socket stays under this name. */
  keep(name: string, address: string, port: number, protocol?: 'tcp' | 'udp'): Promise<string>;
  talk(name: string, deadlineMs?: number): Promise<string>;
  end(): Promise<void>;
}

/** `plain`: nobody inside, just the namespace; starts faster. */
export async function openStation(plain = false): Promise<Station> {
  const inside = plain ? ['cat'] : [process.execPath, stationFile];
  const child = spawn('unshare', ['-n', ...inside], { stdio: ['pipe', 'pipe', 'inherit'] });
  const pid = child.pid ?? 0;
  const namespace = (of: number | 'self'): string | undefined => {
    try {
      return readlinkSync(`/proc/${of}/ns/net`);
    } catch {
      return undefined;
    }
  };
  await until(`process ${pid} has its own namespace`, () => {
    if (child.exitCode !== null) throw new Error(`unshare ended with ${child.exitCode}`);
    const own = namespace(pid);
    return own !== undefined && own !== namespace('self');
  });
  const ask = plain ? refuse : talkTo(child);
  if (!plain) await ask({ op: 'hello' });
  const within = async (program: string, ...args: string[]): Promise<string> =>
    (await run('nsenter', ['-t', `${pid}`, '-n', program, ...args])).stdout;
  const heard = async (command: object): Promise<string> => {
    const { said, error } = await ask(command);
    return said ?? error ?? '';
  };
  return {
    pid,
    run: within,
    serve: async (protocol, port, name, address) => {
      const { error } = await ask({ op: 'serve', protocol, port, name, address });
      if (error !== undefined) throw new Error(`${protocol} ${port} cannot be served: ${error}`);
    },
    call: (protocol, address, port, deadlineMs = 20_000) =>
      heard({ op: 'call', protocol, address, port, deadlineMs }),
    keep: (name, address, port, protocol = 'tcp') =>
      heard({ op: 'call', protocol, address, port, deadlineMs: 20_000, keep: name }),
    talk: (name, deadlineMs = 20_000) => heard({ op: 'talk', kept: name, deadlineMs }),
    end: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

function refuse(): Promise<Said> {
  return Promise.reject(new Error('nobody is in this namespace'));
}

function talkTo(child: ChildProcess): (command: object) => Promise<Said> {
  const waiting = new Map<number, (answer: Said) => void>();
  let ids = 0;
  createInterface({ input: child.stdout! }).on('line', (line) => {
    const { id, ...answer } = JSON.parse(line) as Said & { id: number };
    waiting.get(id)?.(answer);
    waiting.delete(id);
  });
  return (command) =>
    new Promise((resolve) => {
      // The first word is the station's own.
      const id = ids++;
      waiting.set(id, resolve);
      if (id > 0) child.stdin!.write(`${JSON.stringify({ id, ...command })}\n`);
    });
}

export interface Machine {
  readonly node: Station;
  readonly netns: string;
  readonly outside: Station;
  /** Addresses of the machine and of the world outside, on the wire between them. */
  readonly nodeAddress: string;
  readonly outsideAddress: string;
  /** A namespace that waits for its link. */
  container(plain?: boolean): Promise<Station>;
  close(): Promise<void>;
}

/** As a machine has them that nobody set up. */
export const freshSwitches =
  'echo 0 > /proc/sys/net/ipv4/ip_forward && echo 1 > /proc/sys/net/ipv4/conf/all/send_redirects';

export async function openMachine(): Promise<Machine> {
  const stations: Station[] = [];
  const station = async (plain = false): Promise<Station> => {
    const opened = await openStation(plain);
    stations.push(opened);
    return opened;
  };
  const [node, outside] = await Promise.all([station(), station()]);
  const [nodeAddress, outsideAddress] = ['192.0.2.1', '192.0.2.2'];
  await node.run('ip', 'link', 'set', 'lo', 'up');
  // New namespaces take it over from the real machine.
  await node.run('sh', '-c', freshSwitches);
  await node.run(
    'ip',
    'link',
    'add',
    'wan0',
    'type',
    'veth',
    'peer',
    'name',
    'eth0',
    'netns',
    `${outside.pid}`,
  );
  for (const [where, link, address] of [
    [node, 'wan0', nodeAddress],
    [outside, 'eth0', outsideAddress],
  ] as const) {
    await where.run('ip', 'address', 'add', `${address}/24`, 'dev', link);
    await where.run('ip', 'link', 'set', link, 'up');
  }
  return {
    node,
    netns: `/proc/${node.pid}/ns/net`,
    outside,
    nodeAddress,
    outsideAddress,
    container: station,
    close: async () => {
      await Promise.all(stations.map((one) => one.end()));
    },
  };
}
