/** Where values come from: variables in all their forms, `.env` and its kin, `env_file`, which wins over which. */
import { describe, expect, test } from 'vitest';
import { Problems } from '../../../../protocols/apps/compose/document.ts';
import { parseEnvFile } from '../../../../protocols/apps/compose/files/dotenv.ts';
import type { LoadOptions } from '../../../../protocols/apps/compose/files/load.ts';
import { limits } from '../../../../protocols/limits.ts';
import { compileFrom, cwd, loadFrom, treeOf, type Disk } from './disk.ts';

const environment = { SET: 'value', EMPTY: '', OTHER: 'other' };

describe('a variable', () => {
  const say = (text: string): unknown => {
    const tree = treeOf({ [`${cwd}/compose.yaml`]: `x: '${text.replaceAll("'", "''")}'` }, { environment });
    return Array.isArray(tree) ? tree[0] : (tree as { x: unknown }).x;
  };
  test.each([
    ['$SET', 'value'],
    ['${SET}', 'value'],
    ['a$SET/b', 'avalue/b'],
    ['${SET}s', 'values'],
    ['$SETS', ''],
    ['${SET:-d}', 'value'],
    ['${EMPTY:-d}', 'd'],
    ['${NO:-d}', 'd'],
    ['${SET-d}', 'value'],
    ['${EMPTY-d}', ''],
    ['${NO-d}', 'd'],
    ['${NO:-}', ''],
    ['${NO-}', ''],
    ['${SET:?e}', 'value'],
    ['${SET?e}', 'value'],
    ['${EMPTY?e}', ''],
    ['${EMPTY:?e}', 'HM-COMPOSE-REFERENCE compose.yaml:1: variable EMPTY: e'],
    ['${NO?e}', 'HM-COMPOSE-REFERENCE compose.yaml:1: variable NO: e'],
    ['${NO:?}', 'HM-COMPOSE-REFERENCE compose.yaml:1: variable NO is not set'],
    ['${NO:?set $OTHER}', 'HM-COMPOSE-REFERENCE compose.yaml:1: variable NO: set other'],
    ['${SET:+r}', 'r'],
    ['${EMPTY:+r}', ''],
    ['${NO:+r}', ''],
    ['${SET+r}', 'r'],
    ['${EMPTY+r}', 'r'],
    ['${NO+r}', ''],
    ['${NO:-${SET}}', 'value'],
    ['${NO:-${NO2:-$SET}}', 'value'],
    ['${SET:+${OTHER}!}', 'other!'],
    ['${NO:-a${NO:-b}c}', 'abc'],
    ['$$SET', '$SET'],
    ['$$$SET', '$value'],
    ['$${SET}', '${SET}'],
    ['$$$$', '$$'],
    ['${NO:-$$}', '$'],
    ['${NO:-a:b-c?d+e}', 'a:b-c?d+e'],
    ['$', 'HM-COMPOSE-TYPE compose.yaml:1: "$" is not a valid variable form'],
    ['${}', 'HM-COMPOSE-TYPE compose.yaml:1: "${}" is not a valid variable form'],
    ['${1}', 'HM-COMPOSE-TYPE compose.yaml:1: "${1}" is not a valid variable form'],
    ['${SET', 'HM-COMPOSE-TYPE compose.yaml:1: "${SET" is not a valid variable form'],
    ['${SET!}', 'HM-COMPOSE-TYPE compose.yaml:1: "${SET!}" is not a valid variable form'],
    ['${SET:}', 'HM-COMPOSE-TYPE compose.yaml:1: "${SET:}" is not a valid variable form'],
  ])('%s is %s', (text, said) => {
    expect(say(text)).toBe(said);
  });

  test('that is missing is told once, with its place, and is empty', () => {
    const compiled = compileFrom({
      [`${cwd}/compose.yaml`]: 'services:\n  a:\n    image: i\n    command: [$NO, "${NO}x", $OTHER]',
    });
    expect(compiled).toMatchObject({ spec: { services: { a: { command: ['', 'x', ''] } } } });
    expect(compiled.warnings.map(({ message }) => message)).toEqual([
      'compose.yaml:4: variable NO is not set: an empty text stands for it',
      'compose.yaml:4: variable OTHER is not set: an empty text stands for it',
    ]);
  });

  test('in what only grows, ends', () => {
    const names = Array.from({ length: 40 }, (_, at) => `V${at + 1}=$V${at}$V${at}`);
    expect(
      treeOf({ [`${cwd}/compose.yaml`]: 'x: $V40', [`${cwd}/.env`]: ['V0=xx', ...names].join('\n') }),
    ).toContain(
      `HM-COMPOSE-LIMIT .env:24: variables expand to more than ${limits.composeExpansion} characters`,
    );
  });
});

describe('a line of an env file', () => {
  const read = (text: string, raw = false): unknown => {
    const problems = new Problems();
    const lookup = (name: string): string | undefined => (name === 'OUT' ? 'outer' : undefined);
    const values = parseEnvFile(text, { file: 'f', raw, lookup, problems, budget: { left: 1_000 } });
    return problems.any
      ? problems.problems.map(({ message }) => message)
      : Object.fromEntries([...values].map(([name, { value }]) => [name, value]));
  };
  test.each<readonly [text: string, values: unknown]>([
    ['A=1', { A: '1' }],
    ['A = 1 ', { A: '1' }],
    ['export A=1', { A: '1' }],
    ['A: 1', { A: '1' }],
    ['A=', { A: '' }],
    ['A', { A: undefined }],
    ['\n # c\r\nA=1\r\n\r\nB=2 # c\n', { A: '1', B: '2' }],
    ['A=1#2', { A: '1#2' }],
    ['A=#', { A: '' }],
    ["A='$OUT # \\n'", { A: '$OUT # \\n' }],
    ["A='it\\'s'", { A: "it's" }],
    ['A="$OUT # \\n\\t\\"\\\\ \\$OUT"', { A: 'outer # \n\t"\\ $OUT' }],
    ['A="x\ny" # c\nB=1', { A: 'x\ny', B: '1' }],
    ['A=${OUT}1\nB=$A', { A: 'outer1', B: 'outer1' }],
    ['A=pa$$word', { A: 'pa$word' }],
    ['A=100%$', { A: '100%$' }],
    ['A=b=c:d', { A: 'b=c:d' }],
    ['A=1\nA=2', { A: '2' }],
    ['a.b-c[0]=1\nÄ=ü', { 'a.b-c[0]': '1', Ä: 'ü' }],
    ['\uFEFFA=1', { A: '1' }],
    ['', {}],
    ['__proto__=1', { ['__proto__']: '1' }],
    ['A="x', ['f:1: a quotation mark is left open']],
    ["A='x'y", ['f:1: something stands behind the closing quotation mark']],
    ['A=1\n=2', ['f:2: this is no NAME=value']],
    ['A B=2', ['f:1: this is no NAME=value']],
  ])('%j', (text, values) => {
    expect(read(text)).toEqual(values);
  });
  test.each<readonly [text: string, values: unknown]>([
    ['A="$OUT" # x', { A: '"$OUT" # x' }],
    ['# c\n\nA= 1 \r\nB', { A: ' 1 ', B: undefined }],
    ['=1', ['f:1: a line begins with =']],
  ])('raw: %j', (text, values) => {
    expect(read(text, true)).toEqual(values);
  });
});

describe('which variables count', () => {
  const compose = 'services: { a: { image: "i:$TAG" } }';
  const tag = (more: Disk, options: Partial<LoadOptions> = {}, file = compose): unknown => {
    const tree = treeOf({ [`${cwd}/compose.yaml`]: file, ...more }, options);
    return Array.isArray(tree) ? tree : (tree as { services: { a: { image: string } } }).services.a.image;
  };
  test.each<readonly [what: string, more: Disk, options: Partial<LoadOptions>, image: unknown]>([
    ['.env', { [`${cwd}/.env`]: 'TAG=env' }, {}, 'i:env'],
    [
      "the deployer's over .env",
      { [`${cwd}/.env`]: 'TAG=env' },
      { environment: { TAG: 'shell' } },
      'i:shell',
    ],
    [
      'an empty one of the deployer over .env',
      { [`${cwd}/.env`]: 'TAG=env' },
      { environment: { TAG: '' } },
      'i:',
    ],
    [
      '--env-file in place of .env',
      { [`${cwd}/.env`]: 'TAG=env', [`${cwd}/x`]: '' },
      { envFiles: ['x'] },
      'i:',
    ],
    [
      'the later of two --env-file',
      { [`${cwd}/x`]: 'TAG=x', '/srv/y': 'TAG=${TAG}y' },
      { envFiles: ['x', '../y'] },
      'i:xy',
    ],
    ['COMPOSE_ENV_FILES', { [`${cwd}/x`]: 'TAG=x' }, { environment: { COMPOSE_ENV_FILES: 'x' } }, 'i:x'],
    [
      'no .env when that is said',
      { [`${cwd}/.env`]: 'TAG=env' },
      { environment: { COMPOSE_DISABLE_ENV_FILE: '1' } },
      'i:',
    ],
    [
      '.env of the project directory',
      { '/srv/p/.env': 'TAG=p' },
      { files: ['compose.yaml'], projectDirectory: '/srv/p' },
      'i:p',
    ],
    [
      '.env beside a file elsewhere, after the one here',
      { '/srv/p/c.yaml': compose, '/srv/p/.env': 'TAG=p\nX=1' },
      { files: ['/srv/p/c.yaml'] },
      'i:p',
    ],
    [
      'a missing --env-file is refused',
      {},
      { envFiles: ['no'] },
      ['HM-COMPOSE-FILE /srv/shop/no does not exist'],
    ],
  ])('%s', (_what, more, options, image) => {
    expect(tag(more, options)).toEqual(image);
  });
  test("the app's name is one", () => {
    const named = 'services: { a: { image: "i:$COMPOSE_PROJECT_NAME" } }';
    expect(tag({}, {}, named)).toBe('i:shop');
    expect(tag({}, {}, `name: own\n${named}`)).toBe('i:own');
    expect(tag({}, { name: 'given' }, `name: own\n${named}`)).toBe('i:given');
  });
});

describe('env_file of a service', () => {
  const variables = (
    service: string,
    more: Disk = {},
    environmentOf: Record<string, string> = {},
  ): unknown => {
    const tree = treeOf(
      { [`${cwd}/compose.yaml`]: `services:\n  a: { ${service} }`, ...more },
      { environment: environmentOf },
    );
    return Array.isArray(tree) ? tree : (tree as { services: { a: unknown } }).services.a;
  };
  const disk = { [`${cwd}/a.env`]: 'A=a\nB=a\nOUT', [`${cwd}/b.env`]: 'B=b$OUT "', [`${cwd}/l`]: 'x.y=1' };
  test.each<readonly [service: string, result: unknown]>([
    ['env_file: a.env', { environment: { A: 'a', B: 'a', OUT: 'o' } }],
    ['env_file: [a.env, ./b.env]', { environment: { A: 'a', B: 'bo "', OUT: 'o' } }],
    [
      'env_file: [{ path: a.env, required: true }, { path: b.env, format: raw }]',
      { environment: { A: 'a', B: 'b$OUT "', OUT: 'o' } },
    ],
    ['env_file: [{ path: no.env, required: false }, a.env]', { environment: { A: 'a', B: 'a', OUT: 'o' } }],
    ['env_file: [{ path: no.env, required: false }]', {}],
    ['env_file: a.env, environment: { B: own, C: 1 }', { environment: { A: 'a', B: 'own', OUT: 'o', C: 1 } }],
    ['env_file: a.env, environment: [B=own, OUT, A]', { environment: { A: 'a', B: 'own', OUT: null } }],
    ['env_file: [], environment: [B]', { environment: ['B'] }],
    ['label_file: l, labels: { z: 1 }', { labels: { 'x.y': '1', z: 1 } }],
    [
      'env_file: [no.env]',
      ['HM-COMPOSE-FILE compose.yaml:2: services.a.env_file[0]: /srv/shop/no.env does not exist'],
    ],
    [
      'env_file: [{ path: a.env, format: yaml }]',
      ['HM-COMPOSE-TYPE compose.yaml:2: services.a.env_file[0].format must be raw, or left out, not "yaml"'],
    ],
    [
      'env_file: [{ required: false }]',
      [
        'HM-COMPOSE-TYPE compose.yaml:2: services.a.env_file[0] must be a path, or a map with path, not a map',
      ],
    ],
  ])('%s', (service, result) => {
    expect(variables(service, disk, { OUT: 'o' })).toEqual(result);
  });
  test('its variables keep their own file and line', () => {
    const compiled = compileFrom({
      [`${cwd}/compose.yaml`]: 'services: { a: { image: i, env_file: sub/a.env } }',
      [`${cwd}/sub/a.env`]: 'A=1\nB="x\n',
    });
    expect('problems' in compiled && compiled.problems.map(({ message }) => message)).toEqual([
      'sub/a.env:2: a quotation mark is left open',
    ]);
    const { loaded } = loadFrom({
      [`${cwd}/compose.yaml`]: 'services: { a: { env_file: sub/a.env } }',
      [`${cwd}/sub/a.env`]: '\nA=1',
    });
    expect(JSON.stringify(loaded?.root)).toContain(
      '"key":"A","keyAt":{"file":"sub/a.env","line":2,"column":1}',
    );
  });
});
