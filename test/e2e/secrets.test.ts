/**
 * A planted secret, for real: deployed as file and config, from the app and from the secret store, rotated, in a
 * container that fails, through kill −9 of the daemon and errors. Its bytes are then looked for, in four encodings, in
 * everything that is on disk, in processes, and in what the API and the tool answer.
 */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AppSpec, ServiceSpec } from '../../protocols/apps/model.ts';
import type { ServiceParts } from '../../protocols/apps/service-model.ts';
import { routes } from '../../runtime/api/app.ts';
import { networkTag } from '../../runtime/purge.ts';
import { grantsFolder } from '../../runtime/drivers/grants/tmpfs-grants.ts';
import { missingForDaemon, startDaemon, type TestDaemon } from '../kit/node/daemon.ts';
import { importBusybox } from '../kit/node/images.ts';
import { until } from '../kit/until.ts';

const missing = missingForDaemon();
if (missing) console.log(`skipped: ${missing}`);
const run = promisify(execFile);

/** With characters that every encoding changes. */
const marker = (nth: string): string => `PLANTED<${nth}>&/é?=+secret`;
const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe.skipIf(missing !== undefined)('a planted secret', () => {
  let daemon: TestDaemon;
  let outside: string;
  const answers: string[] = [];

  beforeAll(async () => {
    outside = await mkdtemp(join(tmpdir(), 'hm-planted-'));
    daemon = await startDaemon({}, ['--log-level', 'debug']);
    await importBusybox(daemon);
  });
  afterAll(async () => {
    await daemon?.end();
    await rm(outside, { recursive: true });
  });

  const cli = async (...args: string[]) => {
    const result = await daemon.cli(...args);
    answers.push(result.stdout, result.stderr);
    return result;
  };
  const service = (name: string, script: string, more: Partial<ServiceSpec> & ServiceParts): ServiceSpec => ({
    name,
    image: 'busybox',
    entrypoint: ['/bin/sh', '-c', script],
    environment: {},
    ports: [],
    mounts: [],
    dependsOn: [],
    restart: { condition: 'always' },
    replicas: 1,
    networkMode: 'none',
    stopGraceMs: 500,
    ...more,
  });
  const grant = (source: string, target: string) => ({ kind: 'secret' as const, source, target });
  /** Each shows only how long its files are, and `id` who may read them. */
  const spec = (nth: string): AppSpec => ({
    name: 'plant',
    volumes: {},
    secrets: {
      own: { name: 'own', content: base64(marker(`own-${nth}`)) },
      kept: { name: 'kept', externalName: 'kept' },
    },
    configs: { conf: { name: 'conf', content: base64(marker(`config-${nth}`)) } },
    services: {
      reader: service('reader', 'trap "" HUP; while true; do sleep 1; done', {
        files: [
          grant('own', '/run/secrets/own'),
          grant('kept', '/run/secrets/kept'),
          { kind: 'config', source: 'conf', target: '/etc/plant.conf', uid: 1000, gid: 1000, mode: 0o440 },
        ],
      }),
      signalled: service('signalled', 'trap "echo renewed" HUP; while true; do sleep 1; done', {
        files: [grant('kept', '/run/secrets/kept'), grant('kept', '/etc/kept')],
        onSecretChange: { signal: 'SIGHUP' },
      }),
      failing: service('failing', 'exit 3', { files: [grant('own', '/run/secrets/own')] }),
    },
  });
  /** Also the text of what is refused. */
  const send = (method: string, path: string, body?: unknown) =>
    new Promise<{ status: number; text: string }>((done, failed) => {
      const headers = { 'content-type': 'application/json' };
      const asked = request({ socketPath: daemon.socketPath, method, path, headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          answers.push(text);
          done({ status: response.statusCode ?? 0, text });
        });
      });
      asked.on('error', failed);
      asked.end(body === undefined ? undefined : JSON.stringify(body));
    });
  const inside = async (slot: string, ...command: string[]) =>
    (await daemon.cli('exec', slot, '--', ...command)).stdout;
  const running = (slot: string) =>
    until(`${slot} runs`, async () =>
      (await daemon.slots()).find((one) => one.slot === slot && one.phase === 'running'),
    );
  const setKept = async (value: string, ...verb: string[]) => {
    const file = join(outside, 'value');
    await writeFile(file, value);
    expect((await cli('secret', ...verb, 'kept', '--file', file)).code).toBe(0);
    await rm(file);
  };

  test('reaches the container, with the owner and mode that were asked', async () => {
    await setKept(marker('kept-1'), 'set');
    expect((await send('PUT', '/v1/apps/plant', { spec: spec('1') })).status).toBe(200);
    await running('plant/reader.1');
    expect(await inside('plant/reader.1', 'cat', '/run/secrets/own')).toBe(marker('own-1'));
    expect(await inside('plant/reader.1', 'cat', '/run/secrets/kept')).toBe(marker('kept-1'));
    expect(await inside('plant/reader.1', 'cat', '/etc/plant.conf')).toBe(marker('config-1'));
    const { pid } = await getPid('plant/reader.1');
    const seen = async (path: string) => {
      const { mode, uid } = await stat(`/proc/${pid}/root${path}`);
      return [uid, (mode & 0o777).toString(8)];
    };
    expect(await seen('/run/secrets/own')).toEqual([0, '400']);
    expect(await seen('/etc/plant.conf')).toEqual([1000, '440']);
    expect(await readFile(`/proc/${pid}/mountinfo`, 'utf8')).toMatch(/ \/run\/secrets ro.* - tmpfs /);
  });

  /** The first process of a container, by its slot in its environment. */
  const getPid = async (slot: string): Promise<{ pid: string }> => {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        if (readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`HIVEMIND_SLOT=${slot}\0`)) return { pid };
      } catch {
        // It ended meanwhile.
      }
    }
    throw new Error(`no process of ${slot}`);
  };

  test('rotated, restarts who wants that, and renews in place for who wants a signal', async () => {
    const before = await running('plant/signalled.1');
    const reader = await running('plant/reader.1');
    await setKept(marker('kept-2'), 'rotate');
    await until(
      'the reader has the new one',
      async () => (await inside('plant/reader.1', 'cat', '/run/secrets/kept')) === marker('kept-2'),
    );
    await until('the other was told', async () =>
      (await daemon.cli('logs', 'plant/signalled.1')).stdout.includes('renewed'),
    );
    for (const path of ['/run/secrets/kept', '/etc/kept'])
      expect(await inside('plant/signalled.1', 'cat', path)).toBe(marker('kept-2'));
    expect((await running('plant/signalled.1')).containerId).toBe(before.containerId);
    expect((await running('plant/reader.1')).placement).toBe(reader.placement + 1);
  });

  test('outlives the daemon, and its files go with their containers', async () => {
    await daemon.stop('SIGKILL');
    await daemon.start(['--log-level', 'debug']);
    await running('plant/reader.1');
    // A kill alone loses no event, so nothing of it is told.
    const events = (await cli('events')).stdout;
    expect(events).toContain('node.started');
    expect(events).not.toContain('event log');
    expect(await inside('plant/reader.1', 'cat', '/run/secrets/own')).toBe(marker('own-1'));
    expect((await cli('secret', 'rm', 'kept')).code).toBe(5);
    expect((await cli('secret', 'rekey')).code).toBe(0);
    await cli('restart', 'plant/reader');
    await until(
      'it runs anew',
      async () => (await inside('plant/reader.1', 'cat', '/run/secrets/own')) !== '',
    );
  });

  test('errors tell nothing of it', async () => {
    const wrong = spec('wrong');
    const bad = { ...wrong, services: { ...wrong.services, reader: { image: 7 } } };
    expect((await send('PUT', '/v1/apps/plant', { spec: bad })).status).toBe(400);
    const large = {
      ...wrong,
      configs: { big: { name: 'big', content: base64(marker('x').repeat(30_000)) } },
    };
    expect((await send('PUT', '/v1/apps/plant', { spec: large })).status).toBeGreaterThanOrEqual(400);
    expect((await send('POST', '/v1/apps/plant/plan', { spec: spec('2') })).status).toBe(200);
    await cli('secret', 'set', 'kept', marker('argument'));
    await cli('why', 'plant/failing.1');
  });

  /** All that the node tells, by where. */
  const told = async (): Promise<[string, string][]> => {
    const places: [string, string][] = [];
    const look = async (path: string) => places.push([path, (await send('GET', path)).text]);
    for (const { path } of routes.filter((route) => route.method === 'get'))
      for (const concrete of concretePaths(path)) await look(concrete);
    const { text } = await send('GET', '/v1/actors');
    for (const { path } of (JSON.parse(text) as { actors: { path: string }[] }).actors)
      await look(`/v1/actors/show?path=${encodeURIComponent(path)}`);
    places.push(['answers of the tool and of changes', answers.join('\n')]);
    places.push(['the daemon’s log', daemon.log()]);
    return places;
  };

  test('is in no file, answer, log, process or inspection', async () => {
    const places = await told();
    const grants = grantsFolder(networkTag(daemon.name));
    const elsewhere = (await filesUnder('/run/hivemind')).filter((file) => !file.startsWith(grants));
    for (const file of await filesUnder(daemon.dir)) places.push([file, await readFile(file, 'latin1')]);
    // Files of other nodes come and go.
    for (const file of elsewhere) places.push([file, await readFile(file, 'latin1').catch(() => '')]);
    for (const pid of [daemon.pid, daemon.containerdPid()])
      for (const file of ['cmdline', 'environ'])
        places.push([`/proc/${pid}/${file}`, await readFile(`/proc/${pid}/${file}`, 'latin1')]);
    places.push(['arguments and environments', (await run('ps', ['axeww'], { maxBuffer: 64 << 20 })).stdout]);

    const find = finderOf(['own-1', 'kept-1', 'kept-2', 'config-1', 'own-2', 'wrong', 'config-2']);
    expect(find(places)).toEqual([]);
    expect(places.length).toBeGreaterThan(40);
    // Where it must be, the same search finds it.
    const memory = await Promise.all(
      (await filesUnder(grants)).map(async (file): Promise<[string, string]> => [
        file,
        await readFile(file, 'latin1'),
      ]),
    );
    expect(find(memory).length).toBeGreaterThan(2);
  }, 120_000);

  test('is not in a debug bundle, nor is a value of an environment', async () => {
    const value = marker('environment');
    const plain = service('plain', 'echo hello; sleep 1000', { environment: { PLAIN: value } });
    const app = { name: 'plain', volumes: {}, services: { plain } };
    expect((await send('PUT', '/v1/apps/plain', { spec: app })).status).toBe(200);
    await running('plain/plain.1');
    const file = join(outside, 'bundle.tar.gz');
    const bundle = await daemon.cli('debug', 'bundle', '--file', file, '--', '--data-dir', daemon.dataDir);
    expect([bundle.code, bundle.stderr]).toEqual([0, '']);
    const bytes = gunzipSync(await readFile(file));
    expect(bytes.length).toBeLessThan(32 << 20);
    for (const nth of ['own-1', 'kept-1', 'kept-2', 'config-1', 'environment'])
      for (const form of [marker(nth), base64(marker(nth)), encodeURIComponent(marker(nth))])
        expect([nth, form, bytes.includes(form)]).toEqual([nth, form, false]);
    for (const part of [
      'apps/plain.json',
      'apps/plant.json',
      'transcript.jsonl',
      'store-and-journal.txt',
      '"PLAIN": "[masked]"',
    ])
      expect([part, bytes.includes(part)]).toEqual([part, true]);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    await daemon.cli('rm', '-y', 'plain');
  }, 60_000);

  test('in an environment or a command is told by nothing but the container', async () => {
    const [password, url, word] = ['env-password', 'env-url', 'env-word'].map(marker) as [
      string,
      string,
      string,
    ];
    const file = join(outside, 'compose.yaml');
    const loop = `entrypoint: [/bin/sh, -c, 'trap "" HUP; while true; do sleep 1; done']`;
    await writeFile(
      file,
      `name: envs
services:
  web:
    image: busybox
    network_mode: none
    ${loop}
    environment:
      LEVEL: info
      DB_PASSWORD: '${password}'
      DATABASE_URL: 'postgres://u:${encodeURIComponent(url)}@db/x'
    labels: { com.example.token: '${word}' }
  sick:
    image: busybox
    network_mode: none
    ${loop}
    environment: { API_TOKEN: '${password}' }
    healthcheck: { test: [CMD, /no/such, '--token=${word}'], interval: 1s, retries: 1 }
  broken:
    image: busybox
    network_mode: none
    entrypoint: [/no/such, --password, '${word}']
`,
    );
    await cli('plan', '-f', file);
    await cli('deploy', '-f', file, '--detach');
    await running('envs/web.1');
    expect(await inside('envs/web.1', 'sh', '-c', 'echo "$DB_PASSWORD"')).toBe(`${password}\n`);
    await until('the sick one is unhealthy, the broken one cannot start', async () => {
      const codes = (await daemon.slots()).map(({ slot, reason }) => [slot, reason?.code]);
      return (
        codes.some(([slot, code]) => slot === 'envs/sick.1' && code !== undefined) &&
        codes.some(([slot, code]) => slot === 'envs/broken.1' && code !== undefined)
      );
    });
    for (const slot of ['web.1', 'sick.1', 'broken.1']) await cli('why', `envs/${slot}`);
    await cli('status', 'envs', '-o', 'yaml');
    await cli('api', 'GET', '/v1/apps/envs');
    await cli('events');
    await cli('restart', 'envs/web');
    const find = finderOf(['env-password', 'env-url', 'env-word']);
    expect(find(await told())).toEqual([]);
    const bundle = join(outside, 'envs.tar.gz');
    expect(
      (await daemon.cli('debug', 'bundle', '--file', bundle, '--', '--data-dir', daemon.dataDir)).code,
    ).toBe(0);
    expect(find([['the bundle', gunzipSync(await readFile(bundle)).toString('latin1')]])).toEqual([]);
    // Asked for outright, by who may: the same search finds it.
    const revealed = await daemon.cli('status', 'envs', '--json', '--show-secrets');
    expect(find([['revealed', revealed.stdout]]).length).toBeGreaterThan(2);
    expect((await daemon.cli('events')).stdout).toContain('true values of envs');
    await daemon.cli('rm', '-y', 'envs');
  }, 120_000);

  test('leaves nothing mounted when the app is gone', async () => {
    await cli('rm', 'plant', '--yes');
    await until('the app is gone', async () => (await daemon.slots()).length === 0);
    const folder = grantsFolder(networkTag(daemon.name));
    await until('nothing is mounted', async () => !(await readFile('/proc/mounts', 'utf8')).includes(folder));
  });
});

/** Where one of the markers stands, in any of its encodings. */
function finderOf(markers: readonly string[]) {
  const needles = markers.flatMap((nth) => {
    const bytes = Buffer.from(marker(nth));
    return [marker(nth), bytes.toString('latin1'), bytes.toString('base64'), bytes.toString('hex')].concat(
      encodeURIComponent(marker(nth)),
      JSON.stringify(marker(nth)).slice(1, -1),
    );
  });
  return (places: readonly (readonly [where: string, content: string])[]): readonly string[] =>
    places.flatMap(([where, content]) =>
      needles.filter((needle) => content.includes(needle)).map((needle) => `${where}: ${needle}`),
    );
}

const sample: Readonly<Record<string, readonly string[]>> = {
  '{name}': ['plant', 'kept', 'envs'],
  '{slot}': ['plant%2Freader.1', 'plant%2Ffailing.1', 'envs%2Fsick.1', 'envs%2Fbroken.1'],
};
function concretePaths(path: string): readonly string[] {
  if (path.includes('stream') || path.includes('actors/show')) return [];
  const blank = Object.keys(sample).find((word) => path.includes(word));
  return blank === undefined ? [path] : sample[blank]!.map((value) => path.replace(blank, value));
}

/** Regular files, without the layers of images and the processes' own folders. */
async function filesUnder(dir: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const entry of await readdir(dir, { withFileTypes: true }).catch(() => [])) {
    const path = join(dir, entry.name);
    if (entry.isDirectory() && entry.name !== 'rootfs') found.push(...(await filesUnder(path)));
    else if (entry.isFile()) found.push(path);
  }
  return found;
}
