/**
 * What changes about a container while it runs, without making it another one: what it may use follows the service,
 * and whether its processes stand still is seen and told. Level-triggered: what it was last given is compared with
 * what is wanted, also after a restart of the daemon.
 */
import type { ResourceSettings } from '../../apps/service-model.ts';
import { drive, emit, type Decision } from '../../effects.ts';
import type { Reason } from '../../errors.ts';
import { limits } from '../../limits.ts';
import type { ContainerStatus } from '../model.ts';
import { ask, tell, type ContainerValue } from './value.ts';
import { resourcesMark } from '../oci/resources.ts';

type Value = ContainerValue;

const wanted = ({ assignment }: Value): string => resourcesMark(assignment.spec.resources);

/** Kept in every phase: a container that is being made is given it as soon as it runs. */
const wishResources = (value: Value, event: { resources?: ResourceSettings }): Decision<Value> => {
  const { resources: _, ...spec } = value.assignment.spec;
  const next = { ...spec, ...(event.resources ? { resources: event.resources } : {}) };
  return [{ ...value, assignment: { ...value.assignment, spec: next } }, []];
};

const update = (value: Value): Decision<Value> => {
  const resources = value.assignment.spec.resources ?? {};
  const asked = ask({ ...value, offered: wanted(value) }, 'container.updated', {
    port: 'containers',
    op: 'update',
    args: { id: value.id, resources },
  });
  return asked;
};

const noteUpdated = (value: Value): Decision<Value> => {
  const { offered, reason: _, ...rest } = value;
  const { slot } = value.key;
  return [
    { ...rest, ...(offered === undefined ? {} : { given: offered }) },
    [
      tell(value, { type: 'container.eased' }),
      emit('container.updated', slot, `${slot} has new limits and runs on`),
    ],
  ];
};

/** No mark: what is in force is not known, as part of it may have been taken, or all of it and no answer came. */
const unsure = '';

const noteUpdateRefused = (value: Value, event: { error: Reason }): Decision<Value> => {
  const { slot } = value.key;
  const known = value.reason?.code === event.error.code && value.reason.message === event.error.message;
  return [
    { ...value, given: unsure, reason: event.error },
    known
      ? []
      : [
          tell(value, { type: 'container.delayed', reason: event.error }),
          emit('container.update-failed', slot, event.error.message, event.error, 'warning'),
        ],
  ];
};

const notePause = (value: Value, event: { paused: boolean }): Decision<Value> => {
  const { paused: _, ...rest } = value;
  const { slot } = value.key;
  return [
    event.paused ? { ...rest, paused: true } : rest,
    [
      tell(value, { type: 'container.paused', paused: event.paused }),
      event.paused
        ? emit('container.paused', slot, `${slot} is paused`)
        : emit('container.unpaused', slot, `${slot} goes on`),
    ],
  ];
};

type Looked = { value: { container?: ContainerStatus } };

/** Beside whatever else is asked. While the runtime does not answer nothing is said: who wants to know asks again. */
const look = (value: Value): Decision<Value> => {
  const call = { port: 'containers', op: 'inspect', args: { id: value.id } } as const;
  const answers = { done: 'container.looked', failed: 'container.unlooked' };
  return [value, [{ do: 'cancel', token: 'look' }, drive('look', call, answers, limits.runtimeCallMs)]];
};

const noteSeenExit = (value: Value, { value: { container } }: Looked): Decision<Value> => [
  container?.exit === undefined ? value : { ...value, exit: container.exit },
  [],
];

const sayStands = (value: Value): Decision<Value> => [value, [tell(value, { type: 'container.stands' })]];

export const liveSteps = {
  ...{ wishResources, update, noteUpdated, noteUpdateRefused, notePause },
  ...{ look, noteSeenExit, sayStands },
};

export const liveGuards = {
  resourcesDiffer: (value: Value) => value.given !== undefined && value.given !== wanted(value),
  /** It is gone, or what is left of it has ended. */
  isSeenEnded: (_: Value, { value: { container } }: Looked) =>
    container === undefined || container.phase === 'stopped',
  pauseChanged: (value: Value, event: { paused: boolean }) => (value.paused ?? false) !== event.paused,
};
