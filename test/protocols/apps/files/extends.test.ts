/** `extends`: chains, other files, what is refused. */
import { describe, expect, test } from 'vitest';
import { limits } from '../../../../protocols/limits.ts';
import { cwd, treeOf, type Disk } from './disk.ts';

const services = (disk: Disk): unknown => {
  const tree = treeOf(disk);
  return Array.isArray(tree) ? tree : (tree as { services: unknown }).services;
};
const main = (text: string, more: Disk = {}): unknown => services({ [`${cwd}/compose.yaml`]: text, ...more });

test.each<readonly [what: string, text: string, result: unknown]>([
  [
    'a service of the same file',
    'services: { a: { extends: b, ports: ["2:2"] }, b: { image: i, ports: ["1:1"] } }',
    { a: { image: 'i', ports: ['1:1', '2:2'] }, b: { image: 'i', ports: ['1:1'] } },
  ],
  [
    'a chain, each link over the next',
    'services: { a: { extends: { service: b }, command: x }, b: { extends: c, restart: always }, c: { image: i, command: y } }',
    {
      a: { image: 'i', command: 'x', restart: 'always' },
      b: { image: 'i', command: 'y', restart: 'always' },
      c: { image: 'i', command: 'y' },
    },
  ],
  [
    '!reset and !override',
    'services: { a: { extends: b, ports: !reset null, cap_add: !override [Y] }, b: { image: i, ports: ["1:1"], cap_add: [X] } }',
    { a: { image: 'i', cap_add: ['Y'] }, b: { image: 'i', ports: ['1:1'], cap_add: ['X'] } },
  ],
  [
    'two forms of one key',
    'services: { a: { extends: b, environment: { A: 1 } }, b: { image: i, environment: [A=0, B=2] } }',
    { a: { image: 'i', environment: { A: 1, B: '2' } }, b: { image: 'i', environment: ['A=0', 'B=2'] } },
  ],
])('%s', (_what, text, result) => {
  expect(main(text)).toEqual(result);
});

describe('another file', () => {
  const common = `services:
  base:
    extends: deeper
    volumes: ["./data:/data", "named:/n", "~/h:/h", { type: bind, source: ../up, target: /u }]
    env_file: base.env
    security_opt: ["seccomp:profile.json", "no-new-privileges"]
  deeper: { extends: { file: deep/er.yaml, service: x }, image: "\${IMAGE:-i}" }
networks: { ignored: }
`;
  const disk: Disk = {
    '/srv/lib/common.yaml': common,
    '/srv/lib/deep/er.yaml': 'services: { x: { command: c, volumes: ["./deep:/deep"] } }',
    '/srv/lib/base.env': 'FROM=base',
  };

  test('its relative paths mean what they meant there', () => {
    expect(main('services: { a: { extends: { file: ../lib/common.yaml, service: base } } }', disk)).toEqual({
      a: {
        command: 'c',
        image: 'i',
        environment: { FROM: 'base' },
        security_opt: ['seccomp:/srv/lib/profile.json', 'no-new-privileges'],
        volumes: [
          '/srv/lib/deep/deep:/deep',
          '/srv/lib/data:/data',
          'named:/n',
          '~/h:/h',
          { type: 'bind', source: '/srv/up', target: '/u' },
        ],
      },
    });
  });

  test.each<readonly [text: string, refusal: string]>([
    ['{ file: nope.yaml, service: x }', 'HM-COMPOSE-FILE compose.yaml:1: /srv/shop/nope.yaml does not exist'],
    [
      '{ file: ../lib/common.yaml, service: bas }',
      'HM-COMPOSE-REFERENCE compose.yaml:1: services.a.extends: there is no service bas in ../lib/common.yaml',
    ],
    ['nope', 'HM-COMPOSE-REFERENCE compose.yaml:1: services.a.extends: there is no service nope'],
    [
      '{ file: ../lib/common.yaml }',
      'HM-COMPOSE-TYPE compose.yaml:1: services.a.extends must be the name of a service, or a map of service and file, not a map',
    ],
    [
      '[b]',
      'HM-COMPOSE-TYPE compose.yaml:1: services.a.extends must be the name of a service, or a map of service and file, not a list',
    ],
    ['{ service: b, fil: x }', 'HM-COMPOSE-KEY compose.yaml:1: services.a.extends.fil is not a known key'],
    ['a', 'HM-COMPOSE-CYCLE compose.yaml:1: services extend each other in a circle: a → a'],
  ])('%s is refused', (wish, refusal) => {
    expect(main(`services: { a: { extends: ${wish} }, b: { image: i } }`, disk)).toContain(refusal);
  });
});

test('a circle through two files is named whole, once for each way into it', () => {
  const other = 'services: { b: { extends: { file: ../compose.yaml, service: a } } }';
  expect(
    main('services: { a: { extends: { file: sub/other.yaml, service: b } } }', {
      [`${cwd}/sub/other.yaml`]: other,
    }),
  ).toEqual(['HM-COMPOSE-CYCLE sub/other.yaml:1: services extend each other in a circle: a → b → a']);
});

test('a chain has an end', () => {
  const links = Array.from(
    { length: limits.composeExtends + 2 },
    (_, at) => `s${at}: { extends: s${at + 1} }`,
  );
  expect(main(`services: { ${links.join(', ')}, s${links.length}: { image: i } }`)).toContain(
    `HM-COMPOSE-LIMIT compose.yaml:1: services.s${limits.composeExtends}.extends: a chain of more than ${limits.composeExtends}`,
  );
});
