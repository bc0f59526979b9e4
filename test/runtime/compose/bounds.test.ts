/** What is larger, deeper or stranger than anybody writes: at each limit accepted, beyond it refused by its name. */
import { describe, expect, test } from 'vitest';
import { limits } from '../../../protocols/limits.ts';
import { compileFrom, cwd, type Disk } from '../../protocols/apps/files/disk.ts';

const outcome = (text: string, more: Disk = {}): string => {
  const compiled = compileFrom({ [`${cwd}/compose.yaml`]: text, ...more });
  return 'problems' in compiled ? compiled.problems[0]!.code : 'accepted';
};
const web = (line: string): string => `services:\n  web:\n    image: i\n    ${line}\n`;
const many = (count: number, item: (at: number) => string): string =>
  Array.from({ length: count }, (_, at) => item(at)).join(', ');

describe('counts', () => {
  test.each<readonly [what: string, most: number, text: (count: number) => string]>([
    [
      'environment variables',
      limits.composeEnvironment,
      (count) => web(`environment: {${many(count, (at) => `V${at}: ${at}`)}}`),
    ],
    [
      'services',
      limits.composeServices,
      (count) => `services: {${many(count, (at) => `s${at}: {image: i}`)}}`,
    ],
    ['ports', limits.composePorts, (count) => web(`ports: ["1-${count}:1-${count}"]`)],
    ['words of a command', limits.composeItems, (count) => web(`command: [${many(count, () => 'x')}]`)],
    ['words of a command line', limits.composeItems, (count) => web(`command: ${'x '.repeat(count)}`)],
    ['mounts', limits.composeItems, (count) => web(`volumes: [${many(count, (at) => `/a:/m${at}`)}]`)],
    [
      'aliases',
      limits.composeAliases,
      (count) => `x-a: &a {image: i}\nservices: {s: *a}\nx-b: [${many(count - 1, () => '*a')}]`,
    ],
    ['levels', limits.composeDepth, (depth) => `${web('')}x-a: ${'['.repeat(depth)}${']'.repeat(depth)}`],
  ])('%s: %i and one more', (_what, most, text) => {
    expect([outcome(text(most)), outcome(text(most + 1))]).toEqual(['accepted', 'HM-COMPOSE-LIMIT']);
  });

  test('10,000 environment variables, in the file, by env_file, by merge keys', () => {
    const lines = Array.from({ length: 10_000 }, (_, at) => `V${at}=${at}`).join('\n');
    expect(outcome(web(`environment: {${many(10_000, (at) => `V${at}: ${at}`)}}`))).toBe('HM-COMPOSE-LIMIT');
    expect(outcome(web('env_file: big.env'), { [`${cwd}/big.env`]: lines })).toBe('HM-COMPOSE-LIMIT');
    const halves = [0, 5_000].map(
      (from) => `x-e${from}: &e${from} {${many(5_000, (at) => `V${from + at}: 1`)}}`,
    );
    expect(outcome(`${halves.join('\n')}\n${web('environment: { <<: [*e0, *e5000] }')}`)).toBe(
      'HM-COMPOSE-LIMIT',
    );
  });
});

test.each<readonly [what: string, text: (name: string) => string]>([
  ['an app', (name) => `name: ${name}\n${web('')}`],
  ['a service', (name) => `services: { ${name}: { image: i } }`],
  ['a volume', (name) => `${web('')}volumes: { ${name}: }`],
])('the name of %s: one character, the most, one more, other alphabets', (_what, text) => {
  const names = [
    'a',
    'a'.repeat(limits.nameChars),
    'a'.repeat(limits.nameChars + 1),
    'ä',
    '服务',
    'A',
    '-a',
    '🦆',
  ];
  expect(names.map((name) => outcome(text(name)))).toEqual([
    'accepted',
    'accepted',
    ...names.slice(2).map(() => 'HM-COMPOSE-NAME'),
  ]);
});

test.each(['network', 'config', 'secret'])('the name of a %s: one character, the most, one more', (what) => {
  const most = what === 'network' ? limits.nameChars : limits.secretNameChars;
  const content = what === 'network' ? '' : ' { file: f }';
  const told = ['a', 'a'.repeat(most), 'a'.repeat(most + 1), 'ä', 'e\u0301', '\u200B', '../a', 'a/b'].map(
    (name) => outcome(`${web('')}${what}s:\n  ${JSON.stringify(name)}:${content}\n`, { [`${cwd}/f`]: 'x' }),
  );
  expect(told).toEqual(['accepted', 'accepted', ...told.slice(2).map(() => 'HM-COMPOSE-NAME')]);
});

describe('bombs', () => {
  test.each<readonly [what: string, text: string, code: string]>([
    [
      'laughs',
      [
        'x-0: &x0 [a]',
        ...Array.from({ length: 30 }, (_, at) => `x-${at + 1}: &x${at + 1} [${many(9, () => `*x${at}`)}]`),
        web(''),
      ].join('\n'),
      'HM-COMPOSE-LIMIT',
    ],
    [
      'merged maps that double',
      [
        'x-0: &x0 {a: 1}',
        ...Array.from(
          { length: 30 },
          (_, at) => `x-${at + 1}: &x${at + 1} {b${at}: *x${at}, c: {<<: *x${at}}}`,
        ),
        web(''),
      ].join('\n'),
      'HM-COMPOSE-LIMIT',
    ],
    ['an alias of itself', `x-a: &a [*a]\n${web('')}`, 'HM-COMPOSE-SYNTAX'],
    ['nested lists', '['.repeat(100_000), 'HM-COMPOSE-LIMIT'],
    [
      'nested maps in blocks',
      Array.from({ length: 1_000 }, (_, at) => `${' '.repeat(at)}a:`).join('\n'),
      'HM-COMPOSE-LIMIT',
    ],
    ['one long line', `x: ${'x'.repeat(limits.composeFileBytes)}`, 'HM-COMPOSE-LIMIT'],
    ['many values', `${web('')}x-a: [${'1,'.repeat(limits.composeNodes)}]`, 'HM-COMPOSE-LIMIT'],
    [
      'defaults in defaults',
      web(`command: "${'${A:-'.repeat(5_000)}${'}'.repeat(5_000)}"`),
      'HM-COMPOSE-TYPE',
    ],
    [
      'services that extend what is large',
      `x-e: &e {${many(2_000, (at) => `l${at}: x`)}}\nservices: {b: {image: i, labels: *e}, ${many(60, (at) => `s${at}: {extends: b}`)}}`,
      'HM-COMPOSE-LIMIT',
    ],
    [
      'a list with itself many times',
      web(`cap_add: [${many(20_000, (at) => `C${at}`)}]`),
      'HM-COMPOSE-LIMIT',
    ],
  ])('%s', (_what, text, code) => {
    expect(outcome(text)).toBe(code);
  });
});

test.each([
  ['deploy: { replicas: 99999999999999999999 }'],
  ['deploy: { replicas: 1e3 }'],
  ['deploy: { replicas: -1 }'],
  ['deploy: { replicas: .inf }'],
  ['stop_grace_period: 99999999999999h'],
  ['mem_limit: 99999999999999999t'],
  ['cpus: 1e400'],
  ['ports: ["99999999999999999999:80"]'],
  ['healthcheck: { test: x, retries: 18446744073709551616 }'],
])('a number that is too large: %s', (line) => {
  expect(outcome(web(line))).toMatch(/^HM-COMPOSE-(?:TYPE|LIMIT)$/);
});

test('values of any script and none reach the model as they are', () => {
  const texts = ['ü', '服务', '🦆', 'e\u0301', '\u202Eabc', '\t', '"\'\\', '\u0085', ' x '];
  const compiled = compileFrom({
    [`${cwd}/compose.yaml`]: web(`command: ${JSON.stringify(texts).replaceAll('\u0085', '\\u0085')}`),
  });
  expect(compiled).toMatchObject({ spec: { services: { web: { command: texts } } } });
  // Letters that look alike are not made one: é twice.
  const [nfc, nfd] = ['V\u00e9', 'Ve\u0301'];
  const map = JSON.stringify({ [nfc]: 'one', [nfd]: 'two', '\u200B': '🦆', '\u202Erevo': 'x' });
  const named = compileFrom({ [`${cwd}/compose.yaml`]: web(`environment: ${map}\n    labels: ${map}`) });
  expect(named).toMatchObject({ spec: { services: { web: { environment: JSON.parse(map) as object } } } });
  expect(named).toMatchObject({ spec: { services: { web: { labels: JSON.parse(map) as object } } } });
  expect(outcome(web('command: ["a\\0b"]'))).toBe('HM-COMPOSE-TYPE');
});
