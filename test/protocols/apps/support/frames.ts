/** The smallest file in which a key of each section of the support matrix can stand. */
import type { SectionName } from '../../../../protocols/apps/compose/support/matrix.ts';

/** A file with a place for one more entry of the section. */
export const frames: Readonly<Record<SectionName, (entry: string) => string>> = {
  file: (entry) => `{ services: { a: { image: i } }, ${entry} }`,
  'x-hivemind': (entry) => `{ services: { a: { image: i } }, x-hivemind: { ${entry} } }`,
  include: (entry) => `{ services: { a: { image: i } }, include: [{ ${entry} }] }`,
  configs: (entry) => top('configs', entry),
  secrets: (entry) => top('secrets', entry),
  networks: (entry) => top('networks', entry),
  'networks.ipam': (entry) => top('networks', `ipam: { ${entry} }`),
  'networks.ipam.config': (entry) => top('networks', `ipam: { config: [{ ${entry} }] }`),
  volumes: (entry) => `{ services: { a: { image: i, volumes: ["v:/v"] } }, volumes: { v: { ${entry} } } }`,
  services: (entry) =>
    `{ services: { a: { image: i, ${entry} }, b: { image: i, volumes: ["v:/v"] } }, ` +
    'networks: { n: }, volumes: { v: }, configs: { c: { content: x } }, secrets: { c: { environment: OUTER } } }',
  'services.deploy': (entry) => inService(`deploy: { ${entry} }`),
  'services.deploy.resources': (entry) => inService(`deploy: { resources: { ${entry} } }`),
  'services.deploy.resources.limits': (entry) => inService(`deploy: { resources: { limits: { ${entry} } } }`),
  'services.deploy.resources.reservations': (entry) =>
    inService(`deploy: { resources: { reservations: { ${entry} } } }`),
  'services.deploy.resources.reservations.generic_resources': (entry) =>
    inService(`deploy: { resources: { reservations: { generic_resources: [{ ${entry} }] } } }`),
  'services.deploy.resources.reservations.generic_resources.discrete_resource_spec': (entry) =>
    inService(
      `deploy: { resources: { reservations: { generic_resources: [{ discrete_resource_spec: { ${entry} } }] } } }`,
    ),
  'services.deploy.restart_policy': (entry) => inService(`deploy: { restart_policy: { ${entry} } }`),
  'services.deploy.placement': (entry) => inService(`deploy: { placement: { ${entry} } }`),
  'services.deploy.placement.preferences': (entry) =>
    inService(`deploy: { placement: { preferences: [{ ${entry} }] } }`),
  'services.deploy.update_config': (entry) => inService(`deploy: { update_config: { ${entry} } }`),
  'services.deploy.rollback_config': (entry) => inService(`deploy: { rollback_config: { ${entry} } }`),
  'services.blkio_config': (entry) => inService(`blkio_config: { ${entry} }`),
  'services.blkio_config.device': (entry) => inService(`blkio_config: { device_read_bps: [{ ${entry} }] }`),
  'services.blkio_config.weight_device': (entry) =>
    inService(`blkio_config: { weight_device: [{ ${entry} }] }`),
  'services.depends_on': (entry) =>
    `{ services: { a: { image: i, depends_on: { b: { ${entry} } } }, b: { image: i, healthcheck: { test: x } } } }`,
  'services.devices': (entry) => inService(`devices: [{ ${entry} }]`),
  'services.env_file': (entry) => inService(`env_file: [{ ${entry} }]`),
  'services.extends': (entry) => inService(`extends: { ${entry} }`),
  'services.files': (entry) =>
    `{ services: { a: { image: i, configs: [{ ${entry} }] } }, configs: { c: { content: x }, d: { content: x } } }`,
  'services.gpus': (entry) => inService(`gpus: [{ ${entry} }]`),
  'services.healthcheck': (entry) => inService(`healthcheck: { ${entry} }`),
  'services.hooks': (entry) => inService(`post_start: [{ ${entry} }]`),
  'services.logging': (entry) => inService(`logging: { ${entry} }`),
  'services.networks': (entry) =>
    `{ services: { a: { image: i, networks: { n: { ${entry} } } } }, ` +
    'networks: { n: { ipam: { config: [{ subnet: 10.9.0.0/24 }] } } } }',
  'services.ports': (entry) => inService(`ports: [{ ${entry} }]`),
  'services.ulimits': (entry) => inService(`ulimits: { nofile: { ${entry} } }`),
  'services.volumes': (entry) =>
    `{ services: { a: { image: i, volumes: [{ ${entry} }] } }, volumes: { v: , w: } }`,
  'services.volumes.bind': (entry) =>
    inService(`volumes: [{ type: bind, source: /s, target: /t, bind: { ${entry} } }]`),
  'services.volumes.tmpfs': (entry) =>
    inService(`volumes: [{ type: tmpfs, target: /t, tmpfs: { ${entry} } }]`),
  'services.volumes.volume': (entry) =>
    `{ services: { a: { image: i, volumes: [{ type: volume, source: v, target: /t, volume: { ${entry} } }] } }, volumes: { v: } }`,
  'services.x-hivemind': (entry) => inService(`deploy: { mode: replicated-job }, x-hivemind: { ${entry} }`),
  'services.x-hivemind.job': (entry) =>
    inService(`deploy: { mode: replicated-job }, x-hivemind: { job: { ${entry} } }`),
  'services.x-hivemind.onSecretChange': (entry) => inService(`x-hivemind: { onSecretChange: { ${entry} } }`),
  'services.x-hivemind.probes': (entry) => inService(`x-hivemind: { probes: { ${entry} } }`),
  'services.x-hivemind.probes.probe': (entry) =>
    inService(`x-hivemind: { probes: { readiness: { ${entry} } } }`),
  'services.x-hivemind.probes.probe.grpc': (entry) =>
    inService(`x-hivemind: { probes: { readiness: { grpc: { ${entry} } } } }`),
  'services.x-hivemind.probes.probe.http': (entry) =>
    inService(`x-hivemind: { probes: { readiness: { http: { ${entry} } } } }`),
  'services.x-hivemind.probes.probe.tcp': (entry) =>
    inService(`x-hivemind: { probes: { readiness: { tcp: { ${entry} } } } }`),
  'services.x-hivemind.process': (entry) => inService(`x-hivemind: { process: { ${entry} } }`),
};

function top(section: string, entry: string): string {
  return `{ services: { a: { image: i } }, ${section}: { x: { ${entry} } } }`;
}

function inService(entry: string): string {
  return `{ services: { a: { image: i, ${entry} } } }`;
}
