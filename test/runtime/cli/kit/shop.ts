/** An app as a node reports it: `shop` with two webs (one unhealthy), a store, and a slot nobody has answered for. */
import type { AppSpec } from '../../../../protocols/apps/model.ts';
import type { AppView, SlotStatus, SlotView } from '../../../../protocols/apps/status.ts';
import { reason } from '../../../../protocols/errors.ts';
import { Lines, NodeDouble } from './node-double.ts';
import { startMs } from './run.ts';

export function slot(service: string, index: number, more: Partial<SlotStatus> = {}): SlotStatus {
  const settled = (more.phase ?? 'running') === 'running' && (more.readiness ?? 'ready') === 'ready';
  return {
    slot: `shop/${service}.${index}`,
    app: 'shop',
    service,
    index,
    node: 'n1',
    placement: 1,
    run: 1,
    revision: 3,
    specHash: 'h',
    phase: 'running',
    readiness: 'ready',
    ...(settled ? { settled } : {}),
    image: `${service}:latest`,
    ports: [],
    containerId: `${service}${index}c0ffee`,
    restarts: 0,
    startedAt: startMs - 240_000,
    since: startMs - 240_000,
    ...more,
  };
}

export const unhealthy = reason('HM-HEALTH-FAILED', 'GET /health → 503', {
  slot: 'shop/web.2',
  exitCode: 22,
});
const published = { hostAddress: '0.0.0.0', hostPort: 8080, containerPort: 80, protocol: 'tcp' } as const;

export const slots: readonly SlotStatus[] = [
  slot('db', 1, { address: '10.42.0.2' }),
  slot('web', 1, { address: '10.42.0.3', ports: [published] }),
  slot('web', 2, {
    address: '10.42.0.4',
    ports: [published],
    readiness: 'unhealthy',
    restarts: 3,
    run: 4,
    reason: unhealthy,
  }),
];

export const waiting: SlotView = {
  slot: 'shop/web.3',
  reason: reason('HM-DEPENDENCY-WAIT', 'waits for shop/cache to be healthy', { service: 'cache' }),
};

export function view(list: readonly SlotView[], more: Partial<AppView> = {}): AppView {
  const ready = (service: string): number =>
    list.filter(
      ({ slot: name, status }) => name.startsWith(`shop/${service}.`) && status?.readiness === 'ready',
    ).length;
  const of = (service: string): number =>
    list.filter(({ slot: name }) => name.startsWith(`shop/${service}.`)).length;
  return {
    name: 'shop',
    revision: 3,
    removing: false,
    services: ['web', 'db']
      .filter((name) => of(name) > 0)
      .map((name) => ({
        name,
        image: `${name}:latest`,
        replicas: of(name),
        ready: ready(name),
        ports: name === 'web' ? [published] : [],
      })),
    slots: list,
    converged: list.every(({ status }) => status?.readiness === 'ready'),
    ...more,
  };
}

export const asViews = (list: readonly SlotStatus[]): SlotView[] =>
  list.map((status) => ({ slot: status.slot, status }));

export const shop = view([...asViews(slots), waiting]);

const spec = { name: 'shop', services: {}, volumes: { data: { name: 'data' } } } as AppSpec;

/** A node on which `shop` runs like that. */
export function shopNode(): NodeDouble {
  const node = new NodeDouble();
  node
    .on('GET /v1/apps', () => ({ apps: [shop] }))
    .on('GET /v1/apps/shop', () => ({ view: shop, spec, record: {} }))
    .on('GET /v1/containers', () => ({ slots }))
    .on('GET /v1/version', () => ({
      version: '0.1.0',
      node: 'n1',
      boot: 4,
      startedAt: startMs - 90_000,
      api: 'v1',
    }))
    .on('GET /v1/containers/shop/web.2/why', () => ({
      slot: 'shop/web.2',
      status: slots[2],
      reasons: [unhealthy],
    }))
    .on('GET /v1/containers/shop/web.3/why', () => ({ slot: 'shop/web.3', reasons: [waiting.reason] }))
    .on('GET /v1/containers/shop/web.1/why', () => ({ slot: 'shop/web.1', status: slots[1], reasons: [] }))
    .refuse('GET /v1/apps/nope', reason('HM-APP-UNKNOWN', 'No app nope is deployed'))
    .refuse('GET /v1/apps/shopp', reason('HM-APP-UNKNOWN', 'No app shopp is deployed'));
  for (const { slot: name } of slots) {
    node.on(`GET /v1/containers/${name}/logs`, () => new Lines([]));
  }
  return node;
}
