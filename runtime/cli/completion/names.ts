/** Names that the node knows, for completion. */
import type { Cli } from '../cli.ts';
import type { ActorsAnswer, ImagesAnswer } from '../connection/answers.ts';
import { loadKnown, slotNames } from '../targets.ts';
import type { Candidate } from './complete.ts';

export type NameSource = 'targets' | 'slots' | 'apps' | 'images' | 'secrets' | 'volumes' | 'actors';

/** Rejects as the API does. */
export async function known(cli: Cli, source: NameSource): Promise<readonly Candidate[]> {
  const client = await cli.client();
  switch (source) {
    case 'targets':
    case 'slots':
    case 'apps':
      return targets(cli, source);
    case 'images': {
      const { images } = await client.get<ImagesAnswer>('/v1/images');
      return images.map(({ name }) => ({ value: name }));
    }
    case 'actors': {
      const { actors } = await client.get<ActorsAnswer>('/v1/actors');
      return actors.map(({ path, phase }) => ({ value: path, description: phase }));
    }
    case 'secrets': {
      const { secrets } = await client.get<{ secrets: readonly { name: string }[] }>('/v1/secrets');
      return secrets.map(({ name }) => ({ value: name }));
    }
    case 'volumes': {
      type Volumes = { volumes: readonly { app: string; volume: string }[] };
      const { volumes } = await client.get<Volumes>('/v1/volumes');
      return volumes.map(({ app, volume }) => ({ value: `${app}/${volume}` }));
    }
  }
}

async function targets(cli: Cli, source: 'targets' | 'slots' | 'apps'): Promise<readonly Candidate[]> {
  const everything = await loadKnown(cli);
  const apps = everything.apps.map(({ name }) => ({ value: name, description: 'app' }));
  if (source === 'apps') return apps;
  const phases = new Map(everything.slots.map(({ slot, phase }) => [slot, phase]));
  const slots = slotNames(everything).map((value) => ({
    value,
    description: phases.get(value) ?? 'not placed',
  }));
  if (source === 'slots') return slots;
  const services = everything.apps.flatMap(({ name, services: list }) =>
    list.map((service) => ({ value: `${name}/${service.name}`, description: service.image })),
  );
  return [...apps, ...services, ...slots];
}
