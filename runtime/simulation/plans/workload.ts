/** From a plan to apps: specifications whose containers carry their own script in their command. */
import type { AppSpec, RestartPolicy, ServiceSpec } from '../../../protocols/apps/model.ts';
import type { HookSettings, ProbeSettings, ProbeSpec } from '../../../protocols/apps/service-model.ts';
import type { ContainerCreate } from '../../../protocols/containers/model.ts';
import type { ContainerScript, ExecScript } from '../../drivers/container/scripted/script.ts';
import { appName, bindSource, imageName, serviceName, type Behaviour, type ServicePlan } from './plan.ts';
import { filesOf, needed, networksOf } from './needs.ts';

const policies: Readonly<Record<ServicePlan['restart'], RestartPolicy>> = {
  none: { condition: 'none' },
  'on-failure': { condition: 'on-failure' },
  'on-failure:2': { condition: 'on-failure', maxAttempts: 2 },
  always: { condition: 'always' },
};

export function specOf(app: number, services: readonly ServicePlan[]): AppSpec {
  const specs = services.map((service, position) => serviceOf(app, service, position));
  const volumes = services.flatMap((service, position) => (service.volume ? [`v${position}`] : []));
  return {
    name: appName(app),
    services: Object.fromEntries(specs.map((spec) => [spec.name, spec])),
    volumes: Object.fromEntries(volumes.map((name) => [name, { name }])),
    ...filesOf(app, services),
    ...networksOf(app, services),
  };
}

function serviceOf(app: number, plan: ServicePlan, position: number): ServiceSpec {
  const dependsOn = plan.dependsOn !== undefined && position > 0;
  // Host networks have no ports of their own to publish.
  const ports = plan.port && plan.network === 'app' && plan.needs?.networks !== 'inner';
  return {
    name: serviceName(position),
    image: imageName(plan.image),
    command: ['scripted', JSON.stringify(plan.behaviour)],
    environment: { VERSION: String(plan.version) },
    ports: ports
      ? [
          {
            hostAddress: '0.0.0.0',
            hostPort: 8_000 + app * 100 + position,
            containerPort: 80,
            protocol: 'tcp',
          },
        ]
      : [],
    mounts: [
      ...(plan.volume
        ? [{ type: 'volume' as const, volume: `v${position}`, target: '/data', readOnly: false }]
        : []),
      ...(plan.bind
        ? [
            {
              type: 'bind' as const,
              source: bindSource,
              target: '/bound',
              readOnly: true,
              createSource: false,
            },
          ]
        : []),
    ],
    dependsOn: dependsOn
      ? [{ service: serviceName(position - 1), condition: plan.dependsOn ?? 'started' }]
      : [],
    restart: restartOf(plan),
    replicas: plan.replicas,
    ...(plan.health
      ? {
          healthcheck: {
            test: ['health'],
            intervalMs: 5_000,
            timeoutMs: 2_000,
            retries: 2,
            startPeriodMs: 3_000,
          },
        }
      : {}),
    ...cared(plan),
    ...needed(app, plan, position),
    networkMode: plan.network,
    stopGraceMs: 2_000 + 1_000 * position,
  };
}

function restartOf({ restart, care }: ServicePlan): RestartPolicy {
  const { delayMs, windowMs } = care ?? {};
  return {
    ...policies[restart],
    ...(delayMs === undefined ? {} : { delayMs }),
    ...(windowMs === undefined ? {} : { windowMs }),
  };
}

export const probePorts = { startup: 81, readiness: 82, liveness: 83 } as const;

/** Where there is no network, nothing can be probed over it. */
function cared({ care, network }: ServicePlan): Pick<ServiceSpec, 'probes' | 'hooks' | 'mode' | 'job'> {
  if (!care) return {};
  const probe = (role: keyof typeof probePorts, failures: number): ProbeSpec => ({
    action: { type: 'tcp', port: probePorts[role] },
    ...{ initialDelayMs: 0, intervalMs: 2_000, timeoutMs: 1_000, successes: 1, failures },
  });
  const reachable = network !== 'none';
  const probes: ProbeSettings = {
    ...(care.startup && reachable ? { startup: probe('startup', 10) } : {}),
    ...(care.readiness && reachable ? { readiness: probe('readiness', 2) } : {}),
    ...(care.liveness && reachable ? { liveness: probe('liveness', 2) } : {}),
    ...(care.drainMs === undefined ? {} : { drainMs: care.drainMs }),
  };
  const hooks: HookSettings = {
    ...(care.postStart ? { postStart: [{ command: ['post-start'], timeoutMs: 5_000 }] } : {}),
    ...(care.preStop ? { preStop: [{ command: ['pre-stop'], timeoutMs: 5_000 }] } : {}),
  };
  const { completions, parallel } = care;
  const job = {
    ...(completions === undefined ? {} : { completions }),
    ...(parallel === undefined ? {} : { parallel }),
  };
  return { probes, hooks, ...(care.job ? { mode: 'replicated-job' as const, job } : {}) };
}

const answers = (from: number, until: number): readonly ExecScript[] => [
  { fromMs: 0, code: 0 },
  { fromMs: from, code: 1, output: 'not now' },
  ...(until === Infinity ? [] : [{ fromMs: until, code: 0 }]),
];
const always: readonly ExecScript[] = [{ fromMs: 0, code: 0 }];

const well: ContainerScript = {
  createMs: 30,
  startMs: 5,
  stop: { afterMs: 20 },
  execs: {
    health: [{ fromMs: 0, code: 0, tookMs: 20 }],
    'post-start': [{ fromMs: 0, code: 0, tookMs: 150 }],
    'pre-stop': [{ fromMs: 0, code: 0, tookMs: 150 }],
  },
  ports: { 81: always, 82: always, 83: always },
};

/** A job ends by itself, whatever else it does. */
export function scriptOf(create: ContainerCreate, healed: boolean): ContainerScript {
  const script = behaviourOf(create, healed);
  const ends = create.spec.mode === 'replicated-job' && script.exit === undefined;
  return ends ? { ...script, exit: { afterMs: 2_500, code: 0 } } : script;
}

/** `healed`: what is only a fault is gone; a stubborn process stays stubborn. */
function behaviourOf(create: ContainerCreate, healed: boolean): ContainerScript {
  const behaviour = JSON.parse(create.spec.command?.[1] ?? '{"kind":"steady"}') as Behaviour;
  if (behaviour.kind === 'stubborn') return { ...well, stop: 'ignores' };
  if (healed) return well;
  switch (behaviour.kind) {
    case 'ends': {
      const { afterMs, code, oom = false } = behaviour;
      return { ...well, exit: oom ? { afterMs, code: 137, oom } : { afterMs, code } };
    }
    case 'slow':
      return { ...well, createMs: behaviour.createMs };
    case 'sick':
      return {
        ...well,
        ports: { ...well.ports, 83: answers(behaviour.fromMs, Infinity) },
        execs: {
          ...well.execs,
          health: [
            { fromMs: 0, code: 0, tookMs: 20 },
            { fromMs: behaviour.fromMs, code: 1, output: 'sick', tookMs: 20 },
          ],
        },
      };
    case 'unready':
      return {
        ...well,
        ports: { ...well.ports, 82: answers(behaviour.fromMs, behaviour.fromMs + behaviour.forMs) },
      };
    case 'unhooked':
      return { ...well, execs: { ...well.execs, 'post-start': [{ fromMs: 0, code: 1, tookMs: 50 }] } };
    case 'broken':
      return { ...well, createFails: 'HM-CONTAINER-CREATE' };
    default:
      return well;
  }
}
