/**
 * From what the user typed to the tree that is compiled: which files, which environment, which project directory and
 * name, in the order in which Compose decides them. Read first: requests.ts (how files are asked for), project.ts.
 */
import { coded, CodedError } from '../../../errors.ts';
import { limits } from '../../../limits.ts';
import { Problems, textOf, type ComposeNode } from '../document.ts';
import { Interpolation, lookupIn, under, type Environment } from '../interpolate.ts';
import { resolvePath } from '../values.ts';
import { foldEnvFiles } from './env-files.ts';
import { normalizeName } from './names.ts';
import { selectServices, type Wanted } from './profiles.ts';
import { loadProject, parentOf, Reading, type ProjectFile } from './project.ts';
import type { FileContent, Loading } from './requests.ts';

export interface LoadOptions {
  /** `-f`, in order; `-` is standard input. */
  readonly files: readonly string[];
  readonly envFiles: readonly string[];
  readonly profiles: readonly string[];
  /** Asked for by name. */
  readonly services: readonly string[];
  readonly projectDirectory?: string | undefined;
  readonly name?: string | undefined;
  /** Absolute: where the command runs. */
  readonly directory: string;
  readonly environment: Environment;
}

export interface Loaded {
  /** Interpolated, merged, without what profiles leave out. */
  readonly root: ComposeNode;
  /** `-p` or COMPOSE_PROJECT_NAME. */
  readonly name?: string | undefined;
  /** Absolute. */
  readonly projectDirectory: string;
  /** The deployer's, and that of the `.env` files. */
  readonly environment: Environment;
  readonly disabled: ReadonlyMap<string, readonly string[]>;
  readonly contents: ReadonlyMap<string, FileContent>;
}

const defaultNames = ['compose.yaml', 'compose.yml', 'docker-compose.yml', 'docker-compose.yaml'];
const overrideNames = [
  'compose.override.yml',
  'compose.override.yaml',
  'docker-compose.override.yml',
  'docker-compose.override.yaml',
];

/** What is wrong stands in `problems`; then there is nothing to compile. */
export function* loadCompose(options: LoadOptions, problems: Problems): Loading<Loaded | undefined> {
  try {
    return yield* load(options, problems);
  } catch (thrown) {
    if (!(thrown instanceof CodedError)) throw thrown;
    problems.relay([thrown.reason]);
    return undefined;
  }
}

function* load(options: LoadOptions, problems: Problems): Loading<Loaded | undefined> {
  const given =
    options.projectDirectory === undefined
      ? undefined
      : resolvePath(options.directory, options.projectDirectory);
  const start = given ?? options.directory;
  const early = new Reading(problems, options.directory);
  const first = yield* outerEnvironment(early, options, start);
  const files = yield* chooseFiles(options, first, start, problems);
  const projectDirectory = given ?? (files[0]!.path === '-' ? options.directory : parentOf(files[0]!.path));
  const reading = new Reading(problems, projectDirectory);
  const second =
    projectDirectory === start || options.envFiles.length > 0 || isSet(first, 'COMPOSE_ENV_FILES')
      ? first
      : under(yield* dotEnv(reading, projectDirectory, first), first);
  const name = options.name ?? (second['COMPOSE_PROJECT_NAME'] || undefined);
  const shown =
    name ?? (yield* nameInFiles(reading, files, second)) ?? normalizeName(lastOf(projectDirectory));
  const environment = { ...second, COMPOSE_PROJECT_NAME: shown };
  const tree = yield* loadProject(reading, { files, directory: projectDirectory, environment, trail: [] });
  if (!tree || problems.any) return undefined;
  const { root: selected, disabled } = selectServices(tree, wantedOf(options, environment), problems);
  const known = new Map();
  const root = yield* foldEnvFiles(selected, { reading, directory: projectDirectory, environment, known });
  if (problems.any) return undefined;
  assertBounded(root);
  const contents = yield* readContents(root, projectDirectory);
  return { root, name, projectDirectory, environment, disabled, contents };
}

const lastOf = (path: string): string => path.split('/').findLast((part) => part !== '') ?? '';

const isSet = (environment: Environment, name: string): boolean => !!lookupIn(environment)(name);

/** The deployer's variables win over those of `--env-file`, COMPOSE_ENV_FILES or `.env`; of several files the later wins. */
function* outerEnvironment(
  reading: Reading,
  { envFiles, environment, directory }: LoadOptions,
  start: string,
): Loading<Environment> {
  const listed = envFiles.length > 0 ? envFiles : (environment['COMPOSE_ENV_FILES'] || '').split(',');
  const files = listed.filter((file) => file !== '');
  if (files.length === 0) return under(yield* dotEnv(reading, start, environment), environment);
  const read: Record<string, string> = {};
  for (const file of files) {
    const path = resolvePath(directory, file);
    Object.assign(read, yield* reading.variables(path, under(read, environment), undefined, true));
  }
  return under(read, environment);
}

function* dotEnv(reading: Reading, directory: string, environment: Environment): Loading<Environment> {
  if (/^(1|true)$/i.test(environment['COMPOSE_DISABLE_ENV_FILE'] ?? '')) return {};
  return (yield* reading.variables(resolvePath(directory, '.env'), environment, undefined, false)) ?? {};
}

/** `-f`, else COMPOSE_FILE, else the nearest default name and the override beside it. Throws HM-COMPOSE-FILE. */
function* chooseFiles(
  { files, directory }: LoadOptions,
  environment: Environment,
  start: string,
  problems: Problems,
): Loading<readonly ProjectFile[]> {
  const variable = environment['COMPOSE_FILE'];
  const separator = environment['COMPOSE_PATH_SEPARATOR'] || ':';
  const named =
    files.length > 0 ? files : variable ? variable.split(separator).filter((one) => one !== '') : [];
  if (named.length > 0)
    return named.map((file) =>
      file === '-' ? { path: '-', file: '<stdin>' } : { path: resolvePath(directory, file), file },
    );
  const found = yield* search(start, defaultNames, true);
  const [path, ...others] = found;
  if (path === undefined)
    throw coded('HM-COMPOSE-FILE', `No compose.yaml in ${start} or above it`, { directory: start });
  const place = { file: lastOf(path), line: 1, column: 1 };
  if (others.length > 0)
    problems.warn('HM-COMPOSE-FILE', place, `used, and ${others.map(lastOf).join(', ')} beside it is not`);
  const [override] = yield* search(parentOf(path), overrideNames, false);
  return [path, ...(override === undefined ? [] : [override])].map((one) => ({
    path: one,
    file: lastOf(one),
  }));
}

function* search(directory: string, names: readonly string[], upwards: boolean): Loading<readonly string[]> {
  const answer = yield { want: 'search', directory, names, upwards };
  return 'found' in answer ? answer.found : [];
}

/** `name:` of the last file that has one: variables may use it, so it is known before they are replaced. */
function* nameInFiles(
  reading: Reading,
  files: readonly ProjectFile[],
  environment: Environment,
): Loading<string | undefined> {
  let name: string | undefined;
  for (const { path, file } of files) {
    const root = yield* reading.tree(path, file, undefined);
    const node = root?.kind === 'map' ? root.entries.find(({ key }) => key === 'name')?.value : undefined;
    const text = textOf(node);
    // What is wrong with it is told when the file is read for good.
    if (node && text !== undefined)
      name = new Interpolation(lookupIn(environment), new Problems()).lenient(text, node.at);
  }
  return name;
}

function wantedOf({ profiles, services }: LoadOptions, environment: Environment): Wanted {
  if (profiles.length > 0) return { profiles, services };
  const listed = (environment['COMPOSE_PROFILES'] ?? '').split(',').map((profile) => profile.trim());
  return { profiles: listed.filter((profile) => profile !== ''), services };
}

/** Each file has its bounds; together, `extends` could make many times as much of them. */
function assertBounded(root: ComposeNode): void {
  let left: number = limits.composeNodes;
  const visit = (node: ComposeNode): void => {
    if (--left < 0)
      throw coded('HM-COMPOSE-LIMIT', `All files together say more than ${limits.composeNodes} values`);
    if (node.kind === 'list') node.items.forEach(visit);
    else if (node.kind === 'map') node.entries.forEach(({ value }) => visit(value));
  };
  visit(root);
}

function* readContents(root: ComposeNode, directory: string): Loading<ReadonlyMap<string, FileContent>> {
  const contents = new Map<string, FileContent>();
  for (const path of contentPaths(root, directory)) {
    if (contents.has(path)) continue;
    if (contents.size >= limits.composeFiles)
      throw coded('HM-COMPOSE-LIMIT', `More than ${limits.composeFiles} files of configs and secrets`);
    const answer = yield { want: 'bytes', path, most: limits.composeContentBytes };
    if ('bytes' in answer) contents.set(path, { bytes: answer.bytes });
    else if ('failed' in answer) contents.set(path, { failed: answer.failed });
  }
  return contents;
}

function* contentPaths(root: ComposeNode, directory: string): Generator<string> {
  if (root.kind !== 'map') return;
  for (const { key, value } of root.entries) {
    if (value.kind !== 'map') continue;
    for (const { value: part } of value.entries) {
      if (part.kind !== 'map') continue;
      const field = (name: string) => part.entries.find((entry) => entry.key === name)?.value;
      const file = key === 'configs' || key === 'secrets' ? textOf(field('file')) : undefined;
      if (file !== undefined && file !== '') yield resolvePath(directory, file);
      const options = key === 'services' ? field('security_opt') : undefined;
      for (const option of options?.kind === 'list' ? options.items : []) {
        const [, profile] = /^seccomp[=:](.+)$/.exec(textOf(option) ?? '') ?? [];
        if (profile !== undefined && !/^(?:unconfined|builtin|\{.*)$/s.test(profile))
          yield resolvePath(directory, profile);
      }
    }
  }
}
