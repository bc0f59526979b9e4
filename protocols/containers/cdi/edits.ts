/** Edits of CDI files in the words of the OCI runtime specification. */
import type { OciHook, OciMount, OciSpec } from '../oci/types.ts';
import type { CdiEdits, CdiHookName } from './document.ts';

/** Outer before inner; a bind, where the file does not say what it is. */
export function editedMounts(edits: Pick<CdiEdits, 'mounts'> | undefined): readonly OciMount[] {
  const byTarget = new Map(edits?.mounts.map((mount) => [mount.containerPath, mount]));
  return [...byTarget.values()]
    .map(({ hostPath, containerPath, type = '', options = [] }) => {
      const bound = options.includes('bind') || options.includes('rbind');
      const isBind = bound || type === '' || type === 'bind' || type === 'none';
      return {
        destination: containerPath,
        type: isBind ? 'bind' : type,
        source: hostPath,
        options: isBind && !bound ? ['rbind', ...options] : options,
      };
    })
    .toSorted((a, b) => a.destination.split('/').length - b.destination.split('/').length);
}

/** In the order of the files: a later hook may need what an earlier one has done. */
export function hooksOf(edits: Pick<CdiEdits, 'hooks'> | undefined): Pick<OciSpec, 'hooks'> {
  const hooks: Partial<Record<CdiHookName, OciHook[]>> = {};
  for (const { hookName, ...hook } of edits?.hooks ?? []) (hooks[hookName] ??= []).push(hook);
  return Object.keys(hooks).length === 0 ? {} : { hooks };
}
