/** Which networks services stand on, and which wishes are refused. */
import { describe, expect, it } from 'vitest';
import type { AppSpec, PortSpec } from '../../../protocols/apps/model.ts';
import type { SlotStatus } from '../../../protocols/apps/status.ts';
import type { NetworkAttachment, NetworkSpec } from '../../../protocols/apps/service-model.ts';
import { joinedNetworks, networkProblem } from '../../../protocols/network/networks.ts';
import { networksOf } from '../../../protocols/network/view.ts';

type Networks = Readonly<Record<string, NetworkAttachment>>;
const port: PortSpec = { hostAddress: '0.0.0.0', hostPort: 80, containerPort: 80, protocol: 'tcp' };

function app(
  name: string,
  declared: Readonly<Record<string, Omit<NetworkSpec, 'name'>>>,
  services: Readonly<Record<string, Networks | undefined>>,
  more: { replicas?: number; ports?: readonly PortSpec[] } = {},
): AppSpec {
  return {
    name,
    services: Object.fromEntries(
      Object.entries(services).map(([service, networks]) => [
        service,
        {
          name: service,
          image: 'i',
          environment: {},
          ports: more.ports ?? [],
          mounts: [],
          dependsOn: [],
          restart: { condition: 'always' as const },
          replicas: more.replicas ?? 1,
          networkMode: 'app' as const,
          stopGraceMs: 1,
          ...(networks ? { networks } : {}),
        },
      ]),
    ),
    volumes: {},
    networks: Object.fromEntries(
      Object.entries(declared).map(([key, spec]) => [key, { name: key, ...spec }]),
    ),
  };
}

const lan = { subnets: ['172.28.0.0/24'] };
const mac = { default: { macAddress: '02:00:00:00:00:01' } };
const at = (ipv4Address: string): Networks => ({ lan: { ipv4Address } });

describe('the networks of a service', () => {
  it.each<[string, AppSpec, unknown]>([
    ['nothing said', app('shop', {}, { web: undefined }), undefined],
    ['the default one', app('shop', { default: {} }, { web: { default: {} } }), undefined],
    [
      'a default one that is internal',
      app('shop', { default: { internal: true } }, { web: undefined }),
      [{ id: 'shop_default', internal: true }],
    ],
    [
      'aliases on the default one',
      app('shop', {}, { web: { default: { aliases: ['www'] } } }),
      [{ id: '*', aliases: ['www'] }],
    ],
    [
      'several, by id',
      app('shop', { front: {}, back: { internal: true } }, { web: { front: {}, back: {} } }),
      [{ id: 'shop_back', internal: true }, { id: 'shop_front' }],
    ],
    [
      'names outside the app',
      app(
        'shop',
        { own: { externalName: 'mesh' }, theirs: { external: true } },
        { web: { own: {}, theirs: {} } },
      ),
      [{ id: 'mesh' }, { id: 'theirs' }],
    ],
    [
      'a static address',
      app('shop', { lan }, { web: at('172.28.0.9') }),
      [{ id: 'shop_lan', address: '172.28.0.9', subnet: '172.28.0.0/24' }],
    ],
  ])('%s', (_, spec, joined) => {
    expect(joinedNetworks(spec, spec.services['web']!)).toEqual(joined);
    expect(networkProblem(spec, [app('other', { theirs: { externalName: 'theirs' } }, {})])).toBeUndefined();
  });

  it('of a service that is to have those of another one need that one', () => {
    const spec = app('shop', {}, { vpn: undefined, web: undefined });
    const problem = (networkMode: `service:${string}`, vpn: Partial<AppSpec['services'][string]> = {}) => {
      const services = {
        vpn: { ...spec.services['vpn']!, ...vpn },
        web: { ...spec.services['web']!, networkMode, replicas: 2 },
      };
      return networkProblem({ ...spec, services }, [])?.code;
    };
    expect(problem('service:vpn', { replicas: 2 })).toBeUndefined();
    expect(problem('service:vpn')).toBe('HM-CONTAINER-PEER');
    expect(problem('service:vpn', { replicas: 2, networkMode: 'host' })).toBe('HM-CONTAINER-PEER');
    expect(problem('service:web')).toBe('HM-CONTAINER-PEER');
    expect(problem('service:toString')).toBe('HM-CONTAINER-PEER');
  });

  it('are those of the service whose network it has, without its aliases', () => {
    const spec = app(
      'shop',
      { lan },
      { vpn: { lan: { ipv4Address: '172.28.0.9', aliases: ['gate'] } }, web: undefined },
    );
    const web = { ...spec.services['web']!, networkMode: 'service:vpn' as const };
    const shared = { ...spec, services: { ...spec.services, web } };
    expect(joinedNetworks(shared, web)).toEqual([
      { id: 'shop_lan', address: '172.28.0.9', subnet: '172.28.0.0/24' },
    ]);
    expect(networkProblem(shared, [])).toBeUndefined();
    expect(joinedNetworks(app('shop', {}, { vpn: undefined }), web)).toBeUndefined();
  });

  it.each<[string, string, AppSpec, AppSpec[]]>([
    ['a network nobody declares', 'HM-NETWORK-UNKNOWN', app('shop', {}, { web: { back: {} } }), []],
    ['an external one of no app', 'HM-NETWORK-UNKNOWN', app('shop', { x: { external: true } }, {}), []],
    ['a subnet that is none', 'HM-NETWORK-SUBNET', app('shop', { x: { subnets: ['10.0.0.0/40'] } }, {}), []],
    ['IPv6', 'HM-NETWORK-SUBNET', app('shop', { x: { subnets: ['fd00::/64'] } }, {}), []],
    ['subnets that overlap', 'HM-NETWORK-SUBNET', app('shop', { lan, x: lan }, {}), []],
    ["another app's subnet", 'HM-NETWORK-SUBNET', app('shop', { lan }, {}), [app('other', { lan }, {})]],
    ['an address outside', 'HM-NETWORK-SUBNET', app('shop', { lan }, { web: at('172.28.1.9') }), []],
    ['the gateway', 'HM-NETWORK-SUBNET', app('shop', { lan }, { web: at('172.28.0.1') }), []],
    ['no subnet', 'HM-NETWORK-SUBNET', app('shop', { lan: {} }, { web: at('172.28.0.9') }), []],
    ['no address', 'HM-NETWORK-SUBNET', app('shop', { lan }, { web: at('accept') }), []],
    [
      'one address twice',
      'HM-NETWORK-TAKEN',
      app('shop', { lan }, { a: at('172.28.0.9'), b: at('172.28.0.9') }),
      [],
    ],
    [
      'one MAC address twice',
      'HM-NETWORK-TAKEN',
      app('shop', {}, { a: mac }),
      [app('other', { x: {} }, { b: { x: mac.default } })],
    ],
    [
      'a MAC address for several replicas',
      'HM-NETWORK-TAKEN',
      app('shop', {}, { a: mac }, { replicas: 2 }),
      [],
    ],
    [
      'an address for several replicas',
      'HM-NETWORK-TAKEN',
      app('shop', { lan }, { web: at('172.28.0.9') }, { replicas: 2 }),
      [],
    ],
    [
      'ports of an internal service',
      'HM-NETWORK-INTERNAL',
      app('shop', { back: { internal: true } }, { db: { back: {} } }, { ports: [port] }),
      [],
    ],
  ])('refuses %s', (_, code, spec, others) => {
    expect(networkProblem(spec, others)?.code).toBe(code);
  });
});

describe('the networks of a node', () => {
  it('are those that apps declare and slots stand on', () => {
    const status = (slot: string, address: string, networks?: SlotStatus['networks']) =>
      ({ slot, address, ...(networks ? { networks } : {}) }) as SlotStatus;
    const spec = app('shop', { lan, back: { internal: true }, mesh: { external: true } }, {});
    const seen = networksOf(
      [spec],
      [
        status('shop/web.1', '10.42.0.2'),
        status('shop/db.1', '10.42.0.3', [
          { id: 'shop_lan', address: '172.28.0.9', subnet: '172.28.0.0/24' },
        ]),
        status('gone/x.1', '10.42.0.4', [{ id: 'gone_net' }]),
      ],
    );
    expect(seen).toEqual([
      { id: '*', internal: false, subnets: [], members: [{ slot: 'shop/web.1', address: '10.42.0.2' }] },
      { id: 'gone_net', internal: false, subnets: [], members: [{ slot: 'gone/x.1', address: '10.42.0.4' }] },
      { id: 'shop_back', app: 'shop', internal: true, subnets: [], members: [] },
      {
        id: 'shop_lan',
        app: 'shop',
        internal: false,
        subnets: lan.subnets,
        members: [{ slot: 'shop/db.1', address: '172.28.0.9' }],
      },
    ]);
  });
});
