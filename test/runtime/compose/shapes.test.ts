/**
 * Compose files as people write them, in test/shapes: each with the model it compiles to, or exactly what it is
 * refused for. A change is read in the difference of result.yaml, and taken with `npx vitest run test/runtime/compose/shapes.test.ts -u`.
 */
import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { appSpec } from '../../../runtime/api/schemas/app-spec.ts';
import { openCompose } from '../../../runtime/compose/open.ts';

const folder = resolve(import.meta.dirname, '../../shapes');

test.each(readdirSync(folder))('%s', async (name) => {
  const directory = join(folder, name);
  const environment = { HOME: '/home/me', SECRET: 's3cr3t' };
  const options = { files: [], envFiles: [], profiles: [], services: [], directory, environment };
  const compiled = await openCompose(options, () => Promise.resolve(''));
  const lines = (all: typeof compiled.warnings): readonly string[] =>
    all.map(({ code, message }) => `${code} ${message}`);
  const result = {
    ...('spec' in compiled ? { model: compiled.spec } : { refused: lines(compiled.problems) }),
    ...(compiled.warnings.length > 0 ? { warned: lines(compiled.warnings) } : {}),
  };
  if ('spec' in compiled) expect(appSpec.parse(compiled.spec)).toEqual(compiled.spec);
  const text = stringify(result, { lineWidth: 0 }).replaceAll(directory, '/srv/app');
  await expect(text).toMatchFileSnapshot(join(directory, 'result.yaml'));
});
