/**
 * One attempt at one run of a slot: what its machine knows, what it hears and its decisions. Its life only goes
 * forward; a retry is another attempt with another actor. The phases stand in `container.machine.ts`.
 */
import { lendingSlot, type ServiceSpec } from '../apps/model.ts';
import { send, type Decision } from '../effects.ts';
import { reason, withEvidence, type Reason } from '../errors.ts';
import { limits } from '../limits.ts';
import { hardwareOf } from '../network/hardware.ts';
import type { RunFiles, VolumeDriver } from '../ports.ts';
import { paths } from '../wire/paths.ts';
import { ask, tell, type ContainerValue } from './life/value.ts';
import { runName } from './ids.ts';
import { creation } from './making/creation.ts';
import { allMounted, mounted, mountNext, noteDeclared } from './making/mounting.ts';
import { imageWish, lookAtPull, notePull, notePulled } from './making/pulling.ts';
import { liveGuards, liveSteps } from './life/live.ts';
import type { ContainerExit, ContainerStatus } from './model.ts';
import { resourcesMark } from './oci/resources.ts';

type Value = ContainerValue;
type Failed = { readonly error: Reason };

const begin = (value: Value): Decision<Value> => [value, [tell(value, { type: 'container.began' })]];

const inspect = (value: Value): Decision<Value> =>
  ask(value, 'container.inspected', { port: 'containers', op: 'inspect', args: { id: value.id } });

const adopt = (value: Value, event: { value: { container?: ContainerStatus } }): Decision<Value> => {
  const found = event.value.container;
  if (!found) return [value, []];
  return [
    {
      ...value,
      startedAt: found.createdAt,
      given: found.resources ?? resourcesMark(undefined),
      ...(found.phase === 'paused' ? { paused: true } : {}),
      ...(found.address === undefined ? {} : { address: found.address }),
      ...(found.exit === undefined ? {} : { exit: found.exit }),
    },
    [],
  ];
};

const delayed = (value: Value, event: Failed): Decision<Value> => [
  { ...value, reason: event.error },
  [tell(value, { type: 'container.delayed', reason: event.error })],
];

const pull = (value: Value): Decision<Value> =>
  ask(
    value,
    'image.ensured',
    { port: 'images', op: 'ensure', args: imageWish(value.assignment) },
    limits.imagePullMs,
  );

const sayPull = (value: Value, event: Parameters<typeof notePull>[1]): Decision<Value> =>
  notePull(value, event, (because) => tell(value, { type: 'container.delayed', reason: because }));

const checkPorts = (value: Value): Decision<Value> => {
  const { spec } = value.assignment;
  // A process of the machine listens there itself.
  const ports = spec.networkMode === 'app' || spec.hostProcess ? spec.ports : [];
  return ask(value, 'ports.checked', { port: 'network', op: 'taken', args: { ports } });
};

type Taken = { value: { taken: readonly { hostAddress: string; hostPort: number; protocol: string }[] } };

const portTaken = (value: Value, event: Taken): Decision<Value> => {
  const first = event.value.taken[0];
  const port = `${first?.hostAddress}:${first?.hostPort}/${first?.protocol}`;
  const because = reason(
    'HM-PORT-TAKEN',
    `port ${port} of ${value.assignment.slot} is in use on ${value.node}`,
    {
      slot: value.assignment.slot,
      port,
    },
  );
  return [{ ...value, reason: because }, []];
};

const lenderOfRun = ({ key, assignment }: Value) => lendingSlot(key.slot, assignment.spec);

/** The address of a slot is the same for whoever asks: who has another one's network asks for that one's. */
const claimAddress = (value: Value): Decision<Value> => [
  value,
  [
    send(paths.network, {
      type: 'address.claim',
      slot: lenderOfRun(value) ?? value.key.slot,
      id: value.id,
      to: value.self,
    }),
  ],
];

const addressed = (value: Value, event: { address: string; gateway: string }): Decision<Value> => [
  { ...value, address: event.address, gateway: event.gateway },
  [],
];

const refuse = (value: Value, event: { reason?: Reason; error?: Reason }): Decision<Value> => {
  const because = event.reason ?? event.error ?? reason('HM-INTERNAL');
  return [{ ...value, reason: withEvidence(because, { slot: value.key.slot }) }, []];
};

export function hostname(value: Value): string {
  const own = value.assignment.spec.process?.hostname;
  if (own !== undefined) return own;
  return `${value.assignment.service}-${value.assignment.index}`.replace(/[^A-Za-z0-9-]/g, '-').slice(0, 63);
}

type FileWishes = Pick<Parameters<VolumeDriver['prepareRun']>[0], 'domainname' | 'names' | 'logging'>;

function wishesOf({ process, names, logging }: ServiceSpec): FileWishes {
  return {
    ...(logging === undefined ? {} : { logging }),
    ...(process?.domainname === undefined ? {} : { domainname: process.domainname }),
    ...(names === undefined ? {} : { names }),
  };
}

const prepareFiles = (value: Value): Decision<Value> =>
  ask(value, 'files.prepared', {
    port: 'volumes',
    op: 'prepareRun',
    args: {
      slot: value.key.slot,
      run: runName(value.key),
      hostname: hostname(value),
      ...(value.address === undefined ? {} : { address: value.address }),
      ...(value.gateway === undefined
        ? {}
        : { nameserver: value.gateway, search: `${value.assignment.app}.hive.internal` }),
      ...wishesOf(value.assignment.spec),
    },
  });

const filed = (value: Value, event: { value: RunFiles }): Decision<Value> => [
  { ...value, files: event.value },
  [],
];

const requestPermit = (value: Value): Decision<Value> => [
  value,
  [send(paths.permits, { type: 'permit.request', to: value.self })],
];
const releasePermit = (value: Value): Decision<Value> => [
  value,
  [send(paths.permits, { type: 'permit.release', to: value.self })],
];

const create = (value: Value): Decision<Value> => {
  const args = creation(value, hostname(value));
  const given = resourcesMark(value.assignment.spec.resources);
  const call = { port: 'containers', op: 'create', args } as const;
  return ask({ ...value, given }, 'container.created', call, limits.runtimeCreateMs);
};

/** From now on it is in every list, and its exit is an event: the watcher must know whom to tell. */
const created = (value: Value, event: { value: { pid: number } }): Decision<Value> => [
  { ...value, pid: event.value.pid },
  [
    send(paths.runtime, {
      type: 'container.launched',
      id: value.id,
      key: value.key,
      ...(lenderOfRun(value) === undefined ? {} : { lender: lenderOfRun(value) }),
    }),
  ],
];

const attach = (value: Value): Decision<Value> => {
  const { networks, spec } = value.assignment;
  const hardware = hardwareOf(spec.networks);
  return ask(value, 'network.attached', {
    port: 'network',
    op: 'attach',
    args: {
      id: value.id,
      pid: value.pid ?? 0,
      address: value.address ?? '',
      ...(networks === undefined ? {} : { networks }),
      ...(hardware === undefined ? {} : { hardware }),
    },
  });
};

const start = (value: Value): Decision<Value> =>
  ask(value, 'container.started', { port: 'containers', op: 'start', args: { id: value.id } });

const noteStart = (value: Value, event: { at: number }): Decision<Value> => [
  { ...value, startedAt: event.at },
  [],
];

const sayRunning = (value: Value): Decision<Value> => [
  { ...value, started: true },
  [
    tell(value, {
      type: 'container.running',
      id: value.id,
      startedAt: value.startedAt ?? 0,
      ...(value.paused ? { paused: true } : {}),
      ...(value.address === undefined ? {} : { address: value.address }),
    }),
  ],
];

const noteExit = (value: Value, event: { exit?: ContainerExit }): Decision<Value> => [
  event.exit === undefined ? value : { ...value, exit: event.exit },
  [],
];

const sayExited = (value: Value, event: { at: number }): Decision<Value> => {
  const ended = value.exit?.at ?? event.at;
  const livedMs = Math.max(0, ended - (value.startedAt ?? ended));
  return [
    value,
    [tell(value, { type: 'container.exited', livedMs, ...(value.exit ? { exit: value.exit } : {}) })],
  ];
};

const sayEnded = (value: Value): Decision<Value> => [value, [tell(value, { type: 'container.ended' })]];

const sayFailed = (value: Value): Decision<Value> => [
  value,
  [
    send(paths.runtime, { type: 'container.cleared', id: value.id }),
    tell(value, {
      type: 'container.failed',
      reason: value.reason ?? reason('HM-CONTAINER-LOST', undefined, { slot: value.key.slot }),
    }),
  ],
];

const remove = (value: Value): Decision<Value> =>
  ask(
    value,
    'container.removed',
    { port: 'containers', op: 'remove', args: { id: value.id } },
    limits.runtimeCreateMs,
  );

const detach = (value: Value): Decision<Value> =>
  ask(value, 'network.detached', { port: 'network', op: 'detach', args: { id: value.id } });

const sayGone = (value: Value): Decision<Value> => [
  value,
  [send(paths.runtime, { type: 'container.cleared', id: value.id }), tell(value, { type: 'container.gone' })],
];

export const containerSteps = {
  ...liveSteps,
  begin,
  inspect,
  adopt,
  delayed,
  pull,
  lookAtPull: (value: Value) => lookAtPull(value),
  sayPull,
  notePulled: (value: Value, event: Parameters<typeof notePulled>[1]) =>
    notePulled(noteDeclared(value, event.value), event),
  checkPorts,
  portTaken,
  mountNext,
  mounted,
  claimAddress,
  addressed,
  refuse,
  prepareFiles,
  filed,
  requestPermit,
  releasePermit,
  create,
  created,
  attach,
  start,
  noteStart,
  sayRunning,
  noteExit,
  sayExited,
  sayEnded,
  sayFailed,
  remove,
  detach,
  sayGone,
};

const found = (event: { value: { container?: ContainerStatus } }) => event.value.container?.phase;

export const containerGuards = {
  ...liveGuards,
  isRunning: (_: Value, event: { value: { container?: ContainerStatus } }) =>
    found(event) === 'running' || found(event) === 'paused',
  hasStopped: (_: Value, event: { value: { container?: ContainerStatus } }) => found(event) === 'stopped',
  isLeftover: (_: Value, event: { value: { container?: ContainerStatus } }) =>
    found(event) === 'created' || found(event) === 'unknown',
  isUnknown: (_: Value, event: Failed) => event.error.code === 'HM-CONTAINER-UNKNOWN',
  wasStarted: (value: Value) => value.started,
  /** Its exit is known already: a fast process ends before its start is answered. */
  hasExited: (value: Value) => value.exit !== undefined,
  hasVanished: (_: Value, event: { exit?: ContainerExit }) => event.exit === undefined,
  /** It ended by itself: a slot that began anew has not heard of it. */
  endedByItself: (value: Value) => !value.stopWanted && value.exit !== undefined,
  stopsWanted: (value: Value) => value.stopWanted,
  someTaken: (_: Value, event: Taken) => event.value.taken.length > 0,
  allMounted,
  mountedWithoutAddress: (value: Value) =>
    ['host', 'none'].includes(value.assignment.spec.networkMode) && allMounted(value),
  hasOwnAddress: (value: Value) => value.assignment.spec.networkMode === 'app',
};
