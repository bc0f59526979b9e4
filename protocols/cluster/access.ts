/**
 * What of the store an agent may reach: what its own actors read and write, and nothing else. A server may everything.
 * Rows are judged as they are now; whoever asks must bind a write to the revision that was judged.
 */
import type { Assignment } from '../apps/model.ts';
import { keys } from '../state/keys.ts';

export type StoreWish =
  | { readonly do: 'get'; readonly key: string }
  /** A list or a watch. */
  | { readonly do: 'list'; readonly prefix: string }
  | { readonly do: 'compare'; readonly key: string }
  /** `value` of a put; `present` the row's value now, if there is one. */
  | { readonly do: 'put'; readonly key: string; readonly value: unknown; readonly present?: unknown }
  | { readonly do: 'delete'; readonly key: string; readonly present?: unknown };

export interface StoreAgent {
  readonly name: string;
  /** What is placed on it: the sealed values that it may open are named there. */
  readonly assignments: readonly Assignment[];
}

interface OfNode {
  readonly node?: unknown;
  readonly removing?: unknown;
}

export function mayReach(agent: StoreAgent, wish: StoreWish): boolean {
  switch (wish.do) {
    case 'get':
    case 'compare':
      return mayRead(agent, wish.key);
    case 'list':
      return [keys.assignments(agent.name), keys.blocks, keys.volumes].some((own) =>
        wish.prefix.startsWith(own),
      );
    case 'put':
      return claimsBlock(agent.name, wish);
    case 'delete':
      return forgetsVolume(agent.name, wish);
  }
}

function mayRead(agent: StoreAgent, key: string): boolean {
  const own = [keys.assignments(agent.name), keys.blocks, keys.volumes];
  if (own.some((prefix) => key.startsWith(prefix))) return true;
  if (key === keys.cluster || key === keys.member(agent.name)) return true;
  return key.startsWith(keys.allSealed) && sealedOf(agent.assignments).has(key);
}

/** A block that nobody has, or its own again. */
function claimsBlock(name: string, { key, value, present }: StoreWish & { do: 'put' }): boolean {
  if (!key.startsWith(keys.blocks)) return false;
  const free = present === undefined || (present as OfNode).node === name;
  return free && (value as OfNode | null)?.node === name;
}

/** The record of a volume that is to go, when its folder here is gone; again, when the first answer was lost. */
function forgetsVolume(name: string, { key, present }: StoreWish & { do: 'delete' }): boolean {
  if (!key.startsWith(keys.volumes)) return false;
  const row = present as OfNode | undefined;
  return row === undefined || (row.node === name && row.removing === true);
}

/** Keys of the sealed values that files of these slots hold. */
export function sealedOf(assignments: readonly Assignment[]): ReadonlySet<string> {
  const found = new Set<string>();
  for (const { spec } of assignments)
    for (const { held } of spec.files ?? []) if (held) found.add(keys.sealed(held.name, held.version));
  return found;
}
