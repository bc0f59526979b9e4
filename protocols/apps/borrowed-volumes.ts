/** Volumes that an app mounts and another one owns: they must be there, and stay while they are mounted. */
import { reason, type Reason } from '../errors.ts';
import { keys } from '../state/keys.ts';
import type { VolumeRecord } from '../storage/manager.ts';
import type { AppSpec } from './model.ts';
import type { Desk } from './reconcile.ts';

interface Borrowed {
  readonly by: string;
  readonly app: string;
  readonly volume: string;
}

const borrowedIn = ({ name, services }: AppSpec): readonly Borrowed[] =>
  Object.values(services).flatMap((service) =>
    service.mounts.flatMap((mount) =>
      mount.type === 'volume' && mount.app !== undefined && mount.app !== name
        ? [{ by: `${name}/${service.name}`, app: mount.app, volume: mount.volume }]
        : [],
    ),
  );

/** A volume that is not there would be an empty one: refused before anything is written. */
export function volumeProblem(desk: Desk, spec: AppSpec): Reason | undefined {
  const lacking = borrowedIn(spec).find(({ app, volume }) => {
    const record = desk.mirror.rows[keys.volume(app, volume)]?.value as VolumeRecord | undefined;
    return !record || record.removing;
  });
  if (!lacking) return undefined;
  const { by, app, volume } = lacking;
  const name = `${app}/${volume}`;
  return reason('HM-VOLUME-UNKNOWN', `${by} mounts ${name}, which is not there`, { volume: name });
}

/** Who would lose what the app's volumes hold. */
export function borrowerOf(app: string, others: Iterable<AppSpec>): Reason | undefined {
  for (const spec of others) {
    const used = borrowedIn(spec).find((each) => each.app === app);
    if (!used) continue;
    const volume = `${app}/${used.volume}`;
    return reason('HM-VOLUME-USED', `${volume} is mounted by ${used.by}`, { volume, service: used.by });
  }
  return undefined;
}
