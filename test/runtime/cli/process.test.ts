/** The bundled tool as a process: what it loads, its exit codes, a real terminal, pipes that close, Ctrl-C. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Metafile } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readEnvironment } from '../../../runtime/config/environment.ts';
import { until } from '../../kit/until.ts';
import { bundleTool } from './kit/bundle.ts';
import { Lines, type NodeDouble } from './kit/node-double.ts';
import { shopNode, slot, view, asViews } from './kit/shop.ts';

let node: NodeDouble;
let directory: string;
let bundle: Metafile;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hivemind-bundle-'));
  bundle = await bundleTool(directory);
  node = shopNode();
  await node.listen();
});
afterAll(async () => {
  await node.close();
  await rm(directory, { recursive: true });
});

interface Process {
  readonly child: ChildProcess;
  output(): string;
  /** Exit code, or the signal's name. */
  readonly ended: Promise<number | string | null>;
}

function start(command: string, args: readonly string[]): Process {
  const child = spawn(command, args, {
    cwd: directory,
    env: { PATH: readEnvironment()['PATH'], TERM: 'xterm', HIVEMIND_ADDRESS: node.socket },
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const ended = new Promise<number | string | null>((resolve) => {
    child.on('close', (code, signal) => resolve(code ?? signal));
  });
  return { child, output: () => text, ended };
}

const script = (): string => join(directory, 'hivemind.js');
const hive = (...args: string[]): Process => start('node', [script(), ...args]);
const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
/** In a pseudo-terminal of util-linux's `script`, which passes the exit code on. */
const inTerminal = (...args: string[]): Process =>
  start('script', [
    '-qec',
    ['stty rows 24 cols 80;', 'exec node', script(), ...args.map(quote)].join(' '),
    '/dev/null',
  ]);

test('what loads at once: the commands and commander, nothing of a node', () => {
  const { outputs } = bundle;
  const [entry] = Object.entries(outputs).find(([, output]) => output.entryPoint === 'runtime/hivemind.ts')!;
  const eager = new Set([entry]);
  for (const path of eager) {
    for (const each of outputs[path]!.imports) {
      if (each.kind === 'import-statement' && !each.external) eager.add(each.path);
    }
  }
  const loaded = [...eager].flatMap((path) => Object.keys(outputs[path]!.inputs));
  const packages = new Set(
    loaded.flatMap((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []),
  );
  expect([...packages]).toEqual(['commander']);
  const ours =
    /^(protocols|runtime\/cli|runtime\/hivemind\.ts|runtime\/config\/environment\.ts|runtime\/world\/real-clock\.ts|package\.json)/;
  expect(loaded.filter((path) => !path.startsWith('node_modules/') && !ours.test(path))).toEqual([]);
});

test('ps in a pipe', async () => {
  const ps = hive('ps');
  expect(await ps.ended).toBe(0);
  expect(ps.output()).toMatch(/^NAME .*\nshop\/db\.1 /);
  expect(ps.output()).not.toContain('\u001b');
});

test('exit codes reach the shell', async () => {
  for (const [args, code] of [
    [['dploy'], 2],
    [['why', 'nope'], 3],
    [['ps', '--address', '/nowhere'], 1],
  ] as const) {
    expect(await hive(...args).ended).toBe(code);
  }
});

test('exec -i ends with the remote command, though standard input is still open', async () => {
  node.exec = (socket) => {
    socket.on('message', (_bytes: Buffer, isBinary) => {
      if (!isBinary) socket.send(Buffer.concat([Buffer.from([3]), Buffer.from('{"code":5}')]));
    });
  };
  expect(await hive('exec', '-i', 'shop/db.1', '--', 'true').ended).toBe(5);
});

test('a reader that goes away is no failure', async () => {
  const many = Array.from({ length: 20_000 }, (_, seq) => ({
    slot: 'shop/db.1',
    run: '1.1',
    stream: 'stdout',
    at: seq,
    text: `line ${seq}`,
  }));
  node.on('GET /v1/containers/shop/db.1/logs', () => new Lines(many));
  const piped = start('sh', ['-c', `node ${script()} logs db.1 | head -n 1; echo done`]);
  expect(await piped.ended).toBe(0);
  expect(piped.output()).toBe('line 0\ndone\n');
});

test('Ctrl-C during a deployment: exit 130 and how to go on', async () => {
  await writeFile(join(directory, 'compose.yaml'), 'name: shop\nservices: { web: { image: i } }');
  node.on('PUT /v1/apps/shop', () => ({ app: 'shop', revision: 3, changed: true }));
  node.on('GET /v1/apps/shop', () => ({
    view: view(asViews([slot('web', 1, { phase: 'starting', readiness: 'none' })])),
  }));
  const deploy = hive('deploy');
  await until('a first line', () => deploy.output().includes('shop/web.1'));
  deploy.child.kill('SIGINT');
  expect(await deploy.ended).toBe(130);
  expect(deploy.output()).toContain('continues in the background. Follow: hivemind ps shop -w');
});

test('deploy on a real terminal: 25 slots in 24 rows, the cursor is back', async () => {
  const ready = Array.from({ length: 25 }, (_, i) => slot('web', i + 1));
  let looks = 0;
  node.on('GET /v1/apps/shop', () => {
    looks += 1;
    const list = ready.map((one, i) =>
      i < looks * 9 ? one : { ...one, phase: 'starting' as const, readiness: 'none' as const },
    );
    return { view: view(asViews(list)) };
  });
  const deploy = inTerminal('deploy');
  expect(await deploy.ended).toBe(0);
  const output = deploy.output();
  for (const drawn of output.split('\u001b[?25l')) {
    // eslint-disable-next-line no-control-regex
    const lines = drawn.replaceAll(/\u001b\[[0-9;?]*[a-zA-Z]/g, '').split(/\r?\n/);
    expect(lines.length).toBeLessThanOrEqual(23);
    for (const line of lines) expect([...line].length).toBeLessThanOrEqual(80);
  }
  expect(output).toContain('25/25 ready');
  expect(output.lastIndexOf('\u001b[?25h')).toBeGreaterThan(output.lastIndexOf('\u001b[?25l'));
});

test('exec -it in a real terminal: keys go through raw, its size is told, its exit code is ours', async () => {
  const frames: [number, string][] = [];
  let order: Record<string, unknown> = {};
  node.exec = (socket) => {
    const say = (channel: number, text: string): void =>
      socket.send(Buffer.concat([Buffer.from([channel]), Buffer.from(text)]));
    socket.on('message', (bytes: Buffer, isBinary) => {
      if (!isBinary) {
        order = JSON.parse(bytes.toString()) as Record<string, unknown>;
        return say(1, 'remote$ ');
      }
      frames.push([bytes[0]!, bytes.subarray(1).toString()]);
      if (bytes.includes(3)) say(3, '{"code":7}');
    });
  };
  const exec = inTerminal('exec', '-it', 'shop/db.1', '--', 'sh');
  await until('the prompt', () => exec.output().includes('remote$ '));
  // Ctrl-C as a key: raw mode sends it on instead of ending us.
  exec.child.stdin!.write('ls\u0003');
  expect(await exec.ended).toBe(7);
  expect(order).toMatchObject({ terminal: true, size: { columns: 80, rows: 24 } });
  expect(
    frames
      .filter(([channel]) => channel === 0)
      .map(([, text]) => text)
      .join(''),
  ).toBe('ls\u0003');
  expect(exec.output()).not.toContain('ls');
});

test('Ctrl-C at a question is a no', async () => {
  node.on('GET /v1/apps/shop', () => ({ view: view([]), spec: { volumes: {} }, record: {} }));
  const removal = inTerminal('rm', 'shop');
  await until('the question', () => removal.output().includes('Type shop to go on'));
  removal.child.stdin!.write('\u0003');
  expect(await removal.ended).toBe(1);
  expect(removal.output()).toContain('Nothing was removed.');
  expect(node.requests.some(({ method }) => method === 'DELETE')).toBe(false);
});
