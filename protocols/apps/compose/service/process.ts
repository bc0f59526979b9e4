/** Keys about what runs in a container and as whom: image, command, environment, user. */
import { shortImageName } from '../../../containers/image-name.ts';
import { limits } from '../../../limits.ts';
import { excerpt, type ComposeNode, type Place } from '../document.ts';
import type { Environment } from '../interpolate.ts';
import {
  assertShort,
  inside,
  mistyped,
  readAbsolute,
  readBoolean,
  readDistinct,
  readText,
  readTexts,
  refuse,
  refuseKey,
  type KeyTable,
  type Scope,
} from '../readers.ts';
import { supportMatrix } from '../support/matrix.ts';
import { splitWords } from '../values.ts';
import { into, type ServiceDraft } from './draft.ts';

export const processKeys: KeyTable<ServiceDraft> = {
  image: (draft, node, scope) => (draft.image = readImage(scope, node)),
  build: (draft, node) => (draft.build = node),
  command: (draft, node, scope) => (draft.command = readArgs(scope, node)),
  entrypoint: (draft, node, scope) => (draft.entrypoint = readArgs(scope, node)),
  environment: (draft, node, scope) =>
    (draft.environment = readEnvironment(scope, node, draft.context.environment)),
  working_dir: into('process', 'workingDir', readAbsolute),
  user: into('process', 'user', readUser),
  group_add: into('process', 'groupAdd', readDistinct),
  hostname: into('process', 'hostname', readHostName),
  domainname: into('process', 'domainname', readHostName),
  init: into('process', 'init', readBoolean),
  tty: into('process', 'tty', readBoolean),
  stdin_open: into('process', 'stdinOpen', readBoolean),
  platform: into('own', 'platform', (scope, node) => {
    const text = readText(scope, node)?.toLowerCase();
    if (text === undefined || /^[a-z0-9]+\/[a-z0-9]+(\/[a-z0-9]+)?$/.test(text)) return text;
    return mistyped(scope, node, 'a platform like linux/arm64');
  }),
};

/** Under the name that the node keeps it by: `redis` → `redis:latest`. */
function readImage(scope: Scope, node: ComposeNode): string | undefined {
  const text = readText(scope, node);
  if (text === undefined) return undefined;
  const name = shortImageName(text);
  if (name !== undefined) return name;
  const wrong = `${JSON.stringify(text.slice(0, 80))} is not an image name`;
  return refuse(scope, node.at, wrong, 'As in redis:7.');
}

/** The hint is the two commands that do it, with the file's own words. */
export function refuseBuild(draft: ServiceDraft, node: ComposeNode, scope: Scope): void {
  const of = (key: string): string | undefined => {
    const value = node.kind === 'map' ? node.entries.find((entry) => entry.key === key)?.value : undefined;
    return value?.kind === 'scalar' && value.value !== null ? value.text : undefined;
  };
  const context = (node.kind === 'scalar' ? node.text : of('context')) || '.';
  const file = of('dockerfile');
  const target = of('target');
  const image = draft.image ?? `${draft.name}:latest`;
  const archive = `${draft.name}.tar`;
  const stage = target === undefined ? '' : `--target ${target} `;
  const from = `${stage}${file === undefined ? '' : `-f ${context.replace(/\/$/, '')}/${file} `}${context}`;
  const build = `podman build -t ${image} ${from} && podman save --format oci-archive -o ${archive} ${image}`;
  const made = `Two commands do it: ${build}; hivemind image import ${archive}.`;
  refuseKey(scope, node.at, {
    why: supportMatrix.services['build']!.why,
    instead:
      draft.image === undefined
        ? `${made} Then write image: ${image} in its place.`
        : `If its registry has ${image}, remove build. Else two${made.slice(3)} Then remove build.`,
  });
}

/** A list as it stands, a text split as a shell does; nothing (null) leaves the image's own. */
export function readArgs(scope: Scope, node: ComposeNode): readonly string[] | undefined {
  if (node.kind === 'list') return readTexts(scope, node);
  if (node.kind === 'scalar' && node.value === null) return undefined;
  const text = readText(scope, node);
  if (text === undefined) return undefined;
  const words = splitWords(text);
  if (!words) return refuse(scope, node.at, 'a quotation mark is left open');
  return assertShort(scope, node.at, words.length) ? words : undefined;
}

export function readUser(scope: Scope, node: ComposeNode): string | undefined {
  const text = readText(scope, node);
  if (text === undefined || /^[^:\s]+(:[^:\s]+)?$/.test(text)) return text;
  return mistyped(scope, node, 'a user or user:group, by name or number');
}

function readHostName(scope: Scope, node: ComposeNode): string | undefined {
  const text = readText(scope, node);
  const label = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i;
  if (text === undefined || (text.length <= 253 && text.split('.').every((part) => label.test(part))))
    return text;
  return mistyped(scope, node, 'letters, digits, - and ., with parts of at most 63 characters');
}

/** A name without a value takes the deployer's; when that has none either, the name is left out. */
export function readEnvironment(
  scope: Scope,
  node: ComposeNode,
  outer: Environment,
): ReadonlyMap<string, string> {
  const variables = new Map<string, string>();
  const set = (at: Scope, place: Place, name: string, value: string | undefined): void => {
    const known = value ?? (Object.hasOwn(outer, name) ? outer[name] : undefined);
    if (!/^[^=\0]+$/.test(name)) refuse(at, place, `${JSON.stringify(name)} is not a variable's name`);
    else if (known !== undefined) variables.set(name, known);
  };
  if (node.kind === 'map') {
    for (const { key, keyAt, value } of node.entries) {
      const empty = value.kind === 'scalar' && value.value === null;
      const text = empty ? undefined : readText(inside(scope, key), value);
      if (empty || text !== undefined) set(scope, keyAt, key, text);
    }
  } else if (node.kind === 'list') {
    const seen = new Set<string>();
    for (const [index, item] of node.items.entries()) {
      const text = readText(inside(scope, index), item);
      const cut = text?.indexOf('=') ?? -1;
      if (text !== undefined && seen.has(text))
        refuse(scope, item.at, `${excerpt(text)} stands in the list twice`);
      else if (text !== undefined)
        set(scope, item.at, cut < 0 ? text : text.slice(0, cut), cut < 0 ? undefined : text.slice(cut + 1));
      seen.add(text ?? '');
    }
  } else if (node.value !== null) mistyped(scope, node, 'a map or a list of NAME=value');
  if (variables.size > limits.composeEnvironment) {
    const text = `${scope.path} has more than ${limits.composeEnvironment} variables`;
    scope.problems.add('HM-COMPOSE-LIMIT', node.at, text);
  }
  return variables;
}
