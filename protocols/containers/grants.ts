/** Configs and secrets of a container: placed before it is created, renewed while it runs where its service wants that. */
import type { Assignment } from '../apps/model.ts';
import { drive, emit, schedule, type Decision } from '../effects.ts';
import type { Reason } from '../errors.ts';
import { limits } from '../limits.ts';
import type { GrantMount, GrantRequest } from '../ports.ts';
import { ask, type ContainerValue } from './life/value.ts';

type Value = ContainerValue;

/** Unless a grant says otherwise a file belongs to the user of the container, where that is a number. */
function requestOf({ id, assignment }: Value): GrantRequest {
  const [, uid = '0', gid = '0'] =
    /^(\d{1,10})(?::(\d{1,10}))?$/.exec(assignment.spec.process?.user ?? '') ?? [];
  return { id, files: assignment.spec.files ?? [], owner: { uid: Number(uid), gid: Number(gid) } };
}

const placeGrants = (value: Value): Decision<Value> =>
  ask(value, 'grants.placed', { port: 'grants', op: 'place', args: requestOf(value) });

const granted = (value: Value, event: { value: { mounts: readonly GrantMount[] } }): Decision<Value> => [
  { ...value, grants: event.value.mounts },
  [],
];

/** The same container under news of its assignment. */
const reassign = (value: Value, event: { assignment: Assignment }): Decision<Value> => [
  { ...value, assignment: event.assignment },
  [],
];

const answers = { done: 'grants.renewed', failed: 'grants.unrenewed' };

/**
 * Level-triggered: whoever adopts a container does not know which contents it has; renewing what is new does nothing.
 * Beside whatever else is asked for a running container.
 */
const renewGrants = (value: Value): Decision<Value> => {
  if (typeof value.assignment.spec.onSecretChange !== 'object' || !hasGrants(value)) return [value, []];
  const call = { port: 'grants', op: 'renew', args: requestOf(value) } as const;
  return [value, [drive('grants', call, answers, limits.runtimeCallMs)]];
};

const signalChange = (value: Value): Decision<Value> => {
  const { onSecretChange } = value.assignment.spec;
  if (typeof onSecretChange !== 'object') return [value, []];
  const { signal } = onSecretChange;
  const call = { port: 'containers', op: 'signal', args: { id: value.id, signal } } as const;
  const text = `${value.key.slot} has new contents of its files and gets ${signal}`;
  return [
    value,
    [
      drive('grants', call, { ...answers, done: 'grants.signalled' }, limits.runtimeCallMs),
      emit('secret.renewed', value.key.slot, text),
    ],
  ];
};

const renewSoon = (value: Value, event: { error: Reason }): Decision<Value> => [
  value,
  [
    emit('secret.unrenewed', value.key.slot, event.error.message, event.error),
    schedule('renew', limits.reconcileMs, { type: 'renew.due' }, 0.2),
  ],
];

const hasGrants = (value: Value): boolean => (value.assignment.spec.files ?? []).length > 0;

export const grantSteps = { placeGrants, granted, reassign, renewGrants, signalChange, renewSoon };

export const grantGuards = {
  hasGrants,
  changedFiles: (_: Value, event: { value: { changed: boolean } }) => event.value.changed,
};
