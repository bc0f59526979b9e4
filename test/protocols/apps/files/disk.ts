/** Compose files in memory, loaded and compiled as the command line does it; and the merged tree as plain data. */
import { compileTree, type Compiled } from '../../../../protocols/apps/compile.ts';
import { Problems, type ComposeNode } from '../../../../protocols/apps/compose/document.ts';
import { loadCompose, type Loaded, type LoadOptions } from '../../../../protocols/apps/compose/files/load.ts';
import type { FileAnswer, FileRequest } from '../../../../protocols/apps/compose/files/requests.ts';
import { reason } from '../../../../protocols/errors.ts';
import { readCompose } from '../../../../runtime/compose/read.ts';

/** By absolute path: the text of a file, or a Compose file as it would have been read. */
export type Disk = Readonly<Record<string, string | ComposeNode>>;

export const cwd = '/srv/shop';

const defaults: LoadOptions = {
  files: [],
  envFiles: [],
  profiles: [],
  services: [],
  directory: cwd,
  environment: {},
};

function answer(disk: Disk, request: FileRequest): FileAnswer {
  if (request.want === 'search') {
    for (let at = request.directory; ; at = at.slice(0, Math.max(at.lastIndexOf('/'), 1))) {
      const found = request.names.map((name) => `${at}/${name}`).filter((path) => path in disk);
      if (found.length > 0 || !request.upwards || at.lastIndexOf('/') === 0) return { found };
    }
  }
  const text = disk[request.path];
  if (typeof text === 'object' && request.want === 'tree') return { root: text };
  if (typeof text !== 'string')
    return { failed: reason('HM-COMPOSE-FILE', `${request.path} does not exist`), absent: true };
  if (request.want === 'bytes') return { bytes: new TextEncoder().encode(text) };
  return readCompose({ file: request.file, text });
}

export function loadFrom(
  disk: Disk,
  options: Partial<LoadOptions> = {},
): { readonly loaded: Loaded | undefined; readonly problems: Problems } {
  const problems = new Problems();
  const loading = loadCompose({ ...defaults, ...options }, problems);
  let step = loading.next();
  while (!step.done) step = loading.next(answer(disk, step.value));
  return { loaded: step.value, problems };
}

export function compileFrom(disk: Disk, options: Partial<LoadOptions> = {}): Compiled {
  const { loaded, problems } = loadFrom(disk, options);
  if (!loaded) return { problems: problems.problems, warnings: problems.warnings };
  return compileTree(loaded.root, loaded, problems);
}

const plain = (node: ComposeNode): unknown => {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'list') return node.items.map(plain);
  return Object.fromEntries(node.entries.map(({ key, value }) => [key, plain(value)]));
};

/** The tree that is compiled, as plain data; what is wrong with it as `CODE text` lines. */
export function treeOf(disk: Disk, options: Partial<LoadOptions> = {}): unknown {
  const { loaded, problems } = loadFrom(disk, options);
  return loaded ? plain(loaded.root) : problems.problems.map(({ code, message }) => `${code} ${message}`);
}

/** Of one file and those merged over it: the tree of service `a`, which has an image besides. */
export function merged(...services: readonly string[]): unknown {
  const disk = Object.fromEntries(
    services.map((text, index) => [
      `${cwd}/f${index + 1}.yaml`,
      `services:\n  a:\n${text.replaceAll(/^/gm, '    ')}\n`,
    ]),
  );
  const tree = treeOf(disk, { files: services.map((_, index) => `f${index + 1}.yaml`) });
  return Array.isArray(tree) ? tree : (tree as { services: { a: unknown } }).services.a;
}
