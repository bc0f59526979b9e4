/** ps, ls, status, why, events, doctor, version: what people and programs get to read. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { Lines, type NodeDouble } from './kit/node-double.ts';
import { run, startMs, type Ran, type RunOptions } from './kit/run.ts';
import { shopNode, slots } from './kit/shop.ts';

let node: NodeDouble;
beforeAll(async () => {
  node = shopNode();
  await node.listen();
});
afterAll(() => node.close());

const hive = (line: string, options: RunOptions = {}): Promise<Ran> =>
  run(line.split(' '), { socket: node.socket, ...options });

test('ps: a table from NAME to AGE, reasons behind', async () => {
  expect(await hive('ps')).toEqual({
    code: 0,
    stderr: '',
    stdout: `NAME        STATE    HEALTH     RESTARTS  NODE  ADDRESS    PORTS    REV  AGE
shop/db.1   running  ready      0         n1    10.42.0.2  -        3    4m
shop/web.1  running  ready      0         n1    10.42.0.3  8080→80  3    4m
shop/web.2  running  unhealthy  3         n1    10.42.0.4  8080→80  3    4m   ! GET /health → 503
shop/web.3  pending  -          -         -     -          -        -    -    ! waits for shop/cache to be healthy
`,
  });
});

test('ps of a service, a short name, a container id', async () => {
  expect((await hive('ps shop/web -o name')).stdout).toBe('shop/web.1\nshop/web.2\nshop/web.3\n');
  expect((await hive('ps db.1 -o name')).stdout).toBe('shop/db.1\n');
  expect((await hive('ps web1c0 -o name')).stdout).toBe('shop/web.1\n');
});

test('forms', async () => {
  const rows = JSON.parse((await hive('ps -o json')).stdout) as object[];
  expect(rows).toHaveLength(4);
  expect(rows[2]).toEqual(slots[2]);
  expect(parse((await hive('ps -o yaml')).stdout)).toEqual(rows);
  const lines = (await hive('ps -o jsonl')).stdout.trim().split('\n');
  expect(lines.map((line) => JSON.parse(line) as object)).toEqual(rows);
  const picked = JSON.parse((await hive('ps --json slot,phase')).stdout) as object[];
  expect(picked[3]).toEqual({ slot: 'shop/web.3', phase: 'pending' });
  node.on('GET /v1/stats', () => ({ stats: [{ slot: 'shop/web.1', diskBytes: 3_145_728 }] }));
  const wide = (await hive('ps -o wide')).stdout;
  expect(wide).toMatch(/^NAME .* IMAGE +RUN +CONTAINER +DISK +EXIT +AGE\n/);
  expect(wide).toMatch(/^shop\/web\.1 .* 3\.0MiB /m);
  expect(wide.match(/MiB/g)).toHaveLength(1);
  expect(await hive('ps --json=slot,fase')).toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringContaining('Did you mean phase?'),
  });
  expect(await hive('ps -o xml')).toMatchObject({ code: 2, stdout: '' });
});

test('colour only on a terminal that wants it', async () => {
  const terminal = [100, 24] as const;
  expect((await hive('ps', { terminal })).stdout).toContain('\u001b[31m');
  for (const environment of [{ NO_COLOR: '1' }, { TERM: 'dumb' }]) {
    expect((await hive('ps', { terminal, environment })).stdout).not.toContain('\u001b');
  }
  expect((await hive('ps --no-color', { terminal })).stdout).not.toContain('\u001b');
});

test('on a terminal no line is wider than it', async () => {
  const { stdout } = await hive('ps --no-color', { terminal: [100, 24] });
  for (const line of stdout.split('\n')) expect([...line].length).toBeLessThanOrEqual(100);
});

test('ps -w: piped, only changed rows are appended; Ctrl-C ends it', async () => {
  let looks = 0;
  node.on('GET /v1/containers', () => ({
    slots: (looks += 1) < 3 ? slots : slots.map((one) => ({ ...one, restarts: 7 })),
  }));
  const { code, stdout } = await hive('ps shop/web -w', {
    onOutput: (text, running) => text.includes(' 7 ') && running.interrupt(),
  });
  node.on('GET /v1/containers', () => ({ slots }));
  expect(code).toBe(130);
  expect(stdout.match(/^NAME/gm)).toHaveLength(1);
  expect(stdout.match(/^shop\/web\.1/gm)).toHaveLength(2);
  expect(stdout.match(/^shop\/web\.3/gm)).toHaveLength(1);
});

test('ps -w outlives a restart of the node', async () => {
  let looks = 0;
  node.on('GET /v1/containers', () => {
    looks += 1;
    if (looks === 2) node.cut();
    return { slots: looks < 3 ? slots : slots.map((one) => ({ ...one, restarts: 8 })) };
  });
  const { code, stderr } = await hive('ps -w', {
    onOutput: (text, running) => text.includes(' 8 ') && running.interrupt(),
  });
  node.on('GET /v1/containers', () => ({ slots }));
  expect(code).toBe(130);
  expect(stderr).toBe('-- the connection is lost; trying again\n');
});

test('ls, status', async () => {
  expect((await hive('ls')).stdout).toBe(`NAME  STATE       SERVICES  READY  REV  AGE
shop  converging  2         2/4    3    4m   ! GET /health → 503
`);
  const { stdout } = await hive('status shop');
  expect(stdout).toContain('shop  converging  rev 3\n');
  expect(stdout).toContain('SERVICE  READY  PORTS    IMAGE\nweb      1/3    8080→80  web:latest\n');
  expect(stdout).toContain(
    '! shop/web.2: GET /health → 503  HM-HEALTH-FAILED\n  next  hivemind logs shop/web.2\n',
  );
  expect(JSON.parse((await hive('status shop --json')).stdout)).toHaveProperty('view.name', 'shop');
  expect(await hive('status nope')).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('HM-APP-UNKNOWN'),
  });
  expect(await hive('status shopp')).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('Did you mean shop?'),
  });
});

test('why: the reason, its facts, the next step', async () => {
  expect((await hive('why web.2')).stdout)
    .toBe(`✗ shop/web.2 is running: GET /health → 503  HM-HEALTH-FAILED, for 4m
  why   slot shop/web.2 · exitCode 22
  next  hivemind logs shop/web.2
`);
  expect((await hive('why shop')).stdout).toContain(
    '✗ shop/web.3 is pending: waits for shop/cache to be healthy  HM-DEPENDENCY-WAIT\n',
  );
  expect((await hive('why shop/web.1')).stdout).toBe('✓ shop/web.1 is as wished\n');
  const said = JSON.parse((await hive('why shop --json')).stdout) as { reasons: { code: string }[] };
  expect(said.reasons.map(({ code }) => code)).toEqual(['HM-HEALTH-FAILED', 'HM-DEPENDENCY-WAIT']);
  expect(await hive('why shop/wbe')).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('Did you mean shop/web?'),
  });
  expect(await hive('why w')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('HM-TARGET-AMBIGUOUS'),
  });
});

test('events, once and on', async () => {
  const event = (seq: number): object => ({
    cursor: `c${seq}`,
    boot: 1,
    seq,
    at: startMs + seq,
    type: 'slot.started',
    subject: 'shop/web.1',
    level: 'info',
    message: 'started',
  });
  node.on('GET /v1/events', () => ({ events: [event(1), event(2)], cursor: 'c2' }));
  node.on(
    'GET /v1/events/stream',
    ({ url }) =>
      new Lines([{ gap: 7 }, { bookmark: 'c2' }, event(Number(url.split('cursor=c')[1]) + 1)], true),
  );
  const line = '2026-11-23T12:00:00Z info    slot.started shop/web.1  started\n';
  expect((await hive('events')).stdout).toBe(line.repeat(2));
  const followed = await hive('events -f -o jsonl', {
    onOutput: (text, running) => text.includes('"seq":3') && running.interrupt(),
  });
  expect(followed).toMatchObject({ code: 130, stderr: '-- 7 lines are left out\n' });
  expect(
    followed.stdout
      .trim()
      .split('\n')
      .map((text) => (JSON.parse(text) as { seq: number }).seq),
  ).toEqual([1, 2, 3]);
});

test('events -f outlives a restart of the node', async () => {
  let boot = 4;
  node.on('GET /v1/version', () => ({ version: '0.1.0', node: 'n1', boot, startedAt: startMs, api: 'v1' }));
  node.on('GET /v1/events', () => ({ events: [], cursor: 'c0' }));
  node.on('GET /v1/events/stream', ({ url }) => {
    const first = boot === 4;
    if (first) setImmediate(() => ((boot = 5), node.cut()));
    return new Lines(
      [
        {
          cursor: 'c9',
          boot,
          seq: first ? 9 : 1,
          at: startMs,
          type: 'x',
          subject: 'y',
          level: 'info',
          message: `${url} ${boot}`,
        },
      ],
      true,
    );
  });
  const { stdout, stderr } = await hive('events -f', {
    onOutput: (text, running) => text.includes(' 5') && running.interrupt(),
  });
  expect(stdout).toContain('cursor=c0 4');
  expect(stdout).toContain('cursor=c9 5');
  expect(stderr).toContain('the connection is lost');
  expect(stderr).toContain('connected again');
});

test('doctor: 1 when something failed, with the remedy', async () => {
  const findings = [
    { id: 'containerd', verdict: 'ok', detail: '1.6.20 answers' },
    { id: 'disk', verdict: 'warning', detail: '/ is 91 % full', remedy: 'free space' },
    { id: 'forward', verdict: 'failed', detail: 'FORWARD drops', remedy: 'nft …' },
  ];
  node.on('GET /v1/doctor', () => ({ findings })).on('POST /v1/store/accept', () => ({}));
  expect(await hive('doctor')).toEqual({
    code: 1,
    stderr: '',
    stdout: `✓ containerd  1.6.20 answers
! disk        / is 91 % full
              fix: free space
✗ forward     FORWARD drops
              fix: nft …
1 ok, 1 warnings, 1 failed
`,
  });
  expect(JSON.parse((await hive('doctor --json')).stdout)).toEqual(findings);
  node.on('POST /v1/doctor/mend', () => ({
    findings: [{ id: 'forward', verdict: 'ok', detail: 'nothing drops', mended: 'nft …' }],
  }));
  expect(await hive('doctor --fix')).toMatchObject({
    code: 0,
    stdout: '✓ forward  nothing drops\n           mended: nft …\n1 ok, 0 warnings, 0 failed\n',
  });
  await hive('doctor --accept-store');
  expect(node.requests.map(({ method, url }) => `${method} ${url}`)).toContain('POST /v1/store/accept');
});

test('version, with and without a node', async () => {
  node.on('GET /v1/version', () => ({
    version: '0.1.0',
    node: 'n1',
    boot: 4,
    startedAt: startMs - 90_000,
    api: 'v1',
  }));
  expect((await hive('version')).stdout).toBe(
    'hivemind  0.1.0\nnode      0.1.0  n1, boot 4, up 90s, API v1\n',
  );
  expect(await hive('version', { socket: '/nowhere.sock' })).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('No hivemind-node answers at /nowhere.sock'),
  });
});

test('config show: each setting with its origin, flags for the node after --', async () => {
  const environment = { HIVEMIND_LOG_LEVEL: 'debug', XDG_RUNTIME_DIR: '/run/user/7' };
  const rows = JSON.parse((await hive('config show --json -- --name n7', { environment })).stdout) as Record<
    string,
    unknown
  >[];
  expect(rows).toContainEqual({ name: 'name', value: 'n7', origin: '--name' });
  expect(rows).toContainEqual({ name: 'logLevel', value: 'debug', origin: 'HIVEMIND_LOG_LEVEL' });
  expect(rows).toContainEqual({ name: 'containerPool', value: '10.42.0.0/16', origin: 'default' });
  expect((await hive('config show')).stdout).toMatch(/^NAME +VALUE +ORIGIN\n/);
  const wrong = await hive('config show', { environment: { HIVEMIND_LOG_LEVEL: 'loud' } });
  expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('HM-CONFIG') });
});

test('purge insists on a yes, and takes the settings that the node would', async () => {
  const refused = await hive('purge -- --name n7');
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('of the node n7') });
  const done = await hive('purge -y -- --name n7 --data-dir /srv/n7');
  expect(done).toEqual({ code: 0, stdout: 'n7 is purged\n', stderr: '✓ n7 in /srv/n7\n' });
  const no = await hive('purge -- --name n7', { terminal: [80, 24], stdin: 'n8\n' });
  expect(no).toMatchObject({ code: 1, stdout: '' });
});
