/**
 * Durable writes a second of the embedded store, beside a single-member etcd (the distribution's binary, over gRPC)
 * on the same disk in the same run. One write is one key of 100 bytes, answered when it is on disk. Turns alternate,
 * because a shared disk drifts. No test asserts these figures.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, credentials } from '@grpc/grpc-js';
import { openEmbeddedStore } from '../../runtime/drivers/store/embedded/embedded-store.ts';
import { realClock } from '../../runtime/world/real-clock.ts';
import { realRandom } from '../../runtime/world/real-random.ts';
import { until } from '../kit/until.ts';

/** Writes a second; the p99 of one write in ms. */
export interface Rate {
  readonly perSecond: number;
  readonly p99Ms: number;
}

export interface StoreFigures {
  readonly embedded: { readonly sequential: Rate; readonly writers32: Rate };
  /** Absent where the machine has no etcd. */
  readonly etcd?: { readonly sequential: Rate; readonly writers32: Rate };
  /** Embedded over etcd. */
  readonly ratio?: { readonly sequential: number; readonly writers32: number };
}

interface Subject {
  put(key: string, value: string): Promise<void>;
  close(): Promise<void>;
}

const turns = 4;
const turnMs = 1_000;
const value = 'x'.repeat(100);

async function embedded(folder: string): Promise<Subject> {
  const store = await openEmbeddedStore({
    path: join(folder, 'store'),
    clock: realClock,
    random: realRandom,
  });
  const call = { key: 'bench', signal: new AbortController().signal };
  let requests = 0;
  return {
    put: async (key) => {
      await store.txn({ requestId: `${++requests}`, compare: [], then: [{ op: 'put', key, value }] }, call);
    },
    close: () => store.close(),
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** `etcdserverpb.PutRequest`: two byte strings, each below 128 bytes. */
function putRequest({ key, value: text }: { key: string; value: string }): Buffer {
  const field = (number: number, bytes: Buffer): Buffer =>
    Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
  return Buffer.concat([field(1, Buffer.from(key)), field(2, Buffer.from(text))]);
}

/** Like a user's: one member, everything at its defaults. */
async function etcd(folder: string): Promise<Subject> {
  const [clientUrl, peerUrl] = [await freePort(), await freePort()].map((port) => `http://127.0.0.1:${port}`);
  const child = spawn(
    'etcd',
    [
      ['--name', 'bench', '--data-dir', join(folder, 'etcd'), '--log-level', 'error', '--logger', 'zap'],
      ['--listen-client-urls', clientUrl!, '--advertise-client-urls', clientUrl!],
      ['--listen-peer-urls', peerUrl!, '--initial-advertise-peer-urls', peerUrl!],
      ['--initial-cluster', `bench=${peerUrl!}`],
    ].flat(),
    { stdio: 'ignore' },
  );
  const client = new Client(clientUrl!.slice('http://'.length), credentials.createInsecure());
  const put: Subject['put'] = (key, text) =>
    new Promise((resolve, reject) =>
      client.makeUnaryRequest(
        '/etcdserverpb.KV/Put',
        putRequest,
        (bytes) => bytes,
        { key, value: text },
        (error) => (error ? reject(error) : resolve()),
      ),
    );
  const close = async (): Promise<void> => {
    client.close();
    if (child.exitCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  try {
    const answers = (): Promise<boolean> =>
      put('ready', value).then(
        () => true,
        () => false,
      );
    await until('etcd answers', answers, 20_000);
  } catch (error) {
    await close();
    throw error;
  }
  return { put, close };
}

interface Sample {
  readonly latencies: number[];
  ms: number;
}

async function turn(subject: Subject, writers: number, sample: Sample): Promise<void> {
  const from = performance.now();
  const writer = async (name: number): Promise<void> => {
    for (let count = 0; performance.now() - from < turnMs; count++) {
      const start = performance.now();
      await subject.put(`w${name}/${count % 1_000}`, value);
      sample.latencies.push(performance.now() - start);
    }
  };
  await Promise.all(Array.from({ length: writers }, (_, name) => writer(name)));
  sample.ms += performance.now() - from;
}

function rate({ latencies, ms }: Sample): Rate {
  const sorted = latencies.toSorted((a, b) => a - b);
  const p99 = sorted[Math.floor(sorted.length * 0.99)] ?? 0;
  return { perSecond: Math.round((sorted.length * 1_000) / ms), p99Ms: Math.round(p99 * 100) / 100 };
}

const quotient = (a: Rate, b: Rate): number => Math.round((a.perSecond / b.perSecond) * 100) / 100;

/** Takes about 16 s. */
export async function measureStore(): Promise<StoreFigures> {
  const folder = mkdtempSync(join(tmpdir(), 'hivemind-bench-store-'));
  const peers = spawnSync('etcd', ['--version']).status === 0;
  const subjects: Subject[] = [];
  try {
    subjects.push(await embedded(folder));
    if (peers) subjects.push(await etcd(folder));
    const samples = subjects.map(() => [1, 32].map((): Sample => ({ latencies: [], ms: 0 })));
    for (let i = 0; i < turns; i++) {
      for (const [index, subject] of subjects.entries()) {
        await turn(subject, 1, samples[index]![0]!);
        await turn(subject, 32, samples[index]![1]!);
      }
    }
    const [ours, theirs] = samples.map(([one, many]) => ({ sequential: rate(one!), writers32: rate(many!) }));
    if (!theirs) return { embedded: ours! };
    const ratio = {
      sequential: quotient(ours!.sequential, theirs.sequential),
      writers32: quotient(ours!.writers32, theirs.writers32),
    };
    return { embedded: ours!, etcd: theirs, ratio };
  } finally {
    for (const subject of subjects) await subject.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv[1] === import.meta.filename) console.log(JSON.stringify(await measureStore(), null, 2));
