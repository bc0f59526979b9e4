/** The support matrix against Compose's own schema: no key of it is missing, and none is made up. */
import { expect, test } from 'vitest';
import { supportMatrix } from '../../../../protocols/apps/compose/support/matrix.ts';
import type { Support } from '../../../../protocols/apps/compose/support/support.ts';
import { keysOfSchema } from './schema.ts';

/** Where the schema repeats a block, the matrix has it once. */
const oneBlock: readonly (readonly [RegExp, string])[] = [
  [/^services\.(configs|secrets)\b/, 'services.files'],
  [/^services\.(post_start|pre_stop)\b/, 'services.hooks'],
  [/^services\.deploy\.resources\.reservations\.devices(?=\.)/, 'services.gpus'],
  [/^services\.blkio_config\.device_\w+\b/, 'services.blkio_config.device'],
];

const inMatrix = new Map<string, Support>(
  Object.entries(supportMatrix).flatMap(([section, keys]) =>
    Object.entries(keys).map(([key, support]) => [section === 'file' ? key : `${section}.${key}`, support]),
  ),
);

const isBlock = (path: string): boolean => path.split('.').length === 2;

/** As the matrix has it. */
function spelled(path: string): string {
  if (isBlock(path)) return path;
  const block = oneBlock.find(([pattern]) => pattern.test(path));
  const again = block ? path.replace(block[0], block[1]) : path;
  return again === path || (path.startsWith('services.blkio_config.') && path.split('.').length === 3)
    ? path
    : again;
}

/** Nothing inside a block without effect has one. */
function decidedAbove(path: string): boolean {
  const parts = path.split('.');
  return parts.some((_, index) => {
    const above = inMatrix.get(parts.slice(0, index).join('.'));
    return above?.status === 'warning' || above?.status === 'refused';
  });
}

/** The old form, a name inside `external`, is read where `external` is. */
const formsOfOneKey = /^(volumes|networks|configs|secrets)\.external\.name$/;

test('every key of the schema is in the matrix', () => {
  const keys = keysOfSchema();
  expect(keys.length).toBeGreaterThan(250);
  const lacking = keys.filter(
    (path) => !inMatrix.has(spelled(path)) && !decidedAbove(path) && !formsOfOneKey.test(path),
  );
  expect(lacking).toEqual([]);
});

test('every key of the matrix is in the schema, but those of x-hivemind', () => {
  const known = new Set(keysOfSchema().map(spelled));
  const extra = [...inMatrix.keys()].filter((path) => !known.has(path) && !path.includes('x-hivemind'));
  expect(extra).toEqual(['services.pre_start']);
});

test('each has a reason on one line; what is refused says what to do instead', () => {
  const wrong = [...inMatrix].filter(
    ([, { why, instead, status }]) =>
      why === '' || /\n|\.$/.test(why) || (status === 'refused' && !/[.:]$/.test(instead ?? '')),
  );
  expect(wrong).toEqual([]);
});
