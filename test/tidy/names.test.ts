/** House rule: one word per thing. Files in kebab-case, no drawer names, dotted events, a head on every file. */
import { basename } from 'node:path';
import { expect, test } from 'vitest';
import { isGenerated, sources, told } from './sources.ts';

const ours = sources.filter(({ path }) => !isGenerated(path));

test('files are named in kebab-case after one idea', () => {
  const drawers = /(?:^|[-.])(?:utils?|helpers?|data|common|misc|shared|stuff)(?:[-.]|$)/;
  // The data folder and the file lmdb keeps in it are the field's own words.
  const fine = new Set(['data-lock.ts', 'data-file.ts', 'user-database.ts']);
  const violations = ours.flatMap(({ path }) => {
    const name = basename(path);
    if (fine.has(name)) return [];
    if (!/^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9-]+)*\.ts$/.test(name))
      return [`${path}:1  is not kebab-case — rename it`];
    return drawers.test(name) ? [`${path}:1  is a drawer — name the idea in it`] : [];
  });
  expect(told(violations)).toBe('');
});

test('every file begins with what it is for', () => {
  const violations = ours
    .filter(({ text }) => !/^(?:#![^\n]*\n)?\/\*\*/.test(text))
    .map(({ path }) => `${path}:1  has no head comment — say what it is for, and what it is not`);
  expect(told(violations)).toBe('');
});

test('messages have dotted names: noun.participle, noun.verb, noun.due', () => {
  const violations = ours
    .filter(({ floor }) => floor === 'actors' || floor === 'supervisors')
    .flatMap(({ path, lines }) =>
      lines.flatMap((line, at) => {
        const names =
          /^\s*(?:\| )?(?:readonly )?\{? ?(?:readonly )?type: ((?:'[^']+'(?: \| )?)+)/
            .exec(line)?.[1]
            ?.match(/'[^']+'/g) ?? [];
        return names
          .map((name) => name.slice(1, -1))
          .filter(
            (name) =>
              !/^[a-z]+(?:-[a-z]+)*\.[a-z]+(?:-[a-z]+)*$/.test(name) &&
              !['parallel', 'final', 'history', 'worker', 'supervisor'].includes(name),
          )
          .map((name) => `${path}:${at + 1}  "${name}" — name it noun.participle or noun.verb`);
      }),
    );
  expect(told(violations)).toBe('');
});
