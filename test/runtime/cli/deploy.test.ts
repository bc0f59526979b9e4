/** deploy, scale, restart, rm: what is sent, what is shown on the way, how it ends. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { AppView, SlotStatus } from '../../../protocols/apps/status.ts';
import { reason } from '../../../protocols/errors.ts';
import { Lines, type NodeDouble } from './kit/node-double.ts';
import { run, startMs, type Ran, type RunOptions } from './kit/run.ts';
import { asViews, shopNode, slot, view } from './kit/shop.ts';

let node: NodeDouble;
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hivemind-deploy-'));
  node = shopNode();
  await node.listen();
  node.on('PUT /v1/apps/shop', () => ({ app: 'shop', revision: 3, changed: true }));
});
afterEach(async () => {
  await node.close();
  await rm(directory, { recursive: true });
});

const hive = (line: string, options: RunOptions = {}): Promise<Ran> =>
  run(line.split(' '), { socket: node.socket, directory, ...options });

const compose = `name: shop
services:
  web: { image: "web:latest", ports: ["8080:80"], deploy: { replicas: 2 } }
`;
const file = (text: string): Promise<void> => writeFile(join(directory, 'compose.yaml'), text);

/** The node answers these views one after the other, the last one for ever. */
function progress(...views: AppView[]): void {
  let look = 0;
  node.on('GET /v1/apps/shop', () => ({
    view: views[Math.min(look++, views.length - 1)],
    spec: { volumes: {} },
    record: {},
  }));
}

const starting: Partial<SlotStatus> = { phase: 'starting', readiness: 'none' };
const webs = (first: Partial<SlotStatus>, second: Partial<SlotStatus>): AppView =>
  view(asViews([slot('web', 1, first), slot('web', 2, second)]));
const comesUp = (): void =>
  progress(webs(starting, starting), webs({}, starting), webs({}, { readiness: 'starting' }), webs({}, {}));

test('the compiled app is sent; piped, every change is a line and no byte moves a cursor', async () => {
  await file(compose);
  comesUp();
  const { code, stdout, stderr } = await hive('deploy');
  expect(code).toBe(0);
  expect(stdout).toMatch(/^shop rev 3 is live {3}2\/2 ready {3}[\d.]+s\n$/);
  expect(stderr.replaceAll(/^\S+Z /gm, '')).toBe(`shop/web.1 n1 starting
shop/web.2 n1 starting
shop/web.1 n1 running ready
shop/web.2 n1 running starting
shop/web.2 n1 running ready
  web  localhost:8080 → 80/tcp
`);
  const put = node.requests.find(({ method }) => method === 'PUT');
  expect(JSON.parse(put!.body.toString())).toMatchObject({
    spec: { name: 'shop', services: { web: { replicas: 2 } } },
  });
});

test('on a terminal the block is redrawn, never taller or wider than the terminal', async () => {
  await file(compose);
  comesUp();
  const { stderr, stdout } = await hive('deploy --no-color', { terminal: [60, 24] });
  const frames = stderr.split('\u001b[?25l').slice(1);
  expect(frames.length).toBeGreaterThanOrEqual(4);
  expect(frames[1]).toContain('● Deploying shop rev 3');
  expect(frames[1]).toContain('1/2 ready');
  expect(frames[1]).toContain('  shop/web.1  n1  ✓ running, ready');
  expect(frames[1]).toContain('  shop/web.2  n1  ◐ starting');
  expect(stdout).toContain('✓ shop rev 3 is live');
});

test('more slots than rows: only the overall bar', async () => {
  await file(compose);
  const many = Array.from({ length: 25 }, (_, i) => slot('web', i + 1, i < 5 ? {} : starting));
  progress(
    view(asViews(many)),
    view(asViews(many.map((one) => ({ ...one, phase: 'running', readiness: 'ready' })))),
  );
  const { stderr } = await hive('deploy --no-color', { terminal: [80, 24] });
  const [, first] = stderr.split('\u001b[?25l');
  expect(first!.split('\n').filter((line) => line.trim() !== '').length).toBeLessThanOrEqual(20);
  expect(first).toContain('5/25 ready');
});

test('--progress json: every line of stdout parses', async () => {
  await file(compose);
  comesUp();
  const { stdout, stderr } = await hive('deploy --progress json');
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { type: string });
  expect(lines.map(({ type }) => type)).toEqual([...Array.from({ length: 5 }, () => 'slot.changed'), 'done']);
  expect(stderr).toBe('');
});

test('quiet and detached', async () => {
  await file(compose);
  comesUp();
  expect(await hive('deploy --progress quiet')).toEqual({ code: 0, stdout: '', stderr: '' });
  expect(await hive('deploy -d')).toEqual({
    code: 0,
    stdout: 'shop rev 3 is accepted. Follow: hivemind ps shop -w\n',
    stderr: '',
  });
});

test('nothing to do is said', async () => {
  await file(compose);
  node.on('PUT /v1/apps/shop', () => ({ app: 'shop', revision: 3, changed: false }));
  progress(webs({}, {}));
  expect(await hive('deploy')).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^shop is up to date \(rev 3\)\./),
  });
});

test('an older revision that is converged is not the one deployed', async () => {
  await file(compose);
  progress({ ...webs({}, {}), revision: 2 }, { ...webs({}, {}), revision: 2 }, webs({}, {}));
  expect((await hive('deploy')).code).toBe(0);
  expect(node.requests.filter(({ url, method }) => method === 'GET' && url === '/v1/apps/shop')).toHaveLength(
    3,
  );
});

test('a slot that ends for good: the reason, its last lines, exit 1', async () => {
  await file(compose);
  const because = reason('HM-RESTART-BUDGET', 'ended with code 3, and may not start again', {
    slot: 'shop/web.2',
    exitCode: 3,
  });
  progress(webs(starting, starting), webs({}, { phase: 'failed', readiness: 'none', reason: because }));
  const line = (text: string): object => ({
    slot: 'shop/web.2',
    run: '1.1',
    stream: 'stderr',
    at: startMs,
    text,
  });
  node.on('GET /v1/containers/shop/web.2/logs', ({ url }) => {
    expect(url).toContain('tail=10');
    return new Lines([line('cannot reach db:5432'), line('giving up')]);
  });
  const { code, stdout, stderr } = await hive('deploy');
  expect(code).toBe(1);
  expect(stdout).toBe('');
  expect(stderr).toContain('✗ shop/web.2: ended with code 3, and may not start again  HM-RESTART-BUDGET\n');
  expect(stderr).toContain('  next  Mend the cause');
  expect(stderr).toContain(
    '  logs  last 2 lines of shop/web.2\n        cannot reach db:5432\n        giving up\n',
  );
  expect(stderr).toContain('Deploying shop rev 3 has failed. See: hivemind why shop/web.2');
});

test('a port that is taken cannot be placed: exit 6; a crash loop: exit 1', async () => {
  await file(compose);
  const taken = reason('HM-PORT-TAKEN', 'port 8080 is in use', { port: 8080 });
  progress(webs({ phase: 'waiting', readiness: 'none', reason: taken }, {}));
  expect(await hive('deploy')).toMatchObject({ code: 6, stderr: expect.stringContaining('HM-PORT-TAKEN') });
  let restarts = 2;
  node.on('GET /v1/apps/shop', () => ({
    view: webs(
      {
        phase: 'backoff',
        readiness: 'none',
        restarts: restarts++,
        lastExit: { code: 1, at: 0, oomKilled: false },
      },
      {},
    ),
  }));
  const { code, stderr } = await hive('deploy');
  expect(code).toBe(1);
  expect(restarts).toBe(6);
  expect(stderr).toContain('✗ shop/web.1: ended with code 1  HM-CONTAINER-EXIT');
  expect(stderr).toContain('the node keeps trying. See: hivemind why shop/web.1');
});

test('a time-out is exit 8, Ctrl-C is exit 130, and both say that it continues', async () => {
  await file(compose);
  progress(webs(starting, starting));
  const late = await hive('deploy --timeout 1s');
  expect(late).toMatchObject({ code: 8, stderr: expect.stringContaining('it continues in the background') });
  expect(late.stderr).toContain('hivemind why shop');
  const stopped = await hive('deploy', { onOutput: (_text, running) => running.interrupt() });
  expect(stopped).toMatchObject({
    code: 130,
    stderr: expect.stringContaining('continues in the background. Follow: hivemind ps shop -w'),
  });
});

test('a lost connection is shown and tried again', async () => {
  await file(compose);
  let look = 0;
  node.on('GET /v1/apps/shop', () => {
    look += 1;
    if (look === 2) node.cut();
    return { view: look < 3 ? webs({}, starting) : webs({}, {}) };
  });
  const { code, stderr } = await hive('deploy');
  expect(code).toBe(0);
  expect(stderr).toContain('the connection is lost; trying again');
});

test('a file with problems: all of them, and nothing is sent', async () => {
  await file('services:\n  web:\n    imagee: x\n    restart: sometimes\n');
  const { code, stdout, stderr } = await hive('deploy');
  expect(code).toBe(1);
  expect(stdout).toBe('');
  expect(stderr).toContain(
    '✗ compose.yaml:3: services.web.imagee is not a known key  HM-COMPOSE-KEY\n  next  Did you mean image?\n',
  );
  expect(stderr).toContain('✗ compose.yaml:4: services.web.restart must be no, always');
  expect(stderr).toContain('Nothing was deployed.');
  expect(node.requests).toEqual([]);
  const asJson = await hive('deploy --json');
  const problems = asJson.stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { code: string });
  expect(problems.map(({ code: each }) => each)).toEqual([
    'HM-COMPOSE-KEY',
    'HM-COMPOSE-TYPE',
    'HM-COMPOSE-TYPE',
  ]);
});

test('-f, -p, standard input, the environment', async () => {
  node.on('PUT /v1/apps/staging', () => ({ app: 'staging', revision: 1, changed: true }));
  await writeFile(join(directory, 'other.yml'), 'services: { a: { image: "${IMAGE}" } }');
  const { code } = await hive('deploy -f other.yml -p staging -d', { environment: { IMAGE: 'i:1' } });
  expect(code).toBe(0);
  expect(JSON.parse(node.requests.at(-1)!.body.toString())).toMatchObject({
    spec: { name: 'staging', services: { a: { image: 'i:1' } } },
  });
  expect((await hive('deploy -f - -p staging -d', { stdin: 'services: { a: { image: i } }' })).code).toBe(0);
  expect(await hive('deploy')).toMatchObject({ code: 1, stderr: expect.stringContaining('HM-COMPOSE-FILE') });
  await writeFile(
    join(directory, 'over.yml'),
    'services: { a: { command: c }, b: { image: j, profiles: [p] } }',
  );
  const merged = 'deploy -f other.yml -f over.yml -p staging --profile p -d';
  expect((await hive(merged, { environment: { IMAGE: 'i:1' } })).code).toBe(0);
  expect(JSON.parse(node.requests.at(-1)!.body.toString())).toMatchObject({
    spec: { services: { a: { image: 'i:1', command: ['c'] }, b: { image: 'j:latest' } } },
  });
  expect((await hive('deploy b -f over.yml -p staging -d')).stderr).toContain('services.a: image is missing');
});

test('scale and restart wait for what was asked', async () => {
  node.on('POST /v1/apps/shop/scale', () => ({})).on('POST /v1/apps/shop/restart', () => ({ slots: 1 }));
  const three = view(asViews([1, 2, 3].map((index) => slot('web', index))));
  progress(webs({}, {}), webs({}, {}), three);
  expect(await hive('scale shop/web=3')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('shop/web=3 is reached'),
  });
  expect(JSON.parse(node.requests.find(({ url }) => url.endsWith('/scale'))!.body.toString())).toEqual({
    service: 'web',
    replicas: 3,
  });
  progress(webs({}, {}), webs({}, { placement: 2 }));
  expect(await hive('restart web.2')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('shop/web.2 has restarted'),
  });
  expect(JSON.parse(node.requests.find(({ url }) => url.endsWith('/restart'))!.body.toString())).toEqual({
    service: 'web',
    index: 2,
  });
  expect((await hive('restart shop -d')).code).toBe(0);
  expect(JSON.parse(node.requests.at(-1)!.body.toString())).toEqual({});
  for (const wrong of ['scale shop/web', 'scale shop=3', 'scale shop/web=x'])
    expect((await hive(wrong)).code).toBe(2);
});

test('rm asks on a terminal, insists on --yes without one, and waits until the app is gone', async () => {
  const shopRoute = node.routes.get('GET /v1/apps/shop')!;
  const gone = reason('HM-APP-UNKNOWN', 'No app shop is deployed');
  node.on('DELETE /v1/apps/shop', () => void node.refuse('GET /v1/apps/shop', gone));
  const refused = await hive('rm shop --volumes');
  expect(refused).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('This removes shop (4 containers) and the data in data'),
  });
  const no = await hive('rm shop', { terminal: [80, 24], stdin: 'no\n' });
  expect(no).toMatchObject({ code: 1, stderr: expect.stringContaining('Nothing was removed.') });
  const silent = await hive('rm shop', { terminal: [80, 24], stdin: '' });
  expect(silent).toMatchObject({ code: 1, stderr: expect.stringContaining('Nothing was removed.') });
  expect(node.requests.some(({ method }) => method === 'DELETE')).toBe(false);
  expect(await hive('rm shop', { terminal: [80, 24], stdin: 'shop\n' })).toMatchObject({
    code: 0,
    stdout: 'shop is removed\n',
  });
  node.on('GET /v1/apps/shop', shopRoute);
  expect(await hive('rm shop --volumes -y')).toMatchObject({
    code: 0,
    stdout: 'shop is removed and the data in data\n',
  });
  expect(node.requests.filter(({ method }) => method === 'DELETE').map(({ url }) => url)).toEqual([
    '/v1/apps/shop',
    '/v1/apps/shop?volumes=true',
  ]);
  expect(await hive('rm nope -y')).toMatchObject({ code: 3 });
});

test('what the containers of the revision before suffer from does not end the wait', async () => {
  await file(compose);
  const old = { readiness: 'unhealthy', reason: reason('HM-HEALTH-FAILED'), revision: 2 } as const;
  const leaving = { phase: 'stopping', readiness: 'none', reason: reason('HM-HEALTH-FAILED') } as const;
  const looks = (count: number, seen: AppView): AppView[] => Array.from({ length: count }, () => seen);
  progress(
    ...looks(12, { ...webs(old, {}), converged: false }),
    ...looks(12, { ...webs(leaving, {}), converged: false }),
    webs({}, {}),
  );
  expect((await hive('deploy')).code).toBe(0);
});

const pulling = (doneBytes: number) =>
  reason('HM-IMAGE-PULLING', `pulling web:2: ${doneBytes / 1e6} of 40.0 MB`, {
    image: 'web:2',
    doneBytes,
    totalBytes: 40_000_000,
  });
/** Revision 2 serves, revision 3 waits for its image. */
const served = (because: ReturnType<typeof reason>): AppView => ({
  ...view(
    asViews([
      slot('web', 1, {
        revision: 2,
        reason: because,
        next: { placement: 2, revision: 3, image: 'web:2', reason: because },
      }),
    ]),
  ),
  converged: false,
});
const replaced = view(asViews([slot('web', 1, { placement: 2 })]));

test('a pull that what serves is waited for: a bar on a terminal, a line at each quarter in a pipe', async () => {
  await file(compose);
  const steps = [0, 1_000_000, 9_000_000, 21_000_000, 22_000_000, 40_000_000];
  progress(...steps.map((done) => served(pulling(done))), replaced);
  const { code, stderr } = await hive('deploy');
  expect(code).toBe(0);
  expect(stderr.replaceAll(/^\S+Z /gm, ''))
    .toBe(`shop/web.1 n1 running ready rev 2  pulling web:2: 0 of 40.0 MB  HM-IMAGE-PULLING
shop/web.1 n1 running ready rev 2  pulling web:2: 21 of 40.0 MB  HM-IMAGE-PULLING
shop/web.1 n1 running ready rev 2  pulling web:2: 40 of 40.0 MB  HM-IMAGE-PULLING
shop/web.1 n1 running ready
  web  localhost:8080 → 80/tcp
`);
  progress(...steps.map((done) => served(pulling(done))), replaced);
  const seen = await hive('deploy --no-color', { terminal: [120, 24] });
  expect(seen.stderr).toContain('██████░░░░░░  pulling web:2: 21 of 40.0 MB');
  expect(seen.stderr).toContain('0/1 done, 1/1 ready');
});

test('a pull that fails while the old revision serves: its reason, and the node keeps trying', async () => {
  await file(compose);
  progress(
    served(reason('HM-REGISTRY-UNREACHABLE', 'reg.example does not answer', { registry: 'reg.example' })),
  );
  const { code, stderr } = await hive('deploy --progress quiet');
  expect(code).toBe(1);
  expect(stderr).toContain('shop/web.1: reg.example does not answer');
  expect(stderr).toContain('Deploying shop rev 3 is not done; the node keeps trying');
});
