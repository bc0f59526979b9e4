/** What a plan says of a change: as a table of edits to one service, then of the whole app, then of its id. */
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import type { AppSpec, ServiceSpec } from '../../../../protocols/apps/model.ts';
import { planOf, staleness, type FieldChange, type Plan } from '../../../../protocols/apps/plan/plan.ts';
import { shownValue } from '../../../../protocols/security/shown-value.ts';
import { specHash } from '../../../../protocols/apps/spec-hash.ts';
import { appOf, serviceOf, Town } from '../town.ts';

const web = (more: Partial<ServiceSpec> = {}): ServiceSpec => serviceOf('web', { replicas: 2, ...more });
const town = (spec: AppSpec, digests: Record<string, string> = {}): Town => {
  const made = new Town();
  made.deploy(spec, digests);
  return made;
};
const line = ({ path, kind, before, after, hidden, effect }: FieldChange): string =>
  `${kind} ${path} ${hidden ? '(changed)' : [before, after].filter((side) => side !== undefined).join(' → ')} ${effect}`;
const edit = (before: Partial<ServiceSpec>, after: Partial<ServiceSpec>): readonly string[] =>
  planOf(town(appOf('shop', [web(before)])).desk, appOf('shop', [web(after)]), {}).services[0]!.fields.map(
    line,
  );

describe('a field', () => {
  const port = { hostAddress: '0.0.0.0', hostPort: 8080, containerPort: 80, protocol: 'tcp' } as const;
  const volume = { type: 'volume', volume: 'data', target: '/data', readOnly: true } as const;
  test.each<readonly [string, Partial<ServiceSpec>, Partial<ServiceSpec>, readonly string[]]>([
    ['nothing', {}, {}, []],
    ['image', { image: 'a:1' }, { image: 'a:2' }, ['changed image "a:1" → "a:2" replaces']],
    ['replicas', {}, { replicas: 3 }, ['changed replicas 2 → 3 in-place']],
    [
      'order',
      {},
      { dependsOn: [{ service: 'db', condition: 'healthy' }] },
      ['added dependsOn db (healthy) in-place'],
    ],
    [
      'a variable',
      { environment: { A: '1', B: '2' } },
      { environment: { A: '1', B: '3', C: '' } },
      ['changed environment.B "2" → "3" replaces', 'added environment.C "" replaces'],
    ],
    [
      'a variable gone',
      { environment: { A: '1' } },
      { environment: {} },
      ['removed environment.A "1" replaces'],
    ],
    [
      'ports',
      { ports: [port] },
      { ports: [{ ...port, hostAddress: '127.0.0.1' }] },
      ['removed ports 8080:80/tcp replaces', 'added ports 127.0.0.1:8080:80/tcp replaces'],
    ],
    [
      'mounts',
      {},
      { mounts: [volume, { type: 'bind', source: '/s', target: '/t', readOnly: false, createSource: true }] },
      ['added mounts data:/data:ro replaces', 'added mounts /s:/t replaces'],
    ],
    [
      'the order of mounts',
      { mounts: [volume, { ...volume, target: '/e' }] },
      { mounts: [{ ...volume, target: '/e' }, volume] },
      [
        'changed mounts [{"readOnly":true,"target":"/data","type":"volume","volume":"data"},{"readOnly":true,"target":"/e","type":"volume","volume":"data"}] → [{"readOnly":true,"target":"/e","type":"volume","volume":"data"},{"readOnly":true,"target":"/data","type":"volume","volume":"data"}] replaces',
      ],
    ],
    ['command', { command: ['a'] }, { command: ['a', 'b'] }, ['changed command ["a"] → ["a","b"] replaces']],
    [
      'a part of a part',
      { process: { user: '1' } },
      { process: { user: '2', tty: true } },
      ['changed process.user "1" → "2" replaces', 'added process.tty true replaces'],
    ],
    [
      'a secret by its name',
      { environment: { DB_PASSWORD: 'old' } },
      { environment: { DB_PASSWORD: 'new', API_KEY: 'k' } },
      ['changed environment.DB_PASSWORD (changed) replaces', 'added environment.API_KEY (changed) replaces'],
    ],
    [
      'a secret in a value',
      { environment: { URL: 'pg://me:hunter2@db/x' } },
      { environment: { URL: 'pg://db/x' } },
      ['changed environment.URL (changed) replaces'],
    ],
    [
      'a secret in a command',
      {},
      { command: ['redis-server', '--requirepass', 'hunter2'] },
      ['added command (changed) replaces'],
    ],
    [
      'a secret in a health check',
      {},
      {
        healthcheck: {
          test: ['curl', '-H', 'Authorization: Bearer abc'],
          intervalMs: 1,
          timeoutMs: 1,
          retries: 1,
          startPeriodMs: 0,
        },
      },
      [
        'added healthcheck.test (changed) replaces',
        'added healthcheck.intervalMs 1 replaces',
        'added healthcheck.timeoutMs 1 replaces',
        'added healthcheck.retries 1 replaces',
        'added healthcheck.startPeriodMs 0 replaces',
      ],
    ],
  ])('%s', (_what, before, after, fields) => {
    expect(edit(before, after)).toEqual(fields);
  });

  it('that the container hash knows replaces, and no other: they never disagree', () => {
    const edits: fc.Arbitrary<Partial<ServiceSpec>> = fc.record(
      {
        image: fc.constantFrom('a:1', 'a:2'),
        environment: fc.dictionary(fc.constantFrom('A', 'B'), fc.constantFrom('1', '2')),
        replicas: fc.integer({ min: 0, max: 3 }),
        stopGraceMs: fc.constantFrom(1, 2),
        labels: fc.constantFrom({ a: '1' }, { a: '2' }),
        resources: fc.record({
          limits: fc.record({ cpus: fc.constantFrom(1, 2), memoryBytes: fc.constantFrom(1, 2) }),
          cpuset: fc.constantFrom('0', '1'),
        }),
        dependsOn: fc.constantFrom([], [{ service: 'db', condition: 'started' as const }]),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(edits, edits, (one, other) => {
        const replaced = specHash(web(one)) !== specHash(web(other));
        const fields = edit(one, other);
        expect(fields.some((field) => field.endsWith('replaces'))).toBe(replaced);
        // An empty list or map of a part says nothing; anything else that differs is told.
        if (fields.length === 0) expect(replaced).toBe(false);
      }),
    );
  });
});

test.each([
  ['PASSWORD'],
  ['DB_PASS'],
  ['db-passwd'],
  ['MYSQL_ROOT_PASSWORD'],
  ['SECRET_KEY_BASE'],
  ['GITHUB_TOKEN'],
  ['AWS_ACCESS_KEY_ID'],
  ['apikey'],
  ['PRIVATE_KEY'],
  ['AUTH'],
  ['SENTRY_DSN'],
  ['PGPASSFILE_PWD'],
  ['SIGNING_KEY'],
  ['SALT'],
])('%s is not shown', (name) => {
  expect(shownValue(['environment', name], 'x')).toBeUndefined();
});

test.each([
  'postgres://u:p@h/db',
  'amqp://guest:guest@q',
  '{"password":"x"}',
  '--token=abc',
  '-----BEGIN PRIVATE KEY-----',
  'eyJhbGciOiJIUzI1.x',
  'wJalrXUtnFEMIK7MDENGbPxRfiCY',
])('%j is not shown anywhere', (value) => {
  expect(shownValue(['environment', 'X'], value)).toBeUndefined();
});

test.each<readonly [readonly string[], unknown, string]>([
  [['environment', 'LOG_LEVEL'], 'debug', '"debug"'],
  [['environment', 'KEYBOARD'], 'de', '"de"'],
  [['environment', 'URL'], 'http://db:5432/x', '"http://db:5432/x"'],
  [['environment', 'TEXT'], 'x'.repeat(300), `"${'x'.repeat(198)}…`],
  [['image'], `a@sha256:${'0a'.repeat(32)}`, `"a@sha256:${'0a'.repeat(32)}"`],
  [['configs', 'c', 'externalName'], 'x', '"x"'],
])('%j %j is shown', (path, value, text) => {
  expect(shownValue(path, value)).toBe(text);
});

test('content and digest of configs and secrets are not shown', () => {
  const spec = (digest: string): AppSpec => ({
    ...appOf('shop', [web()]),
    secrets: { s: { name: 's', digest, content: 'aGk=' } },
  });
  const made = new Town();
  const sealed = { keyId: 'k', wrap: '', body: '' };
  made.command({
    type: 'app.deploy',
    spec: spec('sha256:1'),
    sealed: [{ op: 'put', key: 'sealed/apps/shop/secret.s/1', value: sealed }],
    at: 1,
  });
  const plan = planOf(made.desk, spec('sha256:2'), {});
  expect(plan.fields.map(line)).toEqual(['changed secrets.s.digest (changed) in-place']);
  expect(JSON.stringify(planOf(new Town().desk, spec('sha256:1'), {}))).not.toMatch(/aGk|sha256/);
});

describe('the whole app', () => {
  const counts = ({ services, containers }: Plan): unknown => [
    ...services.map(({ name, action, containers: own }) => [
      name,
      action,
      own.create,
      own.replace,
      own.remove,
      own.keep,
    ]),
    containers,
  ];
  const before = appOf('shop', [web(), serviceOf('db'), serviceOf('old', { replicas: 3 })], ['data', 'gone']);

  it('new', () => {
    const plan = planOf(new Town().desk, before, { 'web:1': 'sha256:w' });
    expect(plan).toMatchObject({ app: 'shop', from: 0, to: 1, changed: true });
    expect(counts(plan)).toEqual([
      ['web', 'create', 2, 0, 0, 0],
      ['db', 'create', 1, 0, 0, 0],
      ['old', 'create', 3, 0, 0, 0],
      { create: 6, replace: 0, remove: 0, keep: 0 },
    ]);
    expect(plan.volumes).toEqual([
      { name: 'data', action: 'create' },
      { name: 'gone', action: 'create' },
    ]);
    expect(plan.images).toEqual([
      { image: 'web:1', digest: 'sha256:w' },
      { image: 'db:1' },
      { image: 'old:1' },
    ]);
  });

  it('the same', () => {
    const plan = planOf(town(before).desk, before, {});
    expect(plan).toMatchObject({ from: 1, to: 1, changed: false });
    expect(plan.containers).toEqual({ create: 0, replace: 0, remove: 0, keep: 6 });
  });

  it('changed', () => {
    const after = appOf(
      'shop',
      [web({ image: 'web:2', replicas: 3 }), serviceOf('db', { replicas: 0 }), serviceOf('new')],
      ['data', 'more'],
    );
    const plan = planOf(town(before).desk, after, {});
    expect(plan).toMatchObject({ from: 1, to: 2, changed: true });
    expect(counts(plan)).toEqual([
      ['web', 'replace', 1, 2, 0, 0],
      ['db', 'update', 0, 0, 1, 0],
      ['new', 'create', 1, 0, 0, 0],
      ['old', 'remove', 0, 0, 3, 0],
      { create: 2, replace: 2, remove: 4, keep: 0 },
    ]);
    expect(plan.volumes).toEqual([
      { name: 'data', action: 'keep' },
      { name: 'more', action: 'create' },
      { name: 'gone', action: 'leave' },
    ]);
  });

  it('what scale said is what there is; a deploy takes it back', () => {
    const there = town(before);
    there.command({ type: 'app.scale', app: 'shop', service: 'web', replicas: 5 });
    const plan = planOf(there.desk, before, {});
    expect(plan).toMatchObject({ from: 1, to: 1, changed: true });
    expect(plan.services[0]).toMatchObject({ action: 'update', containers: { remove: 3, keep: 2 } });
    expect(plan.services[0]!.fields.map(line)).toEqual(['changed replicas 5 → 2 in-place']);
  });

  it('new content of an image', () => {
    const plan = planOf(town(before, { 'web:1': 'sha256:a' }).desk, before, { 'web:1': 'sha256:b' });
    expect(plan).toMatchObject({ from: 1, to: 2, changed: true });
    expect(plan.services[0]).toMatchObject({ action: 'replace', containers: { replace: 2 } });
    expect(plan.services[0]!.fields.map(line)).toEqual([
      'changed imageDigest "sha256:a" → "sha256:b" replaces',
    ]);
  });

  it('a plan says what a deploy does', () => {
    const apps = fc.array(
      fc.record({
        name: fc.constantFrom('a', 'b', 'c'),
        replicas: fc.integer({ min: 0, max: 3 }),
        image: fc.constantFrom('i:1', 'i:2'),
      }),
      { minLength: 1, maxLength: 3 },
    );
    const specOf = (rows: readonly { name: string; replicas: number; image: string }[]): AppSpec =>
      appOf(
        'shop',
        rows.map(({ name, ...more }) => serviceOf(name, more)),
      );
    fc.assert(
      fc.property(apps, apps, (one, other) => {
        const there = town(specOf(one));
        there.converge();
        const slots = new Map(there.assignments().map(({ slot, placement }) => [slot, placement]));
        const plan = planOf(there.desk, specOf(other), {});
        there.deploy(specOf(other));
        there.converge();
        const now = new Map(there.assignments().map(({ slot, placement }) => [slot, placement]));
        const both = [...now.keys()].filter((slot) => slots.has(slot));
        const same = both.filter((slot) => slots.get(slot) === now.get(slot));
        expect(plan.containers).toEqual({
          create: now.size - both.length,
          remove: slots.size - both.length,
          keep: same.length,
          replace: both.length - same.length,
        });
      }),
    );
  });
});

describe('the id', () => {
  const before = appOf('shop', [web()]);
  const after = appOf('shop', [web({ image: 'web:2' })]);
  const moved = (move: (there: Town) => void, digests = {}, spec = after): unknown => {
    const there = town(before);
    const { id } = planOf(there.desk, after, {});
    move(there);
    return staleness(there.desk, spec, digests, id)?.message.replace(id, 'ID');
  };
  it('holds while nothing moved', () => {
    expect(moved(() => {})).toBeUndefined();
  });
  it.each<[string, (there: Town) => void]>([
    ['a deploy', (there) => there.deploy(appOf('shop', [web({ image: 'web:3' })]))],
    ['a scale', (there) => there.command({ type: 'app.scale', app: 'shop', service: 'web', replicas: 1 })],
    ['a restart', (there) => there.command({ type: 'app.restart', app: 'shop' })],
    ['a removal', (there) => there.command({ type: 'app.remove', app: 'shop', volumes: false })],
  ])('not after %s', (_what, move) => {
    expect(moved(move)).toBe('shop or its images have changed since the plan ID');
  });
  it('not for other files, nor for new content of an image', () => {
    expect(moved(() => {}, {}, before)).toBe('The files have changed since the plan ID');
    expect(moved(() => {}, { 'web:2': 'sha256:x' })).toBe(
      'shop or its images have changed since the plan ID',
    );
  });
  it('is what the deploy command compares, before anything is written', () => {
    const there = town(before);
    const { id } = planOf(there.desk, after, {});
    const deploy = (plan: string) => there.command({ type: 'app.deploy', spec: after, plan, at: 0 });
    expect(deploy('p-00000000-00000000')).toMatchObject({ refusal: { code: 'HM-PLAN-STALE' } });
    expect(deploy(id)).toMatchObject({ answer: { revision: 2, changed: true } });
    expect(deploy(id)).toMatchObject({ refusal: { code: 'HM-PLAN-STALE' } });
  });
});
