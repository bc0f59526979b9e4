/** What services are given, as parts of specifications: secrets and configs as files, limits, networks, how images come. */
import type { AppSpec, ServiceSpec } from '../../../protocols/apps/model.ts';
import type { FileGrant, FileSource, NetworkAttachment } from '../../../protocols/apps/service-model.ts';
import type { ServicePlan } from './plan.ts';

type Services = readonly ServicePlan[];

/** No secret begins otherwise, and nothing else has this in it. Longer than a line of base64 that it could stand in by chance. */
export const planted = 'planted-secret-';
/** As base64 has it: the text is a multiple of three long. */
export const plantedBase64 = Buffer.from(planted).toString('base64');

const sourceName = (position: number): string => `f${position}`;

const contentOf = (kind: FileGrant['kind'], app: number, position: number, content: number): string =>
  Buffer.from(`${kind === 'secret' ? planted : 'config-'}${app}-${position}-${content}`).toString('base64');

export function filesOf(app: number, services: Services): Pick<AppSpec, 'secrets' | 'configs'> {
  const sources = (kind: FileGrant['kind']): Record<string, FileSource> =>
    Object.fromEntries(
      services.flatMap(({ needs }, position) => {
        if (!needs?.files) return [];
        const name = sourceName(position);
        return [[name, { name, content: contentOf(kind, app, position, needs.content) }]];
      }),
    );
  return services.some(({ needs }) => needs?.files)
    ? { secrets: sources('secret'), configs: sources('config') }
    : {};
}

const subnet = (app: number): string => `10.77.${app}.0/24`;

export function networksOf(app: number, services: Services): Pick<AppSpec, 'networks'> {
  if (!services.some(({ needs }) => needs?.networks)) return {};
  return {
    networks: {
      front: { name: 'front' },
      back: { name: 'back' },
      inner: { name: 'inner', internal: true },
      fixed: { name: 'fixed', subnets: [subnet(app)] },
    },
  };
}

function attached(
  app: number,
  { needs, replicas, care }: ServicePlan,
  position: number,
): Readonly<Record<string, NetworkAttachment>> | undefined {
  if (!needs?.networks) return undefined;
  switch (needs.networks) {
    case 'both':
      return { front: { aliases: [`also${position}`] }, back: {} };
    case 'fixed':
      return replicas === 1 && care?.completions === undefined
        ? { fixed: { ipv4Address: `10.77.${app}.${10 + position}` }, back: {} }
        : { back: {} };
    default:
      return { [needs.networks]: {} };
  }
}

type Needed = Pick<ServiceSpec, 'files' | 'onSecretChange' | 'resources' | 'networks' | 'pullPolicy'>;

export function needed(app: number, plan: ServicePlan, position: number): Needed {
  const { needs, network } = plan;
  if (!needs) return {};
  const source = sourceName(position);
  const files: readonly FileGrant[] = [
    { kind: 'secret', source, target: `/run/secrets/${source}` },
    { kind: 'config', source, target: '/etc/service.conf' },
  ];
  const networks = network === 'app' ? attached(app, plan, position) : undefined;
  const onChange = needs.files === 'signal' ? { signal: 'SIGHUP' } : needs.files;
  return {
    ...(onChange ? { files, onSecretChange: onChange } : {}),
    ...(needs.memory === undefined ? {} : { resources: { limits: { memoryBytes: needs.memory * 2 ** 20 } } }),
    ...(networks ? { networks } : {}),
    ...(needs.pull ? { pullPolicy: { when: needs.pull } } : {}),
  };
}
