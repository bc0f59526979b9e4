/** Whether nodes agree on who lives, as their membership says. */
import type { MemberView } from '../../../protocols/membership/views/view.ts';
import type { NodeRun } from '../node/node-run.ts';

/** What the views of the nodes that are well lack, in words: they see each other alive, and none of the others. */
export function apart(well: readonly NodeRun[]): readonly string[] {
  const ids = new Map(well.map(({ place }) => [place.id, place.name]));
  return well.flatMap(({ place, sight }) => {
    const membership = sight.membership();
    if (!membership) return [`${place.name} does not run`];
    const views = membership.members();
    return [...lacking(place.name, ids, views), ...beyond(place.name, ids, views)];
  });
}

function lacking(
  by: string,
  ids: ReadonlyMap<string, string>,
  views: readonly MemberView[],
): readonly string[] {
  return [...ids].flatMap(([id, name]) => {
    const seen = views.find((view) => view.id === id);
    return seen?.status === 'alive' ? [] : [`${by} sees ${name} ${seen?.status ?? 'not at all'}`];
  });
}

function beyond(
  by: string,
  ids: ReadonlyMap<string, string>,
  views: readonly MemberView[],
): readonly string[] {
  return (
    views
      // Who said when to be back is not dead before.
      .filter(({ id, condition }) => !ids.has(id) && condition !== 'away')
      .filter(({ status }) => status === 'alive' || status === 'suspected')
      .map(({ name, status }) => `${by} sees ${name} ${status}, which is not there`)
  );
}
