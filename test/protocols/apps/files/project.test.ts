/** Which files make the app, what it is called, where it stands, and which services its profiles bring in. */
import { describe, expect, test } from 'vitest';
import type { LoadOptions } from '../../../../protocols/apps/compose/files/load.ts';
import { compileFrom, cwd, loadFrom, treeOf, type Disk } from './disk.ts';

const saying = (image: string): string => `services: { a: { image: ${image} } }`;
const image = (disk: Disk, options: Partial<LoadOptions>): unknown => {
  const tree = treeOf(disk, options);
  return Array.isArray(tree) ? tree : (tree as { services: { a: { image: string } } }).services.a.image;
};

describe('the files', () => {
  test.each<readonly [what: string, files: readonly string[], options: Partial<LoadOptions>, from: unknown]>([
    [
      'compose.yaml before the others',
      ['docker-compose.yml', 'compose.yml', 'compose.yaml'],
      {},
      'compose.yaml',
    ],
    ['compose.yml', ['docker-compose.yml', 'compose.yml'], {}, 'compose.yml'],
    ['docker-compose.yml', ['docker-compose.yml', 'docker-compose.yaml'], {}, 'docker-compose.yml'],
    ['an override beside it', ['compose.yaml', 'compose.override.yaml'], {}, 'compose.override.yaml'],
    [
      'an override of the older name',
      ['docker-compose.yml', 'docker-compose.override.yml'],
      {},
      'docker-compose.override.yml',
    ],
    [
      'no override when files are named',
      ['compose.yaml', 'compose.override.yaml'],
      { files: ['compose.yaml'] },
      'compose.yaml',
    ],
    ['from a directory above', ['compose.yaml'], { directory: `${cwd}/deep/er` }, 'compose.yaml'],
    ['-f, the last wins', ['x.yaml', 'y.yaml'], { files: ['x.yaml', 'y.yaml'] }, 'y.yaml'],
    ['COMPOSE_FILE', ['x.yaml', 'y.yaml'], { environment: { COMPOSE_FILE: 'x.yaml:y.yaml' } }, 'y.yaml'],
    [
      'COMPOSE_FILE with its separator',
      ['x.yaml', 'y.yaml'],
      { environment: { COMPOSE_FILE: 'y.yaml;x.yaml', COMPOSE_PATH_SEPARATOR: ';' } },
      'x.yaml',
    ],
    [
      '-f before COMPOSE_FILE',
      ['x.yaml', 'y.yaml'],
      { files: ['x.yaml'], environment: { COMPOSE_FILE: 'y.yaml' } },
      'x.yaml',
    ],
    ['none', [], {}, ['HM-COMPOSE-FILE No compose.yaml in /srv/shop or above it']],
    [
      'a named one that is missing',
      [],
      { files: ['x.yaml'] },
      ['HM-COMPOSE-FILE /srv/shop/x.yaml does not exist'],
    ],
  ])('%s', (_what, files, options, from) => {
    const disk = Object.fromEntries(files.map((file) => [`${cwd}/${file}`, saying(file)]));
    expect(image(disk, options)).toEqual(from);
  });

  test('COMPOSE_FILE of .env, and standard input among files', () => {
    expect(image({ [`${cwd}/x.yaml`]: saying('x'), [`${cwd}/.env`]: 'COMPOSE_FILE=x.yaml' }, {})).toBe('x');
    expect(image({ [`${cwd}/x.yaml`]: saying('x'), '-': saying('piped') }, { files: ['x.yaml', '-'] })).toBe(
      'piped',
    );
  });

  test('several of the default names: one is used, and it is said which', () => {
    const compiled = compileFrom({
      [`${cwd}/compose.yaml`]: saying('i'),
      [`${cwd}/docker-compose.yml`]: saying('j'),
    });
    expect(compiled.warnings.map(({ message }) => message)).toEqual([
      'compose.yaml:1: used, and docker-compose.yml beside it is not',
    ]);
  });
});

test.each<readonly [what: string, options: Partial<LoadOptions>, name: string, directory: string]>([
  ['the directory', {}, 'shop', cwd],
  ['-p', { name: 'given', environment: { COMPOSE_PROJECT_NAME: 'variable' } }, 'given', cwd],
  ['COMPOSE_PROJECT_NAME', { environment: { COMPOSE_PROJECT_NAME: 'variable' } }, 'variable', cwd],
  [
    'name: of the last file',
    { files: ['compose.yaml', 'named.yaml', 'compose.yaml'], environment: { V: '1' } },
    'own-1',
    cwd,
  ],
  [
    'COMPOSE_PROJECT_NAME over name:',
    { files: ['named.yaml'], environment: { COMPOSE_PROJECT_NAME: 'variable' } },
    'variable',
    cwd,
  ],
  [
    "the first file's directory",
    { files: ['../Other App/c.yaml', 'compose.yaml'] },
    'otherapp',
    '/srv/Other App',
  ],
  ['--project-directory', { projectDirectory: '../p', files: ['compose.yaml'] }, 'p', '/srv/p'],
])('the name and directory by %s', (_what, options, name, directory) => {
  const bind = 'services: { a: { image: i, volumes: [".:/x"] } }';
  const compiled = compileFrom(
    {
      [`${cwd}/compose.yaml`]: bind,
      [`${cwd}/named.yaml`]: `name: own-\${V:-}\n${bind}`,
      '/srv/Other App/c.yaml': bind,
    },
    options,
  );
  expect(compiled).toMatchObject({ spec: { name, services: { a: { mounts: [{ source: directory }] } } } });
});

describe('profiles', () => {
  const file = `services:
  web: { image: i }
  debug: { image: i, profiles: [dev, debug] }
  db: { image: "\${NEEDED:-i}", profiles: [dev], env_file: missing.env }
  job: { image: i, profiles: [batch], depends_on: [debug] }
`;
  const services = (options: Partial<LoadOptions>): unknown => {
    const { loaded, problems } = loadFrom(
      { [`${cwd}/compose.yaml`]: file, [`${cwd}/missing.env`]: '' },
      options,
    );
    const found = loaded?.root.kind === 'map' ? loaded.root.entries[0]?.value : undefined;
    return found?.kind === 'map'
      ? found.entries.map(({ key }) => key)
      : problems.problems.map(({ message }) => message);
  };
  test.each<readonly [what: string, options: Partial<LoadOptions>, names: readonly string[]]>([
    ['none', {}, ['web']],
    ['one', { profiles: ['debug'] }, ['web', 'debug']],
    ['two', { profiles: ['debug', 'batch'] }, ['web', 'debug', 'job']],
    ['all', { profiles: ['*'] }, ['web', 'debug', 'db', 'job']],
    ['COMPOSE_PROFILES', { environment: { COMPOSE_PROFILES: 'dev, batch' } }, ['web', 'debug', 'db', 'job']],
    [
      '--profile in place of COMPOSE_PROFILES',
      { profiles: ['batch'], environment: { COMPOSE_PROFILES: 'dev' } },
      ['web', 'job'],
    ],
    ['a service by name', { services: ['job'] }, ['web', 'job']],
    ['a service that is none', { services: ['jop'] }, ['The app has no service jop']],
  ])('%s', (_what, options, names) => {
    expect(services(options)).toEqual(names);
  });
  test('who needs a service that is left out is told how to bring it in; what is left out needs nothing', () => {
    const compiled = compileFrom({ [`${cwd}/compose.yaml`]: file }, { services: ['job'] });
    expect('problems' in compiled && compiled.problems).toMatchObject([
      {
        message: 'compose.yaml:5: services.job depends on debug, whose profile is not enabled',
        hint: 'Enable it: --profile dev',
      },
    ]);
    expect(compileFrom({ [`${cwd}/compose.yaml`]: file })).toMatchObject({ spec: { services: { web: {} } } });
  });
  test('a name that is none', () => {
    expect(treeOf({ [`${cwd}/compose.yaml`]: 'services: { a: { profiles: ["a b"] } }' })).toEqual([
      'HM-COMPOSE-TYPE compose.yaml:1: services.a.profiles: "a b" is not a profile\'s name',
    ]);
  });
});
