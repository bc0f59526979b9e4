/** logs, images, actors, and how the API is found. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ActorView } from '../../../protocols/inspection.ts';
import { coded, reason } from '../../../protocols/errors.ts';
import { parseAddress } from '../../../runtime/cli/connection/address.ts';
import { drawTree } from '../../../runtime/cli/views/actor-tree.ts';
import { Lines, NodeDouble } from './kit/node-double.ts';
import { run, startMs, type Ran, type RunOptions } from './kit/run.ts';
import { asViews, shop, shopNode, slot as slotOf } from './kit/shop.ts';

let node: NodeDouble;
beforeEach(async () => {
  node = shopNode();
  await node.listen();
});
afterEach(() => node.close());

const hive = (line: string, options: RunOptions = {}): Promise<Ran> =>
  run(line.split(' '), { socket: node.socket, ...options });

const line = (slot: string, at: number, text: string, ofRun = '1.1'): object => ({
  slot,
  run: ofRun,
  stream: 'stdout',
  at: startMs + at,
  text,
  place: `${ofRun}:${at}:0`,
});

test('logs: one slot as it wrote, several by time with their names', async () => {
  node.on(
    'GET /v1/containers/shop/web.1/logs',
    () => new Lines([line('shop/web.1', 1, 'a'), line('shop/web.1', 30, 'c')]),
  );
  node.on('GET /v1/containers/shop/db.1/logs', () => new Lines([line('shop/db.1', 2, 'b')]));
  node.on('GET /v1/containers/shop/web.2/logs', () => new Lines([]));
  node.on('GET /v1/containers/shop/web.3/logs', () => new Lines([]));
  expect((await hive('logs web.1 -n 5')).stdout).toBe('a\nc\n');
  expect(node.requests.at(-1)!.url).toBe('/v1/containers/shop/web.1/logs?tail=5');
  expect((await hive('logs shop')).stdout).toBe('shop/web.1 a\nshop/db.1  b\nshop/web.1 c\n');
  expect((await hive('logs web.1 -t')).stdout).toContain('2026-11-23T12:00:00.001Z a\n');
  expect(JSON.parse((await hive('logs db --json')).stdout)).toEqual(line('shop/db.1', 2, 'b'));
  expect(await hive('logs web.1 -n many')).toMatchObject({ code: 2 });
  expect(await hive('logs nothing')).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('HM-TARGET-UNKNOWN'),
  });
});

test('logs -f: marks a new run, reads on after a lost connection without a double line', async () => {
  let connections = 0;
  node.on('GET /v1/containers/shop/web.1/logs', ({ url }) => {
    connections += 1;
    if (connections === 1) {
      setImmediate(() => node.cut());
      return new Lines([line('shop/web.1', 1, 'one')], true);
    }
    expect(url).toContain('follow=true&after=1.1:1:0');
    return new Lines([line('shop/web.1', 2, 'two', '1.2')], true);
  });
  const ran = await hive('logs -f web.1', {
    onOutput: (text, running) => text.includes('two') && running.interrupt(),
  });
  expect(ran).toMatchObject({ code: 130, stdout: 'one\ntwo\n' });
  expect(ran.stderr).toContain('shop/web.1 ── restarted (run 1.2) ──');
});

test('logs: of a slot that is gone by its exact name; one that keeps none is told, alone it is a refusal', async () => {
  const left = new Lines([line('gone/web.1', 1, 'bye')]);
  node.on('GET /v1/containers/gone/web.1/logs', () => left);
  expect(await hive('logs gone/web.1')).toMatchObject({ code: 0, stdout: 'bye\n' });
  node.on('GET /v1/containers/gone/web.2/logs', () => new Lines([]));
  expect((await hive('logs gone/web.2')).stderr).toContain('HM-TARGET-UNKNOWN');
  node.on('GET /v1/containers/shop/db.1/logs', () => {
    throw coded('HM-LOGS-NONE', 'Nothing that shop/db.1 says is kept');
  });
  expect((await hive('logs db.1')).stderr).toContain('HM-LOGS-NONE');
  for (const [index, said] of [[line('shop/web.1', 1, 'a')], [], []].entries())
    node.on(`GET /v1/containers/shop/web.${index + 1}/logs`, () => new Lines(said));
  expect(await hive('logs shop')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('shop/web.1 a\n'),
    stderr: '-- Nothing that shop/db.1 says is kept\n',
  });
});

test('logs: what is chosen is asked of the node; a restart says its number and the exit before it', async () => {
  node.on('GET /v1/containers', () => ({
    slots: [
      {
        ...slotOf('web', 1),
        run: 2,
        placement: 1,
        restarts: 9,
        lastExit: { code: 1, at: 1, oomKilled: false },
      },
    ],
  }));
  node.on(
    'GET /v1/containers/shop/web.1/logs',
    () => new Lines([line('shop/web.1', 1, 'a'), line('shop/web.1', 2, 'b', '1.2')]),
  );
  const ran = await hive(
    'logs web.1 --since 5m --until 2026-11-23T12:00:00Z --grep ERR|WARN --level warn -p',
  );
  expect(ran).toMatchObject({ code: 0, stdout: 'a\nb\n' });
  expect(ran.stderr).toContain('shop/web.1 ── restarted (#9 after exit 1) ──');
  const { searchParams } = new URL(node.requests.at(-1)!.url, 'http://x');
  expect(Object.fromEntries(searchParams)).toEqual({
    tail: '100',
    since: String(startMs - 300_000),
    until: String(Date.parse('2026-11-23T12:00:00Z')),
    grep: 'ERR|WARN',
    level: 'warn',
    previous: 'true',
  });
  for (const wrong of ['--since yesterday', '--level loud', '-f --previous'])
    expect(await hive(`logs web.1 ${wrong}`)).toMatchObject({ code: 2 });
});

test('logs -f of a service: a slot that comes later is followed too, and then lines say whose they are', async () => {
  let looks = 0;
  node.on('GET /v1/apps', () => {
    looks += 1;
    const later = looks > 1 ? asViews([slotOf('db', 2)]) : [];
    return { apps: [{ ...shop, slots: [...shop.slots, ...later] }] };
  });
  node.on('GET /v1/containers/shop/db.1/logs', () => new Lines([line('shop/db.1', 1, 'one')], true));
  node.on('GET /v1/containers/shop/db.2/logs', () => new Lines([line('shop/db.2', 2, 'two')], true));
  const { stdout } = await hive('logs -f shop/db', {
    onOutput: (text, running) => text.includes('two') && running.interrupt(),
  });
  expect(stdout).toContain('one\n');
  expect(stdout).toContain('shop/db.2 two\n');
});

test('image pull tells what comes, line by line, and prints what it is', async () => {
  const step = (phase: string, doneBytes: number) => ({
    image: 'redis:7',
    phase,
    doneBytes,
    totalBytes: 2_097_152,
    layers: [{ digest: `sha256:${'a'.repeat(64)}`, phase: 'pulling', doneBytes, totalBytes: 2_097_152 }],
  });
  const lines = [
    step('pulling', 0),
    step('pulling', 1_048_576),
    { ...step('done', 2_097_152), digest: 'sha256:1' },
  ];
  node.on('POST /v1/images/pull', () => new Lines(lines));
  const plain = await hive('image pull redis:7 --platform linux/arm64 --policy missing');
  expect(plain).toMatchObject({ code: 0, stdout: 'redis:7@sha256:1\n' });
  expect(plain.stderr).toBe(
    'redis:7  pulling  0B of 2.0MiB, 1 layers\nredis:7  done  2.0MiB of 2.0MiB, 1 layers\n',
  );
  expect(JSON.parse(String(node.requests.at(-1)?.body))).toEqual({
    image: 'redis:7',
    platform: 'linux/arm64',
    policy: 'missing',
  });
  const drawn = await hive('image pull redis:7', { terminal: [100, 20] });
  expect(drawn.stderr).toContain('aaaaaaaaaaaa  ████████████░░░░░░░░░░░░');
  const failed = { ...step('failed', 1), reason: reason('HM-IMAGE-DIGEST') };
  node.on('POST /v1/images/pull', () => new Lines([step('pulling', 0), failed]));
  expect(await hive('image pull redis:7')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('HM-IMAGE-DIGEST') as string,
  });
});

test('image import sends the very bytes; ls and rm', async () => {
  const image = {
    name: 'hello:latest',
    digest: 'sha256:1',
    platform: 'linux/amd64',
    sizeBytes: 4_404_019,
    createdAt: startMs - 60_000,
  };
  const archive = Buffer.alloc(300_000, 'tar');
  await writeFile(join(node.directory, 'hello.tar'), archive);
  node
    .on('POST /v1/images/import', () => ({ images: [image] }))
    .on('GET /v1/images', () => ({ images: [{ ...image, usedBy: ['shop/web'], wanted: true }] }));
  const imported = await hive('image import hello.tar --name hello:latest', { directory: node.directory });
  expect(imported.stdout).toBe(
    'NAME          PLATFORM     SIZE    AGE\nhello:latest  linux/amd64  4.2MiB  60s\n',
  );
  expect(node.requests.at(-1)).toMatchObject({ url: '/v1/images/import?name=hello:latest' });
  expect(node.requests.at(-1)!.body.equals(archive)).toBe(true);
  expect((await hive('image import - -o name', { stdin: 'tar' })).stdout).toBe('hello:latest\n');
  expect(await hive('image import nope.tar')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('HM-IMAGE-ARCHIVE'),
  });
  expect((await hive('image ls -o name')).stdout).toBe('hello:latest\n');
  node.refuse('DELETE /v1/images/hello:latest', reason('HM-IMAGE-USED', 'hello:latest is used by shop'));
  expect(await hive('image rm hello:latest')).toMatchObject({
    code: 5,
    stderr: expect.stringContaining('hivemind rm the app first'),
  });
  node.on('DELETE /v1/images/hello:old', () => ({}));
  expect(await hive('image rm hello:latest hello:old')).toMatchObject({
    code: 9,
    stdout: 'hello:old is removed\n',
    stderr: expect.stringContaining('HM-IMAGE-USED'),
  });
});

test('network ls', async () => {
  const open = { id: '*', internal: false, subnets: [], members: [] };
  const back = {
    id: 'shop_back',
    app: 'shop',
    internal: true,
    subnets: ['172.28.0.0/24'],
    members: [{ slot: 'shop/db.1', address: '172.28.0.9' }],
  };
  node.on('GET /v1/networks', () => ({ networks: [open, back] }));
  expect((await hive('network ls -o wide')).stdout).toBe(
    [
      'NETWORK    APP   INTERNAL  SUBNET         SLOTS  MEMBERS',
      '*          -     no        -              0      -',
      'shop_back  shop  yes       172.28.0.0/24  1      shop/db.1=172.28.0.9',
      '',
    ].join('\n'),
  );
});

const actor = (path: `/${string}`, parent?: `/${string}`, more: Partial<ActorView> = {}): ActorView => ({
  path,
  address: `hive://n1${path}#4.1`,
  machine: 'supervisor',
  phase: 'running',
  tags: [],
  mailbox: 0,
  processed: 9,
  restarts: 0,
  startedAt: startMs - 60_000,
  children: [],
  ...(parent ? { parent } : {}),
  ...more,
});
const actors = [
  actor('/'),
  actor('/leader', '/'),
  actor('/leader/apps', '/leader', { machine: 'apps', phase: 'idle' }),
  actor('/workload', '/'),
  actor('/workload/slots', '/workload'),
  actor('/workload/slots/shop/web.2', '/workload/slots', {
    machine: 'slot',
    phase: 'backoff',
    restarts: 2,
    mailbox: 1,
    lastCrash: { at: startMs - 5_000, message: 'Error: boom', cause: 'exited', phaseBefore: 'running' },
  }),
];

test('actor tree', async () => {
  node.on('GET /v1/actors', () => ({ actors }));
  const tree = `/                 supervisor  running
├ leader          supervisor  running
│ └ apps          apps  idle
└ workload        supervisor  running
  └ slots         supervisor  running
    └ shop/web.2  slot  backoff  ↻2  mailbox 1  ! crashed 5s ago: Error: boom
`;
  expect(`${drawTree(actors, startMs).join('\n')}\n`).toBe(tree);
  expect((await hive('actor tree')).stdout).toBe(tree);
  expect((await hive('actor tree /leader')).stdout).toMatch(/^\/leader +supervisor.*\n└ apps/);
  expect((await hive('actor ls /workload -o name')).stdout).toBe(
    '/workload\n/workload/slots\n/workload/slots/shop/web.2\n',
  );
  expect(await hive('actor tree /nope')).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('HM-ACTOR-UNKNOWN'),
  });
});

test('actor show and events', async () => {
  node.on('GET /v1/actors/show', () => ({ ...actors[5]!, context: { slot: 'shop/web.2' } }));
  const shown = (await hive('actor show /workload/slots/shop/web.2')).stdout;
  expect(node.requests.at(-1)!.url).toBe('/v1/actors/show?path=/workload/slots/shop/web.2');
  expect(shown).toContain('last crash 5s ago in running by exited: Error: boom');
  expect(shown).toContain('"slot": "shop/web.2"');
  node.on('GET /v1/actors/transcript', ({ url }) => {
    const lines = [1, 2].map((seq) => ({ seq, at: startMs, path: '/leader', text: `${seq} idle → busy` }));
    return new Lines(lines, url.includes('follow'));
  });
  expect((await hive('actor events /leader -n 2')).stdout).toBe('1 idle → busy\n2 idle → busy\n');
  expect(node.requests.at(-1)!.url).toBe('/v1/actors/transcript?path=/leader&limit=2');
  const ran = await hive('actor events -f', {
    onOutput: (text, running) => text.startsWith('2') && running.interrupt(),
  });
  expect(ran).toMatchObject({ code: 130, stdout: '1 idle → busy\n2 idle → busy\n' });
});

test.each([
  ['/run/x.sock', { kind: 'socket', path: '/run/x.sock' }],
  ['unix:///run/x.sock', { kind: 'socket', path: '/run/x.sock' }],
  ['unix:/run/x.sock', { kind: 'socket', path: '/run/x.sock' }],
  ['127.0.0.1:4483', { kind: 'tcp', host: '127.0.0.1', port: 4483, token: undefined }],
  ['http://n1.example:1/', { kind: 'tcp', host: 'n1.example', port: 1, token: undefined }],
  ['[::1]:99', { kind: 'tcp', host: '::1', port: 99, token: undefined }],
  ['n1', { kind: 'tcp', host: 'n1', port: 4483, token: undefined }],
])('the address %s', (text, address) => {
  expect(parseAddress(text)).toEqual(address);
});

test('over TCP the token comes from a file; a wrong one is exit 4', async () => {
  const remote = new NodeDouble();
  const address = await remote.listenTcp();
  await writeFile(join(remote.directory, 'token'), 'secret\n');
  remote.on('GET /v1/apps', ({ headers }) => {
    if (headers.authorization !== 'Bearer secret') throw coded('HM-API-TOKEN');
    return { apps: [] };
  });
  remote.on('GET /v1/images', () => ({ images: [] }));
  const token = join(remote.directory, 'token');
  try {
    expect((await run(['ls', '--address', address, '--token-file', token])).code).toBe(0);
    expect(
      (await run(['ls'], { environment: { HIVEMIND_ADDRESS: address, HIVEMIND_TOKEN_FILE: token } })).code,
    ).toBe(0);
    expect(
      (await run(['ls'], { environment: { HIVEMIND_ADDRESS: address, HIVEMIND_DATA_DIR: remote.directory } }))
        .code,
    ).toBe(0);
    remote.refuse('GET /v1/apps', reason('HM-API-TOKEN'));
    expect(await run(['ls', '--address', address])).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('HM-API-TOKEN'),
    });
    const unreadable = await run(['ls', '--address', address, '--token-file', '/nowhere/token']);
    expect(unreadable).toMatchObject({ code: 4, stderr: expect.stringContaining('/nowhere/token') });
  } finally {
    await remote.close();
  }
});

test('without an address: the one socket there is, a stale one aside', async () => {
  const socketDirectories = ['/nowhere', node.directory];
  expect((await run(['ls'], { socketDirectories })).code).toBe(0);
  await writeFile(join(node.directory, 'dead.sock'), '');
  expect((await run(['ls'], { socketDirectories })).code).toBe(0);
  const second = new NodeDouble();
  await second.listen();
  try {
    const both = await run(['ls'], { socketDirectories: [node.directory, second.directory] });
    expect(both).toMatchObject({ code: 2, stderr: expect.stringContaining(`--address ${second.socket}`) });
  } finally {
    await second.close();
  }
  const none = await run(['ls'], { socketDirectories: ['/nowhere'] });
  expect(none).toMatchObject({ code: 1, stderr: expect.stringContaining('npm start') });
  expect(none.stderr).toContain('HM-API-UNREACHABLE');
});

test('an answer that is not ours is no crash', async () => {
  node.on('GET /v1/apps', (_request, response) => {
    response.writeHead(502, { 'content-type': 'text/html' });
    return '<html>';
  });
  expect(await hive('ls')).toMatchObject({ code: 1, stderr: expect.stringContaining('HTTP 502') });
});

test('secret set and rotate send the very bytes from a file or the pipe, never from an argument', async () => {
  await writeFile(join(node.directory, 'pw'), 'two\n');
  node
    .on('PUT /v1/secrets/db', () => ({ name: 'db', version: 1, changed: true }))
    .on('POST /v1/secrets/db/rotate', () => ({ name: 'db', version: 2, changed: true }));
  expect((await hive('secret set db', { stdin: 'one' })).stdout).toBe('db is at version 1\n');
  expect(node.requests.at(-1)!.body.toString()).toBe('one');
  const rotated = await hive('secret rotate db --file pw', { directory: node.directory });
  expect(rotated.stdout).toBe('db is at version 2\n');
  expect(node.requests.at(-1)!.body.toString()).toBe('two\n');
  for (const typed of ['secret set db one', 'secret set db --file absent', 'secret set db --value one'])
    expect(await hive(typed)).toMatchObject({ code: 2, stderr: expect.stringContaining('HM-CLI-USAGE') });
  expect(await hive('secret set db', { stdin: '' })).toMatchObject({ code: 2 });
});

test('secret ls, rm and rekey', async () => {
  const version = { version: 3, sizeBytes: 5, createdAt: startMs - 60_000 };
  node
    .on('GET /v1/secrets', () => ({
      secrets: [{ name: 'db', version: 3, versions: [version], usedBy: ['shop/web'] }],
    }))
    .on('POST /v1/secrets/rekey', () => ({ keyId: 'k1', rewrapped: 2 }));
  expect((await hive('secret ls')).stdout).toBe(
    'NAME  VERSION  USED BY   AGE\ndb    3        shop/web  60s\n',
  );
  expect((await hive('secret rekey')).stdout).toBe('2 sealed values are under the new key k1\n');
  node.refuse('DELETE /v1/secrets/db', reason('HM-SECRET-USED', 'db is used by shop/web'));
  expect(await hive('secret rm db')).toMatchObject({
    code: 5,
    stderr: expect.stringContaining('HM-SECRET-USED'),
  });
});
