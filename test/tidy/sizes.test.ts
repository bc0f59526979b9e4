/** House rule: sizes. A longer one is split by idea, or stands here by name with its reason. */
import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import { functionsOf, isGenerated, sources, told } from './sources.ts';

const limit = { file: 400, function: 70, machine: 200, folder: 12 };

/** Each with its reason. */
const longFiles: Readonly<Record<string, string>> = {
  'actors/containers/container.machine.ts':
    'one attempt from pending to removed is one story and one diagram',
  'protocols/errors.ts': 'the catalogue is one table, a short entry for each code',
  'protocols/limits.ts': 'every bound of the system stands in one table',
  'actors/containers/slot.machine.ts': 'the slot is one chart; its phases are one story and one diagram',
};
const longFolders: Readonly<Record<string, string>> = {};

test(`files have at most ${limit.file} lines, machines ${limit.machine}`, () => {
  const violations = sources
    .filter(({ path }) => !isGenerated(path) && !(path in longFiles))
    .filter(({ path, lines }) => lines.length > (path.endsWith('.machine.ts') ? limit.machine : limit.file))
    .map(
      ({ path, lines }) =>
        `${path}:1  ${lines.length} lines — split it by idea, or name it in longFiles with a reason`,
    );
  expect(told(violations)).toBe('');
});

test(`functions have at most ${limit.function} lines`, () => {
  const violations = sources
    // A `describe` block and a machine's config are no functions to be read at once.
    .filter(({ path, floor }) => !isGenerated(path) && floor !== 'test')
    .flatMap((source) =>
      functionsOf(source)
        .filter(({ length }) => length > limit.function)
        .map(({ line, length }) => `${source.path}:${line}  a function of ${length} lines — name its parts`),
    );
  expect(told(violations)).toBe('');
});

test(`a folder holds at most ${limit.folder} files`, () => {
  const folders = new Map<string, number>();
  for (const { path } of sources)
    if (!isGenerated(path)) folders.set(dirname(path), (folders.get(dirname(path)) ?? 0) + 1);
  const violations = [...folders]
    .filter(([folder, count]) => count > limit.folder && !(folder in longFolders))
    .map(([folder, count]) => `${folder}:1  ${count} files — give an idea in it a folder of its own`);
  expect(told(violations)).toBe('');
});

test('every exemption is still needed', () => {
  const stale = Object.keys(longFiles).filter((path) => {
    const source = sources.find((one) => one.path === path);
    return !source || source.lines.length <= (path.endsWith('.machine.ts') ? limit.machine : limit.file);
  });
  expect(told(stale.map((path) => `${path}:1  is no longer long — remove it from longFiles`))).toBe('');
});
