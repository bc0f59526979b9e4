/** What the compiler makes of a file, the API takes: both state the same rules, one with lines, one without. */
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { compile } from '../../../protocols/apps/compile.ts';
import { appSpec } from '../../../runtime/api/schemas/app-spec.ts';
import { readCompose } from '../../../runtime/compose/read.ts';

/** The app, or `undefined` when the file has problems. */
function compiled(text: string): unknown {
  const read = readCompose({ file: 'compose.yaml', text });
  if ('problems' in read) return undefined;
  const result = compile(read.root, {
    projectDirectory: '/srv/shop',
    environment: {},
  });
  return 'spec' in result ? result.spec : undefined;
}

const service = fc.record(
  {
    image: fc.constantFrom('redis', 'docker.io/library/redis:7', `a.example:5000/b@sha256:${'0'.repeat(64)}`),
    command: fc.oneof(fc.constantFrom('sh -c "x y"', '', null), fc.array(fc.string({ maxLength: 5 }))),
    entrypoint: fc.constantFrom('', '/run', [], null),
    environment: fc.oneof(
      fc.dictionary(fc.string({ maxLength: 3 }), fc.constantFrom('', 'x', 1, true, null)),
      fc.constantFrom(['A=1', 'B'], null),
    ),
    ports: fc.constantFrom([], ['80:80/udp'], ['127.0.0.1:1-9:1-9'], [{ target: 1, published: '65535' }]),
    volumes: fc.constantFrom(
      ['data:/d'],
      ['./x/../..:/x:ro,z'],
      [{ type: 'bind', source: '/', target: '/y' }],
    ),
    tmpfs: fc.constantFrom('/run', ['/run:size=0,mode=7777'], []),
    depends_on: fc.constantFrom(['db'], { db: { condition: 'service_healthy' } }, [], ['web']),
    restart: fc.constantFrom('no', 'always', 'on-failure:0', 'on-failure:999999', 'unless-stopped'),
    deploy: fc.record({ replicas: fc.constantFrom(0, 1, 999, 1_000, 1_001) }),
    healthcheck: fc.constantFrom(
      { test: 'x', interval: '1ns' },
      { test: ['CMD', 'y'], interval: '24h', timeout: '1ms', retries: 1_000, start_period: '0' },
      { test: 'x', interval: '25h' },
      { disable: true },
    ),
    network_mode: fc.constantFrom('host', 'none', 'bridge'),
    stop_grace_period: fc.constantFrom('0', '24h', '1.5s', '86400001ms'),
    stop_signal: fc.constantFrom('SIGTERM', 'rtmax-30', 'SIGRTMIN+30', 'winch'),
  },
  { requiredKeys: ['image'] },
);

test('every app that compiles is one that the API takes', () => {
  let taken = 0;
  fc.assert(
    fc.property(service, (web) => {
      const spec = compiled(
        stringify({ services: { web, db: { image: 'redis' } }, volumes: { data: null } }),
      );
      if (spec === undefined) return;
      taken += 1;
      expect(appSpec.parse(spec)).toEqual(spec);
    }),
    { numRuns: 1_000 },
  );
  expect(taken).toBeGreaterThan(50);
});

test('the example too', () => {
  const spec = compiled(readFileSync('examples/hello/compose.yaml', 'utf8'));
  expect(spec).toBeDefined();
  expect(appSpec.parse(spec)).toEqual(spec);
});
