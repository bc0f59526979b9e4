/** House rule: no hidden inputs, no sleeps, nothing left for later. Each ban names what to use instead. */
import { expect, test } from 'vitest';
import { codeOf, isGenerated, sources, told } from './sources.ts';

const hiddenInputs: readonly (readonly [RegExp, string])[] = [
  [/\bDate\.now\(|\bnew Date\(\)/, 'take `at` from the event, or a Clock'],
  [/\bMath\.random\(/, 'take a Random'],
  [/(?<![.\w])(?:setTimeout|setInterval|setImmediate)\((?!.*\{\s*$)/, 'use Clock.setTimer or Clock.defer'],
  [/\brandomUUID\(|\brandomBytes\(/, 'take a Random'],
  [/\bprocess\.env\b/, 'read it in runtime/config/environment.ts'],
];

/** Where the machine is met, with the reason. */
const mayMeetTheMachine: readonly RegExp[] = [/^runtime\/world\//, /^runtime\/config\//];

test('time, chance and environment come in as arguments', () => {
  const violations = sources
    .filter(
      ({ path, floor }) =>
        floor !== 'test' && !isGenerated(path) && !mayMeetTheMachine.some((rule) => rule.test(path)),
    )
    .flatMap(({ path, text }) =>
      codeOf(text)
        .split('\n')
        .flatMap((line, at) =>
          hiddenInputs.flatMap(([pattern, mend]) =>
            pattern.test(line) ? [`${path}:${at + 1}  ${pattern.exec(line)![0]} — ${mend}`] : [],
          ),
        ),
    );
  expect(told(violations)).toBe('');
});

const sleeps: readonly (readonly [RegExp, string])[] = [
  [/\b(?:test|it|describe)\.only\(/, 'remove .only'],
  [
    /new Promise[^;]*setTimeout\([^,]*,\s*\d/,
    'wait for a condition: until() in test/kit, or the virtual clock',
  ],
  [/\btoBeLessThan\([^)]*\)[^;]*(?:elapsed|took|Ms\b)/, 'a wall-clock figure belongs in npm run bench'],
];

test('tests do not sleep and leave nobody out', () => {
  const violations = sources
    .filter(
      ({ path, floor }) =>
        floor === 'test' &&
        !path.startsWith('test/tidy/') &&
        !path.startsWith('test/bench/') &&
        !path.startsWith('test/soak/') &&
        path !== 'test/kit/until.ts',
    )
    .flatMap(({ path, lines }) =>
      lines.flatMap((line, at) =>
        sleeps.flatMap(([pattern, mend]) =>
          pattern.test(line) ? [`${path}:${at + 1}  ${line.trim().slice(0, 60)} — ${mend}`] : [],
        ),
      ),
    );
  expect(told(violations)).toBe('');
});

test('nothing is left for later in the code', () => {
  const pattern = /\b(?:TODO|FIXME|XXX|HACK)\b|not implemented|@ts-ignore|@ts-nocheck/i;
  const violations = sources
    .filter(({ path }) => !isGenerated(path) && !path.startsWith('test/tidy/'))
    .flatMap(({ path, lines }) =>
      lines.flatMap((line, at) =>
        pattern.test(line)
          ? [
              `${path}:${at + 1}  ${line.trim().slice(0, 80)} — build it, or say in the note that it is missing`,
            ]
          : [],
      ),
    );
  expect(told(violations)).toBe('');
});
