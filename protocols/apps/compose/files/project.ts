/**
 * The files of one app as one tree: each is read, interpolated, its `extends` and `include` done, and merged over the
 * ones before it. An included app is loaded the same way, in its own directory and with its own `.env`.
 */
import { coded, reason } from '../../../errors.ts';
import { limits } from '../../../limits.ts';
import { type ComposeNode, type MapNode, type Place, type Problems } from '../document.ts';
import { Interpolation, lookupIn, under, type Budget, type Environment } from '../interpolate.ts';
import { resolvePath } from '../values.ts';
import { parseEnvFile } from './dotenv.ts';
import { applyExtends, scopeOf, type ServiceScope } from './extends.ts';
import { importParts, readInclude, type Inclusion } from './include.ts';
import { mergeNodes, settle } from './merge.ts';
import { rebaseService, rebaseTree } from './rebase.ts';
import type { Loading } from './requests.ts';

/** What all files of one load share. */
export class Reading {
  readonly problems: Problems;
  readonly budget: Budget = { left: limits.composeExpansion };
  /** Messages name files as the user would: from here. */
  readonly #directory: string;
  readonly #trees = new Map<string, ComposeNode | undefined>();
  #opened = 0;

  constructor(problems: Problems, directory: string) {
    this.problems = problems;
    this.#directory = directory;
  }

  /** Counted: a file that includes two that include two … ends. */
  count(): void {
    this.#opened += 1;
    if (this.#opened > limits.composeFiles)
      throw coded('HM-COMPOSE-LIMIT', `The app has more than ${limits.composeFiles} files`);
  }

  label(path: string): string {
    const base = this.#directory.endsWith('/') ? this.#directory : `${this.#directory}/`;
    return path.startsWith(base) ? path.slice(base.length) : path;
  }

  /** A Compose file as it is written. What is wrong with it is told once. */
  *tree(path: string, file: string, at: Place | undefined): Loading<ComposeNode | undefined> {
    this.count();
    if (this.#trees.has(path)) return this.#trees.get(path);
    const answer = yield { want: 'tree', path, file };
    const root = 'root' in answer ? answer.root : undefined;
    this.#trees.set(path, root);
    if ('problems' in answer) this.problems.relay(answer.problems);
    if ('failed' in answer) this.problems.add(answer.failed.code, at, answer.failed.message);
    return root;
  }

  /** The variables of an env file; `undefined` when it is not there. */
  *variables(
    path: string,
    environment: Environment,
    at: Place | undefined,
    needed: boolean,
  ): Loading<Record<string, string> | undefined> {
    if (path === '/dev/null') return {};
    this.count();
    const answer = yield { want: 'bytes', path, most: limits.composeFileBytes };
    if (!('bytes' in answer)) {
      const because = 'failed' in answer ? answer : { failed: reason('HM-COMPOSE-FILE'), absent: false };
      if (needed || !because.absent)
        this.problems.add(because.failed.code, at, because.failed.message, 'Correct the path, or create it.');
      return undefined;
    }
    const lookup = lookupIn(environment);
    const { problems, budget } = this;
    const text = new TextDecoder().decode(answer.bytes);
    const values = parseEnvFile(text, { file: this.label(path), raw: false, lookup, problems, budget });
    const pairs = [...values].flatMap(([name, { value = lookup(name) }]) =>
      value === undefined ? [] : [[name, value] as const],
    );
    return Object.fromEntries(pairs);
  }
}

export interface ProjectFile {
  /** Absolute, or `-`. */
  readonly path: string;
  readonly file: string;
  /** Who asked for it. */
  readonly at?: Place;
}

export interface Project {
  readonly files: readonly ProjectFile[];
  readonly directory: string;
  readonly environment: Environment;
  /** The apps that include this one, outermost first. */
  readonly trail: readonly string[];
}

/** `undefined` when nothing could be read. */
export function* loadProject(reading: Reading, project: Project): Loading<ComposeNode | undefined> {
  const { problems, budget } = reading;
  const { environment, directory } = project;
  const interpolation = new Interpolation(lookupIn(environment), problems, budget);
  const others = new Map<string, ServiceScope | undefined>();
  const open = function* (path: string, at: Place): Loading<ServiceScope | undefined> {
    if (others.has(path)) return others.get(path);
    const root = yield* reading.tree(path, reading.label(path), at);
    const scope = root && scopeOf(interpolation.tree(root), path, parentOf(path));
    others.set(path, scope);
    return scope;
  };
  let whole: ComposeNode | undefined;
  for (const { path, file, at } of project.files) {
    const read = yield* reading.tree(path, file, at);
    if (!read) continue;
    const plain = interpolation.tree(read);
    const scope = scopeOf(plain, path, directory);
    // An `extends` may name the very file it stands in.
    others.set(path, scope);
    const extending = yield* applyExtends(plain, scope, { problems, open });
    const complete = yield* applyInclude(reading, project, path, extending);
    const merged = whole ? mergeNodes(whole, complete, [], problems) : complete;
    // All of it reset: a file that says nothing, and is refused as one.
    whole = settle(merged) ?? { kind: 'scalar', at: merged.at, value: null, text: '' };
  }
  return whole;
}

function* applyInclude(
  reading: Reading,
  project: Project,
  path: string,
  root: ComposeNode,
): Loading<ComposeNode> {
  const node = root.kind === 'map' ? root.entries.find(({ key }) => key === 'include')?.value : undefined;
  if (root.kind !== 'map' || !node) return root;
  let tree: MapNode = { ...root, entries: root.entries.filter(({ key }) => key !== 'include') };
  for (const inclusion of readInclude(node, reading.problems)) {
    const included = yield* loadIncluded(reading, project, path, inclusion);
    if (!included) continue;
    const { directory } = project;
    const rebase = (part: ComposeNode, section: string): ComposeNode =>
      section === 'services' ? rebaseService(part, directory) : part;
    tree = importParts(tree, included, rebase, reading.problems);
  }
  return tree;
}

function* loadIncluded(
  reading: Reading,
  project: Project,
  from: string,
  { at, paths, projectDirectory, envFiles }: Inclusion,
): Loading<ComposeNode | undefined> {
  const { problems } = reading;
  const remote = paths.find((path) => /:\/\/|^git@/.test(path));
  if (remote !== undefined) {
    problems.add(
      'HM-COMPOSE-FILE',
      at,
      `include: ${remote} is not a file`,
      'Fetch it, and include the file.',
    );
    return undefined;
  }
  const files = paths.map((path) => resolvePath(project.directory, path));
  const trail = [...project.trail, from];
  if (trail.includes(files[0]!)) {
    const circle = [...trail.slice(trail.indexOf(files[0]!)), files[0]!].map((path) => reading.label(path));
    const text = `files include each other in a circle: ${circle.join(' → ')}`;
    problems.add('HM-COMPOSE-CYCLE', at, text, 'Remove one include of the circle.');
    return undefined;
  }
  const directory =
    projectDirectory === undefined ? parentOf(files[0]!) : resolvePath(project.directory, projectDirectory);
  const own: Record<string, string | undefined> = {};
  const sources = envFiles?.map((path) => resolvePath(project.directory, path)) ?? [`${directory}/.env`];
  for (const source of sources) {
    const known = under(own, project.environment);
    Object.assign(own, yield* reading.variables(source, known, at, envFiles !== undefined));
  }
  const tree = yield* loadProject(reading, {
    files: files.map((path) => ({ path, file: reading.label(path), at })),
    directory,
    environment: under(own, project.environment),
    trail,
  });
  return tree && rebaseTree(tree, directory);
}

export const parentOf = (path: string): string => path.slice(0, Math.max(path.lastIndexOf('/'), 1));
