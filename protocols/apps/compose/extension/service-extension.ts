/** `x-hivemind:` of a service: what Compose has no word for. Its keys are as strictly read as Compose's own. */
import { limits } from '../../../limits.ts';
import type { JobSettings, ServiceParts } from '../../service-model.ts';
import type { ComposeNode } from '../document.ts';
import { mistyped, readInteger, readKeys, readMap, refuse, type KeyTable, type Scope } from '../readers.ts';
import type { ServiceDraft } from '../service/draft.ts';
import { readSignal } from '../service/lifecycle.ts';
import { readArgs } from '../service/process.ts';
import { readProbes } from './probes.ts';

export const extensionKeys: KeyTable<ServiceDraft> = {
  'x-hivemind': (draft, node, scope) => {
    const map = readMap(scope, node);
    if (map) readKeys(scope, map, 'services.x-hivemind', keys, draft);
  },
};

const keys: KeyTable<ServiceDraft> = {
  probes: (draft, node, scope) => (draft.probes = readProbes(scope, node)),
  process: readProcess,
  onSecretChange: (draft, node, scope) => {
    const chosen = readOnSecretChange(scope, node);
    if (chosen !== undefined) draft.own.onSecretChange = chosen;
  },
  job: (draft, node, scope) => (draft.job = readJob(scope, node)),
};

function readProcess(draft: ServiceDraft, node: ComposeNode, scope: Scope): void {
  const map = readMap(scope, node);
  const found: { command?: readonly string[] | undefined } = {};
  if (map)
    readKeys(
      scope,
      map,
      'services.x-hivemind.process',
      {
        command: (_, value, at) => (found.command = readArgs(at, value)),
      },
      found,
    );
  if (found.command?.length) draft.own.hostProcess = { command: found.command };
  else if (map) refuse(scope, node.at, 'command is missing');
}

function readOnSecretChange(scope: Scope, node: ComposeNode): ServiceParts['onSecretChange'] {
  if (node.kind === 'map') {
    const found: { signal?: string | undefined } = {};
    readKeys(
      scope,
      node,
      'services.x-hivemind.onSecretChange',
      {
        signal: (_, value, at) => (found.signal = readSignal(at, value)),
      },
      found,
    );
    if (!node.entries.some((entry) => entry.key === 'signal')) refuse(scope, node.at, 'signal is missing');
    return found.signal === undefined ? undefined : { signal: found.signal };
  }
  const word = node.kind === 'scalar' ? node.text : '';
  if (word === 'restart' || word === 'none') return word;
  return mistyped(scope, node, 'restart, none or signal: SIGNAL');
}

function readJob(scope: Scope, node: ComposeNode): JobSettings | undefined {
  const map = readMap(scope, node);
  const found: { completions?: number | undefined; parallel?: number | undefined } = {};
  const count = (at: Scope, value: ComposeNode) => readInteger(at, value, 1, limits.composeReplicas);
  if (map)
    readKeys(
      scope,
      map,
      'services.x-hivemind.job',
      {
        completions: (_, value, at) => (found.completions = count(at, value)),
        parallel: (_, value, at) => (found.parallel = count(at, value)),
      },
      found,
    );
  const { completions, parallel } = found;
  return {
    ...(completions === undefined ? {} : { completions }),
    ...(parallel === undefined ? {} : { parallel }),
  };
}
