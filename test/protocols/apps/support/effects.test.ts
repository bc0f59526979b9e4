/**
 * The support matrix against the code: what is supported changes the app, what has no effect is said with its line and
 * changes nothing, what is refused is refused for its reason. There is an example for each key.
 */
import { describe, expect, test } from 'vitest';
import { supportMatrix, type SectionName } from '../../../../protocols/apps/compose/support/matrix.ts';
import type { Compiled } from '../../../../protocols/apps/compile.ts';
import type { Support } from '../../../../protocols/apps/compose/support/support.ts';
import { appSpec } from '../../../../runtime/api/schemas/app-spec.ts';
import { compileText } from '../compile-text.ts';
import { examples, type Example } from './examples.ts';
import { frames } from './frames.ts';

/** Worked in before an app is compiled: their effects are under test with the files. */
const whileLoading = new Set([
  'file.include',
  'services.env_file',
  'services.extends',
  'services.label_file',
  'services.profiles',
]);
const loadedSections = new Set<SectionName>(['include', 'services.env_file', 'services.extends']);

/** Also has no effect where its value is another one than the example's. */
const byValue = new Set(['networks.driver']);

const rows = (Object.keys(supportMatrix) as SectionName[])
  .filter((section) => !loadedSections.has(section))
  .flatMap((section) =>
    Object.entries(supportMatrix[section])
      .filter(([key]) => !whileLoading.has(`${section}.${key}`))
      .map(([key, support]) => ({
        row: `${section} ${key}`,
        section,
        key,
        support,
        example: examples[section][key],
      })),
  );

interface Pair {
  readonly without: string;
  readonly with: string;
}

/** The file without the key, or with another value of it, and with it: on the second line. */
function filesOf(section: SectionName, key: string, example: Example): Pair {
  const frame = frames[section];
  // Sections of volumes need a whole mount around the key.
  const around: Readonly<Record<string, string>> =
    section === 'services.volumes' && typeof example !== 'string' && Array.isArray(example)
      ? {
          source: 'type: volume, target: /t',
          target: 'type: volume, source: v',
          type: 'source: v, target: /t',
        }
      : { target: 'published: 80' };
  const entry = (value: string, others = ''): string =>
    frame(`${others === '' ? '' : `${others}, `}\n${key}: ${value}`);
  if (typeof example === 'string') return { without: frame(''), with: entry(example) };
  if ('value' in example)
    return { without: frame(example.beside), with: entry(example.value, example.beside) };
  const others = ['services.volumes', 'services.ports'].includes(section) ? (around[key] ?? '') : '';
  if (key === 'image')
    return { without: '{ services: { a: { image: i } } }', with: '{ services: { a: {\nimage: j } } }' };
  if (section === 'file') return { without: `{ ${key}: ${example[0]} }`, with: `{\n${key}: ${example[1]} }` };
  return { without: entry(example[0], others), with: entry(example[1], others) };
}

const specOf = (compiled: Compiled): unknown =>
  'spec' in compiled ? compiled.spec : compiled.problems.map(({ message }) => message);
const said = (compiled: Compiled): readonly string[] =>
  [...('problems' in compiled ? compiled.problems : []), ...compiled.warnings].map(({ message }) => message);

function holds(support: Support, key: string, path: string, files: Pair): void {
  const plain = compileText(files.without);
  const full = compileText(files.with);
  const line = new RegExp(`^compose\\.yaml:2: [\\w.\\[\\]-]*\\b${key}\\b`);
  if (support.status === 'refused') {
    const told = 'problems' in full ? full.problems.filter(({ message }) => line.test(message)) : [];
    expect(told.map(({ message }) => message).join('\n')).toContain(support.why);
    for (const { hint } of told) expect(hint).not.toBe('');
    return;
  }
  if (byValue.has(path)) {
    expect('problems' in full && full.problems[0]!.message).toMatch(line);
    return;
  }
  expect('problems' in full ? said(full) : []).toEqual([]);
  // What we make of it, the API takes.
  if ('spec' in full) expect(appSpec.safeParse(full.spec).error?.issues).toBeUndefined();
  if (support.status === 'warning' || support.status === 'cluster') {
    const warning = full.warnings.find(({ message }) => line.test(message));
    expect(warning?.message).toContain(support.why);
  }
  // A container's name stays a name of the service.
  const acts = support.status !== 'warning' || key === 'container_name';
  if (acts && !support.inherent) expect(specOf(full)).not.toEqual(specOf(plain));
  else if ('spec' in plain) expect(specOf(full)).toEqual(specOf(plain));
}

describe.each(rows)('$row', ({ section, key, support, example }) => {
  test(`is ${support.status}${support.inherent ? ' by nature' : ''}`, () => {
    expect(example, 'an example in examples.ts').toBeDefined();
    holds(support, key, `${section}.${key}`, filesOf(section, key, example!));
  });
});

test.each([...whileLoading])('%s is never dropped by what comes after loading', (path) => {
  const key = path.slice(path.indexOf('.') + 1);
  const section = path.slice(0, path.indexOf('.')) as SectionName;
  const compiled = compileText(filesOf(section, key, examples[section][key]!).with);
  expect('problems' in compiled && compiled.problems[0]!.message).toMatch(new RegExp(`${key} is refused`));
});
