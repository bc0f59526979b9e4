/** `include`: what an included app brings, from where its paths and variables come, and what is refused. */
import { expect, test } from 'vitest';
import { limits } from '../../../../protocols/limits.ts';
import { cwd, treeOf, type Disk } from './disk.ts';

const db = `name: own
services:
  db: { image: "postgres:\${TAG:-none}", volumes: ["./data:/data"], secrets: [s] }
secrets: { s: { file: ./s.txt } }
volumes: { v: }
`;
const included = (image: string, directory = '/srv/shop/db'): object => ({
  services: { web: { image: 'w' }, db: { image, volumes: [`${directory}/data:/data`], secrets: ['s'] } },
  secrets: { s: { file: `${directory}/s.txt` } },
  volumes: { v: null },
});

test.each<
  readonly [what: string, include: string, more: Disk, environment: Record<string, string>, result: object]
>([
  ['short form', '[db/c.yaml]', {}, {}, included('postgres:none')],
  ['its own .env', '[db/c.yaml]', { [`${cwd}/db/.env`]: 'TAG=own' }, {}, included('postgres:own')],
  [
    'the deployer wins over it',
    '[db/c.yaml]',
    { [`${cwd}/db/.env`]: 'TAG=own' },
    { TAG: 'outer' },
    included('postgres:outer'),
  ],
  [
    'our .env wins over it',
    '[db/c.yaml]',
    { [`${cwd}/.env`]: 'TAG=ours', [`${cwd}/db/.env`]: 'TAG=own' },
    {},
    included('postgres:ours'),
  ],
  [
    'a named env file',
    '[{ path: db/c.yaml, env_file: [a.env, b.env] }]',
    { [`${cwd}/a.env`]: 'TAG=a', [`${cwd}/b.env`]: 'TAG=${TAG}b', [`${cwd}/db/.env`]: 'TAG=no' },
    {},
    included('postgres:ab'),
  ],
  [
    'a project directory',
    '[{ path: db/c.yaml, project_directory: ../else }]',
    { '/srv/else/.env': 'TAG=else' },
    {},
    included('postgres:else', '/srv/else'),
  ],
  [
    'several files of it',
    '[{ path: [db/c.yaml, over.yaml] }]',
    { [`${cwd}/over.yaml`]: 'services: { db: { image: mine } }' },
    {},
    included('mine'),
  ],
  ['twice the same is once', '[db/c.yaml, { path: db/c.yaml }]', {}, {}, included('postgres:none')],
  [
    'an include that includes',
    '[mid/m.yaml]',
    { [`${cwd}/mid/m.yaml`]: 'include: [../db/c.yaml]' },
    {},
    included('postgres:none'),
  ],
])('%s', (_what, include, more, environment, result) => {
  const disk = {
    [`${cwd}/compose.yaml`]: `include: ${include}\nservices: { web: { image: w } }`,
    [`${cwd}/db/c.yaml`]: db,
    ...more,
  };
  expect(treeOf(disk, { environment })).toEqual(result);
});

test.each<readonly [what: string, text: string, more: Disk, problems: readonly string[]]>([
  [
    'another service of the same name',
    'include: [b.yaml]\nservices:\n  x: { image: i }',
    { [`${cwd}/b.yaml`]: 'services:\n\n  x: { image: j }' },
    ['HM-COMPOSE-REFERENCE b.yaml:3: services.x is included, and stands in compose.yaml:3 as something else'],
  ],
  [
    'a circle',
    'include: [b.yaml]',
    { [`${cwd}/b.yaml`]: 'include:\n- compose.yaml' },
    ['HM-COMPOSE-CYCLE b.yaml:2: files include each other in a circle: compose.yaml → b.yaml → compose.yaml'],
  ],
  [
    'itself',
    'include: [compose.yaml]',
    {},
    ['HM-COMPOSE-CYCLE compose.yaml:1: files include each other in a circle: compose.yaml → compose.yaml'],
  ],
  [
    'no such file',
    'include: [no.yaml]',
    {},
    ['HM-COMPOSE-FILE compose.yaml:1: /srv/shop/no.yaml does not exist'],
  ],
  [
    'no such env file',
    'include: [{ path: b.yaml, env_file: no.env }]',
    { [`${cwd}/b.yaml`]: '' },
    ['HM-COMPOSE-FILE compose.yaml:1: /srv/shop/no.env does not exist'],
  ],
  [
    'something remote',
    'include: [oci://registry.example/app]',
    {},
    ['HM-COMPOSE-FILE compose.yaml:1: include: oci://registry.example/app is not a file'],
  ],
  [
    'no list',
    'include: b.yaml',
    {},
    ['HM-COMPOSE-TYPE compose.yaml:1: include must be a list, not "b.yaml"'],
  ],
  [
    'no path',
    'include: [{ project_directory: x }]',
    {},
    [
      'HM-COMPOSE-TYPE compose.yaml:1: include[0] must be a path, or a map with path, project_directory and env_file, not a map',
    ],
  ],
  [
    'an unknown key',
    'include: [{ path: b.yaml, pth: x }]',
    { [`${cwd}/b.yaml`]: '' },
    ['HM-COMPOSE-KEY compose.yaml:1: include[0].pth is not a known key'],
  ],
  [
    'an unknown key in it',
    'include: [b.yaml]',
    { [`${cwd}/b.yaml`]: 'service: {}' },
    ['HM-COMPOSE-KEY b.yaml:1: service is not a known key'],
  ],
  [
    'broken YAML in it',
    'include: [b.yaml]',
    { [`${cwd}/b.yaml`]: 'a: [' },
    [
      'HM-COMPOSE-SYNTAX b.yaml:1: Flow sequence in block collection must be sufficiently indented and end with a ]',
    ],
  ],
])('refused: %s', (_what, text, more, problems) => {
  expect(treeOf({ [`${cwd}/compose.yaml`]: text, ...more })).toEqual(problems);
});

test('includes that double each time end', () => {
  const doubling = Array.from({ length: 20 }, (_, at) => [
    `${cwd}/${at}.yaml`,
    `include: [${at + 1}.yaml, { path: ${at + 1}.yaml }]`,
  ]);
  expect(
    treeOf({ ...Object.fromEntries(doubling), [`${cwd}/20.yaml`]: 'services: {}' }, { files: ['0.yaml'] }),
  ).toContain(`HM-COMPOSE-LIMIT The app has more than ${limits.composeFiles} files`);
});

test('a further file changes what is included', () => {
  expect(
    treeOf(
      {
        [`${cwd}/a.yaml`]: 'include: [db/c.yaml]',
        [`${cwd}/db/c.yaml`]: 'services: { db: { image: i, ports: ["1:1"] } }',
        [`${cwd}/b.yaml`]: 'services: { db: { ports: !override ["2:2"] } }',
      },
      { files: ['a.yaml', 'b.yaml'] },
    ),
  ).toEqual({ services: { db: { image: 'i', ports: ['2:2'] } } });
});
