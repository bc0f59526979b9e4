/** `external:` of volumes, networks, configs and secrets: true, or the old form with a name in it. */
import type { ComposeNode } from '../document.ts';
import { inside, readBoolean, readText, refuse, type Scope } from '../readers.ts';

export interface ExternalDraft {
  name?: string | undefined;
  external?: boolean | undefined;
}

export function readExternal(draft: ExternalDraft, node: ComposeNode, scope: Scope): void {
  if (node.kind !== 'map') {
    draft.external = readBoolean(scope, node);
    return;
  }
  draft.external = true;
  for (const { key, keyAt, value } of node.entries) {
    if (key === 'name') draft.name = readText(inside(scope, key), value);
    else if (!key.startsWith('x-')) refuse(scope, keyAt, `${key} is not a known key`, 'external: true');
  }
}
