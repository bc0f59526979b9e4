/** The tool as one bundle in a folder: `hivemind.js`, as users run it. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build, type Metafile } from 'esbuild';

export async function bundleTool(directory: string): Promise<Metafile> {
  await writeFile(join(directory, 'package.json'), '{"type":"module"}');
  const { metafile } = await build({
    entryPoints: ['runtime/hivemind.ts'],
    outdir: directory,
    bundle: true,
    splitting: true,
    metafile: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    external: ['lmdb', 'msgpackr-extract'],
    logLevel: 'silent',
    // commander and ws are CommonJS and require Node's own modules.
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
  });
  return metafile;
}
