/** What a daemon says of the containers that go on without it, a line each. */
import type { SlotStatus } from '../../protocols/apps/status.ts';

/** `departed`: the node left its cluster or has lost its name, and has no store any more. */
export function farewell(
  left: readonly Pick<SlotStatus, 'slot' | 'app'>[],
  { departed }: { readonly departed: boolean },
): readonly string[] {
  if (left.length === 0) return [];
  const count = left.length === 1 ? '1 container still runs' : `${left.length} containers still run`;
  const still = `${count}: ${left.map(({ slot }) => slot).join(', ')}`;
  // The apps are the cluster's: taken out of it, they would end on all its other nodes too.
  if (departed)
    return [still, 'nobody looks after them; to remove everything that this node made: hivemind purge'];
  const apps = [...new Set(left.map(({ app }) => app))].join(' ');
  return [
    still,
    `start the node again to look after them; to stop them: hivemind rm ${apps}, to remove everything: hivemind purge`,
  ];
}
