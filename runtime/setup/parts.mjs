/**
 * The tool in parts: what every command line reads, in one file, and what is imported while it runs, in files of their
 * own below `dist/hivemind/`. So `hivemind ps` reads neither the Compose parser nor the database.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './commands.mjs';

const entry = 'runtime/hivemind.ts';

/** Answers esbuild's result, with `metafile`. `write: false` only tells what would be written. */
export async function bundleInParts(bundle, shared, { write = true } = {}) {
  const options = {
    ...shared,
    entryPoints: { hivemind: entry },
    splitting: true,
    chunkNames: 'hivemind/[name]-[hash]',
    write,
  };
  const { metafile } = await bundle({ ...options, write: false });
  const plugins = [...shared.plugins, onTopOfEntry(importedLater(metafile))];
  return bundle({ ...options, plugins });
}

/** Our own modules behind `import()`, but for what is read at the start anyway. */
function importedLater({ inputs }) {
  const atStart = new Set();
  const read = (path) => {
    if (atStart.has(path)) return;
    atStart.add(path);
    for (const { path: to, kind } of inputs[path]?.imports ?? []) if (kind !== 'dynamic-import') read(to);
  };
  read(entry);
  const later = Object.values(inputs).flatMap(({ imports }) =>
    imports.filter(({ kind }) => kind === 'dynamic-import').map(({ path }) => path),
  );
  return new Set(later.filter((path) => path.endsWith('.ts') && !atStart.has(path)));
}

/**
 * esbuild makes a file of what the same entries and imports share: what is read at the start would be twenty small
 * ones, and each costs its time. All that comes later is told to share the whole of it, which is there by then, so it is one.
 */
const onTopOfEntry = (later) => ({
  name: 'on-top-of-entry',
  setup: ({ onLoad }) =>
    onLoad({ filter: /\.ts$/ }, ({ path }) => {
      if (!later.has(path.slice(root.length + 1))) return undefined;
      return { contents: `${readFileSync(path, 'utf8')}\nimport '${join(root, entry)}';`, loader: 'ts' };
    }),
});
