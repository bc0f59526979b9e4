/**
 * The API in front of a real node: the real tree and kernel, in real time, over scripted containers and a store in
 * memory. Only logs and the doctor are the test's own. Everything is asked over real sockets.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AppSpec, ServiceSpec } from '../../../protocols/apps/model.ts';
import type { ClusterHandle } from '../../../runtime/cluster/handle.ts';
import { serveApi, type RunningApi } from '../../../runtime/api/server.ts';
import { ScriptedImages, scriptedImageSource } from '../../../runtime/drivers/container/scripted/images.ts';
import { ScriptedMachine } from '../../../runtime/drivers/container/scripted/machine.ts';
import { scriptedRuntime } from '../../../runtime/drivers/container/scripted/runtime.ts';
import type { ScriptOf } from '../../../runtime/drivers/container/scripted/script.ts';
import { MemoryGrants } from '../../../runtime/drivers/grants/memory-grants.ts';
import { unsealFrom, withGrants } from '../../../runtime/drivers/grants/unseal.ts';
import { openJournal } from '../../../runtime/drivers/journal/journal.ts';
import { MemoryNetwork } from '../../../runtime/drivers/network/memory/memory-network.ts';
import { MemoryKeys } from '../../../runtime/drivers/secrets/key-ring.ts';
import { createSecretBox } from '../../../runtime/drivers/secrets/secret-box.ts';
import { createMemoryStore } from '../../../runtime/drivers/store/memory/memory-store.ts';
import { scriptedProbe } from '../../../runtime/drivers/probe/scripted-probe.ts';
import { MemoryVolumes } from '../../../runtime/drivers/volume/memory.ts';
import type { Finding, LogLine, LogStore } from '../../../runtime/node-handle.ts';
import { startNode, type RunningNode } from '../../../runtime/node.ts';
import { createLogger } from '../../../runtime/telemetry/logger.ts';
import { measureMachine } from '../../../runtime/world/machine.ts';
import { realClock } from '../../../runtime/world/real-clock.ts';
import { realRandom } from '../../../runtime/world/real-random.ts';
import { MemoryNames } from '../../../runtime/drivers/dns/memory-names.ts';
import { VirtualDisk } from '../../../runtime/world/simulated/virtual-disk.ts';
import type { World } from '../../../runtime/world/world.ts';
import { until } from '../../kit/until.ts';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly json: unknown;
}

export interface Asked {
  readonly body?: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface ApiRig {
  readonly node: RunningNode;
  readonly api: RunningApi;
  readonly directory: string;
  readonly token: string;
  readonly logs: TestLogs;
  readonly images: ScriptedImages;
  readonly grants: MemoryGrants;
  /** Over the unix socket. */
  ask(method: string, path: string, asked?: Asked): Promise<Answer>;
  /** Over TCP, with the token unless headers say otherwise. */
  askTcp(method: string, path: string, asked?: Asked): Promise<Answer>;
  /** The response with its body unread. */
  open(path: string, headers?: Readonly<Record<string, string>>): Promise<IncomingMessage>;
  deploy(spec: AppSpec): Promise<void>;
  end(): Promise<void>;
}

/** With a `cluster` the node is one of several. */
export async function apiRig(cluster?: ClusterHandle): Promise<ApiRig> {
  const directory = await mkdtemp(join(tmpdir(), 'hivemind-api-'));
  const logs = new TestLogs();
  const images = new ScriptedImages(['hello-web', 'hello-store', 'spare']);
  const node = await startNode(world(images, logs, cluster), settings);
  const tokenPath = join(directory, 'token');
  const api = await serveApi(node, {
    socketPath: join(directory, 'run', 'n1.sock'),
    address: { host: '127.0.0.1', port: 0 },
    tokenPath,
    importDir: join(directory, 'import'),
    collection: { settings: { unusedMs: 86_400_000, highShare: 1, lowShare: 1 }, unusedSince: {} },
    logger: createLogger({ level: 'silent', node: 'n1' }),
  });
  const token = (await readFile(tokenPath, 'utf8')).trim();
  const { hostname: host, port } = new URL(api.url);
  const local = { socketPath: api.socketPath };
  const ask = (method: string, path: string, asked: Asked = {}) => send(local, method, path, asked);
  const rig: ApiRig = {
    node,
    api,
    directory,
    token,
    logs,
    images,
    grants: node.ports.grants as MemoryGrants,
    ask,
    askTcp: (method, path, asked = {}) =>
      send({ host, port }, method, path, { headers: { authorization: `Bearer ${token}` }, ...asked }),
    open: (path, headers = {}) => opened(local, 'GET', path, { headers }),
    deploy: async (spec) => {
      const { status, text } = await ask('PUT', `/v1/apps/${spec.name}`, json({ spec }));
      if (status !== 200) throw new Error(text);
      await until(`${spec.name} runs`, async () => {
        const { json: shown } = await ask('GET', `/v1/apps/${spec.name}`);
        return (shown as { view: { converged: boolean } }).view.converged;
      });
    },
    end: async () => {
      await api.close();
      await node.stop();
      await rm(directory, { recursive: true });
    },
  };
  await until('the node is ready', async () => (await ask('GET', '/readyz')).status === 200);
  return rig;
}

const settings = {
  name: 'n1',
  version: '0.0.1',
  containerPool: '10.42.0.0/16',
  bridge: 'hive0',
  networkTag: 'hmtest',
  mtu: 1500,
  dnsPort: 53,
  upstreams: [],
};

/** Says a line and fails, echoes, or is not found. */
const scriptOf: ScriptOf = () => ({
  createMs: 1,
  startMs: 1,
  stop: { afterMs: 1 },
  execs: { greet: [{ fromMs: 0, code: 3, output: 'hello\n' }], cat: [{ fromMs: 0, code: 0, echoes: true }] },
});

function world(images: ScriptedImages, logs: LogStore, cluster: ClusterHandle | undefined): World {
  const open: World['open'] = async () => {
    const machine = new ScriptedMachine(realClock, realRandom, scriptOf);
    const runtime = scriptedRuntime(machine, images, realClock);
    const disk = new VirtualDisk(realClock, realRandom).mount();
    const { journal, recovered, close } = await openJournal({ disk, clock: realClock, path: '/journal' });
    const store = createMemoryStore({ clock: realClock, random: realRandom });
    const secrets = createSecretBox({ storage: new MemoryKeys(), random: realRandom, store: () => store });
    const grants = new MemoryGrants(realClock, unsealFrom({ store, secrets }));
    const ports = {
      store,
      journal,
      containers: withGrants(runtime, grants),
      images: scriptedImageSource(images, machine.engine),
      network: new MemoryNetwork(),
      volumes: new MemoryVolumes(),
      names: new MemoryNames(),
      probes: scriptedProbe(machine, realClock),
      secrets,
      grants,
    };
    const findings: Finding[] = [
      { id: 'disk', verdict: 'warning', detail: 'nearly full', remedy: 'free some' },
    ];
    return {
      ports,
      logs,
      ...(cluster ? { cluster } : {}),
      recovered,
      doctor: ({ mend }) => Promise.resolve(findings.map((one) => (mend ? { ...one, mended: 'some' } : one))),
      machine: () => measureMachine(tmpdir(), { zone: 'a' }),
      close: async () => {
        await close();
        await store.close();
        runtime.close();
      },
    };
  };
  return { clock: realClock, random: realRandom, open };
}

/** Lines as the test writes them. */
export class TestLogs implements LogStore {
  readonly #lines: LogLine[] = [];
  readonly #listeners = new Set<(line: LogLine) => void>();

  get followers(): number {
    return this.#listeners.size;
  }

  write(slot: string, text: string): void {
    const line: LogLine = { slot, run: '1.1', stream: 'stdout', at: 1, text, place: '1.1:1:0' };
    this.#lines.push(line);
    for (const listener of this.#listeners) listener(line);
  }

  isMute(slot: string): boolean {
    return slot.startsWith('mute/');
  }

  read({ slot, tail }: { slot: string; tail: number }): Promise<readonly LogLine[]> {
    return Promise.resolve(tail === 0 ? [] : this.#lines.filter((line) => line.slot === slot).slice(-tail));
  }

  follow({ slot, tail }: { slot: string; tail: number }, listener: (line: LogLine) => void): () => void {
    const own = (line: LogLine): void => {
      if (line.slot === slot) listener(line);
    };
    void this.read({ slot, tail }).then((lines) => lines.forEach(own));
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }
}

export function service(name: string, more: Partial<ServiceSpec> = {}): ServiceSpec {
  return {
    name,
    image: 'hello-web',
    environment: { SECRET_TOKEN: 'tell-nobody' },
    ports: [],
    mounts: [],
    dependsOn: [],
    restart: { condition: 'always' },
    replicas: 1,
    networkMode: 'app',
    stopGraceMs: 1_000,
    ...more,
  };
}

export function app(name: string, ...services: readonly ServiceSpec[]): AppSpec {
  return { name, services: Object.fromEntries(services.map((one) => [one.name, one])), volumes: {} };
}

export const json = (value: unknown): Asked => ({
  body: JSON.stringify(value),
  headers: { 'content-type': 'application/json' },
});

type Place = { readonly socketPath: string } | { readonly host: string; readonly port: string };

function opened(
  place: Place,
  method: string,
  path: string,
  { body, headers }: Asked,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const sent = request({ ...place, method, path, headers: { ...headers }, agent: false }, resolve);
    sent.on('error', reject);
    sent.end(body);
  });
}

async function send(place: Place, method: string, path: string, asked: Asked): Promise<Answer> {
  const response = await opened(place, method, path, asked);
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString('utf8');
  const isJson = /^application\/(problem\+)?json/.test(response.headers['content-type'] ?? '');
  return {
    status: response.statusCode!,
    headers: response.headers,
    text,
    json: isJson ? JSON.parse(text) : undefined,
  };
}

/** The lines of an NDJSON or SSE answer as they come. */
export async function* linesOf(response: IncomingMessage): AsyncGenerator<string> {
  let rest = '';
  response.setEncoding('utf8');
  for await (const chunk of response as AsyncIterable<string>) {
    const parts = (rest + chunk).split('\n');
    rest = parts.pop()!;
    yield* parts;
  }
}
