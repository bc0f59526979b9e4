/** House rule: a command line reads little before it runs; what is heavy is imported by the commands that need it. */
import { join } from 'node:path';
import { build } from 'esbuild';
import { expect, test } from 'vitest';
import { root, told } from './sources.ts';

interface Output {
  readonly bytes: number;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly imports: readonly { readonly path: string; readonly kind: string; readonly external?: boolean }[];
}
type Outputs = Readonly<Record<string, Output>>;

/** Of libraries the grammar of commands alone: it is what the help is made of. */
const libraries = ['commander'];
/** Ours that only some commands need. */
const heavy =
  /^(protocols\/apps\/compose\/(?!values|files\/names)|runtime\/(api|compose|drivers|files|purge|world\/real-world))/;
const files = 5;
const bytes = 245_000;

/** What Node reads for `hivemind ps` before its first line runs, and for the connection to the node. */
async function readForPs(): Promise<Output[]> {
  const { bundleTool } = (await import(join(root, 'runtime/setup/build.mjs'))) as {
    bundleTool: (bundle: typeof build, options: object) => Promise<{ metafile: { outputs: Outputs } }>;
  };
  const { outputs } = (await bundleTool(build, { write: false })).metafile;
  const read = new Set<string>();
  const follow = (path: string): void => {
    if (read.has(path)) return;
    read.add(path);
    for (const { path: to, kind, external } of outputs[path]!.imports)
      if (!external && kind === 'import-statement') follow(to);
  };
  follow('dist/hivemind.js');
  follow(Object.keys(outputs).find((path) => 'runtime/cli/connection/open.ts' in outputs[path]!.inputs)!);
  return [...read].map((path) => outputs[path]!);
}

test('the start of `hivemind ps` stays small', async () => {
  const read = await readForPs();
  const inputs = read.flatMap((output) => Object.keys(output.inputs));
  const foreign = inputs.filter((path) => {
    const library = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1];
    return library === undefined ? heavy.test(path) : !libraries.includes(library);
  });
  expect(
    told(foreign.map((path) => `${path}  is read by every command — import() it where it is used`)),
  ).toBe('');
  expect(inputs).toContain('runtime/cli/commands/observing/observe.ts');
  expect(read.length, 'files that are read').toBeLessThanOrEqual(files);
  expect(
    read.reduce((sum, output) => sum + output.bytes, 0),
    'bytes that are read',
  ).toBeLessThanOrEqual(bytes);
});
