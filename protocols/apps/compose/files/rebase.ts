/**
 * Relative paths of a file that stands elsewhere (`include`, `extends`), made absolute, so that they mean after the
 * merge what they meant in their own file. The main files' paths stay: their readers start at the project directory.
 */
import { type ComposeNode, type MapEntry, type ScalarNode } from '../document.ts';
import { resolvePath } from '../values.ts';

type Change = (node: ComposeNode, directory: string) => ComposeNode;

/** A whole file. */
export function rebaseTree(root: ComposeNode, directory: string): ComposeNode {
  return inMap(root, {
    services: (services) => everyEntry(services, (service) => rebaseService(service, directory)),
    configs: (node) => everyEntry(node, (each) => inMap(each, { file: (file) => path(file, directory) })),
    secrets: (node) => everyEntry(node, (each) => inMap(each, { file: (file) => path(file, directory) })),
  });
}

/** One service of it. */
export function rebaseService(service: ComposeNode, directory: string): ComposeNode {
  const change = (by: Change) => (node: ComposeNode) => by(node, directory);
  const fields: Readonly<Record<string, Change>> = {
    env_file: oneOrEach(pathOrMap),
    label_file: oneOrEach(path),
    volumes: oneOrEach(mount),
    security_opt: oneOrEach(profile),
    credential_spec: (node, at) => inMap(node, { file: (file) => path(file, at) }),
    build: (node, at) =>
      node.kind === 'map' ? inMap(node, { context: (context) => path(context, at) }) : path(node, at),
  };
  return inMap(
    service,
    Object.fromEntries(Object.entries(fields).map(([key, by]) => [key, change(by)] as const)),
  );
}

function inMap(
  node: ComposeNode,
  changes: Readonly<Record<string, (node: ComposeNode) => ComposeNode>>,
): ComposeNode {
  if (node.kind !== 'map') return node;
  const entry = (each: MapEntry): MapEntry =>
    Object.hasOwn(changes, each.key) ? { ...each, value: changes[each.key]!(each.value) } : each;
  return { ...node, entries: node.entries.map(entry) };
}

function everyEntry(node: ComposeNode, change: (node: ComposeNode) => ComposeNode): ComposeNode {
  if (node.kind !== 'map') return node;
  return { ...node, entries: node.entries.map((each) => ({ ...each, value: change(each.value) })) };
}

const oneOrEach =
  (change: Change): Change =>
  (node, directory) =>
    node.kind === 'list'
      ? { ...node, items: node.items.map((item) => change(item, directory)) }
      : change(node, directory);

function rewritten(node: ComposeNode, change: (text: string) => string): ComposeNode {
  if (node.kind !== 'scalar' || typeof node.value !== 'string' || node.text === '') return node;
  const text = change(node.text);
  return { ...node, value: text, text } satisfies ScalarNode;
}

/** `~` means the deployer's home wherever the file stands; `://` is no path. */
const path: Change = (node, directory) =>
  rewritten(node, (text) => (/^~|:\/\//.test(text) ? text : resolvePath(directory, text)));

const pathOrMap: Change = (node, directory) =>
  node.kind === 'map' ? inMap(node, { path: (inner) => path(inner, directory) }) : path(node, directory);

/** `./data:/var/lib/data` in short form, `source` of a bind in long form; a volume's name is no path. */
const mount: Change = (node, directory) => {
  if (node.kind === 'map') {
    const type = node.entries.find(({ key }) => key === 'type')?.value;
    const bind = type?.kind === 'scalar' && type.text === 'bind';
    return bind ? inMap(node, { source: (source) => path(source, directory) }) : node;
  }
  return rewritten(node, (text) => {
    const cut = text.indexOf(':');
    if (cut < 0 || !text.startsWith('.')) return text;
    return `${resolvePath(directory, text.slice(0, cut))}${text.slice(cut)}`;
  });
};

const seccomp = /^(seccomp[=:])(?!unconfined$|builtin$|\{|\/|~)(.+)$/;

const profile: Change = (node, directory) =>
  rewritten(node, (text) =>
    text.replace(seccomp, (_, before: string, file: string) => `${before}${resolvePath(directory, file)}`),
  );
