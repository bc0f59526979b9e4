/** plan, deploy --plan, revisions, rollback, init: what is asked, what is printed, how it ends. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Plan } from '../../../protocols/apps/plan/plan.ts';
import { reason } from '../../../protocols/errors.ts';
import type { NodeDouble } from './kit/node-double.ts';
import { run, startMs, type Ran, type RunOptions } from './kit/run.ts';
import { shopNode } from './kit/shop.ts';

let node: NodeDouble;
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hivemind-plan-'));
  node = shopNode();
  await node.listen();
});
afterEach(async () => {
  await node.close();
  await rm(directory, { recursive: true });
});
const hive = (line: string, options: RunOptions = {}): Promise<Ran> =>
  run(line.split(' '), { socket: node.socket, directory, ...options });
const written = (): Promise<void> =>
  writeFile(join(directory, 'compose.yaml'), 'name: shop\nservices: { web: { image: "web:2" } }');

const plan: Plan = {
  id: 'p-0000000a-0000000b',
  app: 'shop',
  from: 7,
  to: 8,
  changed: true,
  services: [
    {
      name: 'web',
      action: 'replace',
      containers: { create: 1, replace: 3, remove: 0, keep: 0 },
      fields: [
        { path: 'image', kind: 'changed', before: '"web:1"', after: '"web:2"', effect: 'replaces' },
        { path: 'replicas', kind: 'changed', before: '3', after: '4', effect: 'in-place' },
        { path: 'environment.LOG_LEVEL', kind: 'added', after: '"debug"', effect: 'replaces' },
        { path: 'environment.DB_PASSWORD', kind: 'changed', hidden: true, effect: 'replaces' },
      ],
      unchanged: 14,
    },
    {
      name: 'db',
      action: 'keep',
      containers: { create: 0, replace: 0, remove: 0, keep: 1 },
      fields: [],
      unchanged: 9,
    },
    {
      name: 'old',
      action: 'remove',
      containers: { create: 0, replace: 0, remove: 2, keep: 0 },
      fields: [],
      unchanged: 0,
    },
    {
      name: 'new',
      action: 'create',
      containers: { create: 1, replace: 0, remove: 0, keep: 0 },
      fields: [{ path: 'image', kind: 'added', after: '"new:1"', effect: 'in-place' }],
      unchanged: 1,
    },
  ],
  fields: [{ path: 'networks.back.internal', kind: 'added', after: 'true', effect: 'in-place' }],
  volumes: [
    { name: 'cache', action: 'create' },
    { name: 'data', action: 'keep' },
    { name: 'gone', action: 'leave' },
  ],
  images: [{ image: 'web:2', digest: `sha256:${'ab'.repeat(32)}` }, { image: 'new:1' }],
  containers: { create: 2, replace: 3, remove: 2, keep: 1 },
};

test('plan: the fields, why containers give way, and the command that does exactly this', async () => {
  await written();
  node.on('POST /v1/apps/shop/plan', () => plan);
  expect(await hive('plan -f compose.yaml --profile a*')).toEqual({
    code: 0,
    stderr: '',
    stdout: `+/- app shop   rev 7 → 8
    +/- service web   replaces containers: 1 create · 3 replace · 0 remove · 0 stay
        +/- image "web:1" → "web:2"     replaces containers
        +/- replicas 3 → 4
        +   env.LOG_LEVEL "debug"       replaces containers
        +/- env.DB_PASSWORD (changed)   replaces containers
            (14 unchanged fields)
    -   service old   is removed: 0 create · 0 replace · 2 remove · 0 stay
    +   service new   is new: 1 create · 0 replace · 0 remove · 0 stay
        +   image "new:1"
    +   networks.back.internal true
    +   volume cache
    -   volume gone   no longer used; its data stays
Images  web:2  sha256:abababababab
        new:1  not on the node yet
${'─'.repeat(46)}
2 create · 3 replace · 2 remove · 1 stay        apply exactly this: hivemind deploy -f compose.yaml --profile 'a*' --plan p-0000000a-0000000b
`,
  });
  expect((await hive('plan --full')).stdout).toContain('service db   stays: 0 create');
  expect(JSON.parse((await hive('plan -o json')).stdout)).toEqual(plan);
  expect((await hive('plan -o name')).stdout).toBe('p-0000000a-0000000b\n');
});

test('--exit-code tells 10 from 0; what is up to date says so', async () => {
  await written();
  node.on('POST /v1/apps/shop/plan', () => plan);
  expect((await hive('plan --exit-code')).code).toBe(10);
  node.on('POST /v1/apps/shop/plan', () => ({ ...plan, changed: false }));
  expect(await hive('plan --exit-code')).toEqual({
    code: 0,
    stdout: 'shop is up to date (rev 7).\n',
    stderr: '',
  });
});

test('a file with problems plans nothing', async () => {
  await writeFile(join(directory, 'compose.yaml'), 'services: { web: { imag: x } }');
  expect(await hive('plan')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('Nothing was planned.'),
  });
});

test('deploy --plan sends the plan; a world that moved is exit 5', async () => {
  await written();
  node.on('PUT /v1/apps/shop', () => ({ app: 'shop', revision: 8, changed: true }));
  expect((await hive('deploy --plan p-0000000a-0000000b -d')).code).toBe(0);
  expect(JSON.parse(node.requests.at(-1)!.body.toString())).toMatchObject({ plan: 'p-0000000a-0000000b' });
  node.refuse('PUT /v1/apps/shop', reason('HM-PLAN-STALE'));
  expect(await hive('deploy --plan p-0000000a-0000000b -d')).toMatchObject({
    code: 5,
    stderr: expect.stringContaining('HM-PLAN-STALE\n  next  Look again: hivemind plan'),
  });
});

test('revisions and rollback', async () => {
  const revisions = [1, 2].map((revision) => ({
    revision,
    current: revision === 2,
    createdAt: startMs,
    services: [{ name: 'web', image: `web:${revision}`, replicas: 3 }],
  }));
  node.on('GET /v1/apps/shop/revisions', () => ({ revisions }));
  expect((await hive('revisions shop')).stdout).toMatch(
    /^REVISION +SERVICES +DEPLOYED\n2\* +web×3 +\S+\n1 +web×3 +\S+\n$/,
  );
  expect((await hive('revisions shop -o name')).stdout).toBe('2\n1\n');
  node.on('POST /v1/apps/shop/rollback', () => ({ app: 'shop', revision: 3, changed: true, restored: 1 }));
  expect(await hive('rollback shop 1 -d')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('shop rev 3 (as rev 1) is accepted'),
  });
  expect(JSON.parse(node.requests.at(-1)!.body.toString())).toEqual({ revision: 1 });
  await hive('rollback shop -d');
  expect(JSON.parse(node.requests.at(-1)!.body.toString())).toEqual({});
  expect((await hive('rollback shop x')).code).toBe(2);
  node.refuse('POST /v1/apps/shop/rollback', reason('HM-REVISION-UNKNOWN', undefined, { app: 'shop' }));
  expect(await hive('rollback shop 9 -d')).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('hivemind revisions shop'),
  });
});

test('init writes a file that compiles, and never over one', async () => {
  expect(await hive('init shop')).toEqual({
    code: 0,
    stderr: '',
    stdout: 'compose.yaml is written. Next: hivemind deploy\n',
  });
  node.on('PUT /v1/apps/shop', () => ({ app: 'shop', revision: 1, changed: true }));
  expect(await hive('deploy -d')).toMatchObject({ code: 0, stderr: '' });
  expect(JSON.parse(node.requests.at(-1)!.body.toString())).toMatchObject({
    spec: {
      name: 'shop',
      services: {
        web: {
          image: 'nginx:1.29-alpine',
          replicas: 2,
          ports: [{ hostAddress: '127.0.0.1', containerPort: 80 }],
        },
      },
    },
  });
  const before = await readFile(join(directory, 'compose.yaml'), 'utf8');
  expect(await hive('init')).toMatchObject({ code: 5, stderr: expect.stringContaining('HM-COMPOSE-EXISTS') });
  expect(await readFile(join(directory, 'compose.yaml'), 'utf8')).toBe(before);
  expect((await hive('init -f other.yaml --image redis:8 --port 6379')).stdout).toContain(
    'hivemind deploy -f other.yaml',
  );
  expect(await readFile(join(directory, 'other.yaml'), 'utf8')).toContain('"127.0.0.1:8080:6379"');
  for (const [wrong, code] of [
    ['init Shop', 1],
    ['init --port 0', 2],
    ['init --image A', 1],
  ] as const)
    expect([wrong, (await hive(wrong)).code]).toEqual([wrong, code]);
});
