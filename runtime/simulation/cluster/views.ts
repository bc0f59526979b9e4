/** Whether nodes agree on who lives, as their membership says. */
import { isLiving } from '../../../protocols/membership/model.ts';
import type { NodeRun } from '../node/node-run.ts';

/** Whom of each other those that are well do not see alive, in words. */
export function lacking(well: readonly NodeRun[]): readonly string[] {
  return well.flatMap(({ place, sight }) => {
    const views = sight.membership()?.members();
    if (!views) return [`${place.name} does not run`];
    return well.flatMap(({ place: { id, name } }) => {
      const seen = views.find((view) => view.id === id);
      return seen?.status === 'alive' ? [] : [`${place.name} sees ${name} ${seen?.status ?? 'not at all'}`];
    });
  });
}

/** Whom of the others they still see. */
export function beyond(well: readonly NodeRun[]): readonly string[] {
  const ids = new Set(well.map(({ place }) => place.id));
  return well.flatMap(({ place, sight }) => {
    const others = (sight.membership()?.members() ?? []).filter(
      // Who said when to be back is not dead before.
      ({ id, condition }) => !ids.has(id) && condition !== 'away',
    );
    return others
      .filter(isLiving)
      .map(({ name, status }) => `${place.name} sees ${name} ${status}, which is not there`);
  });
}
