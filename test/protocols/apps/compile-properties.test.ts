/** Whatever stands in the file: compiling answers, every answer is located, and the same file means the same app. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { isName } from '../../../protocols/apps/compose/files/names.ts';
import { specHash } from '../../../protocols/apps/spec-hash.ts';
import { compileText, specOf } from './compile-text.ts';

const keys = fc.constantFrom(
  ...[
    'image',
    'command',
    'entrypoint',
    'environment',
    'ports',
    'volumes',
    'tmpfs',
    'depends_on',
    'restart',
    'deploy',
  ],
  ...[
    'healthcheck',
    'network_mode',
    'stop_grace_period',
    'stop_signal',
    'replicas',
    'test',
    'target',
    'published',
  ],
  ...['type', 'source', 'condition', 'services', 'name', 'x-y', '<<', '__proto__', 'constructor', 'a', 'b'],
);
const scalars = fc.oneof(
  fc.constantFrom(
    'a',
    'b',
    '8080:80',
    './x:/y',
    'on-failure:3',
    '10s',
    '${A:-b}',
    '$',
    '${',
    'a b "',
    'tmpfs',
    '',
    '\0',
  ),
  fc.string(),
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
);
const { value: anything } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    scalars,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(keys, tie('value'), { maxKeys: 6, noNullPrototype: false }),
  ),
}));

function check(text: string): void {
  const compiled = compileText(text);
  if ('problems' in compiled) {
    expect(compiled.problems.length).toBeGreaterThan(0);
    for (const { code, hint } of compiled.problems) {
      expect(code).toMatch(/^HM-COMPOSE-/);
      expect(hint).not.toBe('');
    }
  } else {
    expect(isName(compiled.spec.name)).toBe(true);
    expect(Object.keys(compiled.spec.services).length).toBeGreaterThan(0);
  }
}

test('never throws: any text', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), check), { numRuns: 500 });
  const yamlish = fc.array(
    fc.constantFrom(...'services:|a:|  |\n|- |image|*a |&a |<<: |{|}|[|]|"|: |# |!t |x|? '.split('|')),
  );
  fc.assert(
    fc.property(yamlish, (parts) => check(parts.join(''))),
    { numRuns: 1_000 },
  );
});

test('never throws: anything in the place of a service, and of the file', () => {
  fc.assert(
    fc.property(anything, (value) => {
      check(stringify(value));
      check(
        stringify({
          services: { a: value, b: { image: 'i', depends_on: ['a'], volumes: value } },
          volumes: value,
        }),
      );
    }),
    { numRuns: 1_000 },
  );
});

const services = fc.record(
  {
    image: fc.constantFrom('redis:7', 'registry.example/a/b@sha256:' + 'a'.repeat(64)),
    command: fc.oneof(fc.constant('sh -c "x y"'), fc.array(fc.constantFrom('a', 'b c', '-x'))),
    environment: fc.dictionary(fc.constantFrom('A', 'B', 'C', '1'), fc.constantFrom('', 'x', 'a=b')),
    ports: fc.constantFrom(['8080:80'], ['127.0.0.1:53:53/udp', '9000-9001:80-81']),
    volumes: fc.constantFrom(['data:/data'], ['./x:/x:ro']),
    restart: fc.constantFrom('always', 'on-failure:2'),
    deploy: fc.record({ replicas: fc.integer({ min: 0, max: 9 }) }),
    healthcheck: fc.constantFrom({ test: 'x' }, { test: ['CMD', 'y'], interval: '1m' }),
  },
  { requiredKeys: ['image'] },
);

test('the same file in another spelling is the same app, and its services hash the same', () => {
  fc.assert(
    fc.property(services, (service) => {
      const file = { name: 'shop', services: { web: service }, volumes: { data: null } };
      const block = specOf(stringify(file));
      expect(specOf(JSON.stringify(file))).toEqual(block);
      const turned = Object.fromEntries(Object.entries(service).toReversed());
      const again = specOf(stringify({ ...file, services: { web: turned } }));
      expect(specHash(again.services['web']!)).toBe(specHash(block.services['web']!));
    }),
  );
});

test('the spec hash: replicas and start order do not count, content does', () => {
  const hash = (more: string, digest?: string): string =>
    specHash(specOf(`services: { b: { image: i }, a: { image: i, ${more} } }`).services['a']!, digest);
  expect(hash('deploy: { replicas: 3 }')).toBe(hash('depends_on: [b]'));
  expect(hash('')).not.toBe(hash('command: x'));
  expect(hash('')).not.toBe(hash('', 'sha256:1'));
});
