/** `configs:` and `secrets:` of a file: where their content comes from. It goes to the API as base64, which seals it away. */
import { limits } from '../../../limits.ts';
import type { FileSource } from '../../service-model.ts';
import type { ComposeNode, Place } from '../document.ts';
import { readKeys, readMap, readPairs, readText, refuse, type KeyTable, type Scope } from '../readers.ts';
import { contentOf, type ServiceContext } from '../service/draft.ts';
import { resolvePath, toBase64 } from '../values.ts';
import { readExternal, type ExternalDraft } from './external.ts';

interface Draft extends ExternalDraft {
  file?: string | undefined;
  environment?: string | undefined;
  content?: string | undefined;
}

const keys: KeyTable<Draft> = {
  name: (draft, node, scope) => (draft.name = readText(scope, node)),
  external: (draft, node, scope) => readExternal(draft, node, scope),
  file: (draft, node, scope) => (draft.file = readText(scope, node)),
  environment: (draft, node, scope) => (draft.environment = readText(scope, node)),
  content: (draft, node, scope) => (draft.content = readText(scope, node)),
  labels: (_draft, node, scope) => readPairs(scope, node),
};

export function readContent(
  scope: Scope,
  section: 'configs' | 'secrets',
  name: string,
  node: ComposeNode,
  context: ServiceContext,
): FileSource {
  const draft: Draft = {};
  const map = readMap(scope, node);
  if (map) readKeys(scope, map, section, keys, draft);
  const has = (key: string): boolean => map?.entries.some((entry) => entry.key === key) ?? false;
  const given = ['file', 'environment', 'content'].filter(has);
  if (draft.external) {
    if (given.length > 0) refuse(scope, node.at, `an external one has no ${given.join(', ')}`);
    return { name, externalName: draft.name ?? name };
  }
  const ways =
    section === 'configs' ? 'file, environment, content or external' : 'file, environment or external';
  if (map && given.length !== 1) refuse(scope, node.at, `needs exactly one of ${ways}`);
  const bytes = bytesOf(scope, node.at, draft, context);
  return { name, ...(bytes === undefined ? {} : { content: toBase64(bytes) }) };
}

function bytesOf(
  scope: Scope,
  at: Place,
  { file, environment, content }: Draft,
  context: ServiceContext,
): Uint8Array | undefined {
  if (content !== undefined) return bounded(scope, at, new TextEncoder().encode(content));
  if (environment !== undefined) {
    const variables = context.environment;
    const value = Object.hasOwn(variables, environment) ? variables[environment] : undefined;
    if (value !== undefined) return bounded(scope, at, new TextEncoder().encode(value));
    const hint = `Set it for this command: ${environment}=… hivemind deploy`;
    return refuse(scope, at, `variable ${environment} is not set`, hint);
  }
  if (file === undefined) return undefined;
  const path = resolvePath(context.projectDirectory, file);
  const read = contentOf(context, path);
  if ('why' in read) {
    scope.problems.add(
      'HM-COMPOSE-FILE',
      at,
      `${scope.path}: ${read.why}`,
      'Correct the path, or create it.',
    );
    return undefined;
  }
  return bounded(scope, at, read.bytes);
}

function bounded(scope: Scope, at: Place, bytes: Uint8Array): Uint8Array | undefined {
  if (bytes.length <= limits.composeContentBytes) return bytes;
  const text = `${scope.path} has ${bytes.length} bytes, more than ${limits.composeContentBytes}`;
  scope.problems.add('HM-COMPOSE-LIMIT', at, text, 'Put it in a volume, or into the image.');
  return undefined;
}
