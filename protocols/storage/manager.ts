/**
 * Volumes of this node that are to go: nothing is deleted that was not asked for. A record with `removing` says
 * so; the folder goes first, then the record, so a crash in between repeats a removal and never forgets one.
 */
import type { SlotStatus } from '../apps/status.ts';
import { drive, emit, send, type Decision } from '../effects.ts';
import type { Reason } from '../errors.ts';
import { limits } from '../limits.ts';
import { keys } from '../state/keys.ts';
import { advance, emptyMirror, mirrorOf, modRevisionOf, under, type Mirror } from '../state/mirror.ts';
import type { KeyValue, Position, StoreEvent } from '../state/model.ts';
import { paths } from '../wire/paths.ts';
import { everyAnonymous } from './anonymous.ts';

/** In the store under `keys.volume(app, volume)`. */
export interface VolumeRecord {
  readonly app: string;
  /** `everyAnonymous`: all that have no record of their own. */
  readonly volume: string;
  readonly node: string;
  readonly removing: boolean;
}

export interface StorageValue {
  readonly node: string;
  readonly mirror: Mirror;
  readonly calls: number;
  /** The record that is being removed. */
  readonly current?: VolumeRecord;
  readonly inUse: Readonly<Record<string, SlotStatus>>;
}

type Value = StorageValue;

/** The next volume of this node to remove, once no slot of its app is left here. */
export function nextRemoval(value: Value): VolumeRecord | undefined {
  return under<VolumeRecord>(value.mirror, keys.volumes)
    .map((row) => row.value)
    .find(
      (row) =>
        row.removing &&
        row.node === value.node &&
        !Object.values(value.inUse).some((slot) => slot.app === row.app),
    );
}

const askTrust = (value: Value): Decision<Value> => [
  value,
  [
    send(paths.guard, { type: 'guard.report', to: paths.volumes }),
    send(paths.manager, { type: 'observed.repeat', to: paths.volumes }),
  ],
];

const list = (value: Value): Decision<Value> => {
  const calls = value.calls + 1;
  const call = { port: 'store', op: 'list', args: { prefix: keys.volumes } } as const;
  return [
    { ...value, calls },
    [
      drive(
        `list:${calls}`,
        call,
        { done: 'volumes.listed', failed: 'volumes.unlisted' },
        limits.runtimeCallMs,
      ),
    ],
  ];
};

const listed = (
  value: Value,
  event: { value: { kvs: readonly KeyValue[]; position: Position } },
): Decision<Value> => {
  const { position } = event.value;
  return [
    { ...value, mirror: mirrorOf(event.value.kvs, position) },
    [{ do: 'watch', id: 'volumes', source: { of: 'store', prefix: keys.volumes, after: position } }],
  ];
};

const changed = (
  value: Value,
  event: { events: readonly StoreEvent[]; position: Position },
): Decision<Value> => [{ ...value, mirror: advance(value.mirror, event.events, event.position) }, []];

const noteSlots = (
  value: Value,
  event: { slots: readonly SlotStatus[]; gone: readonly string[]; whole?: boolean },
): Decision<Value> => {
  const inUse: Record<string, SlotStatus> = event.whole ? {} : { ...value.inUse };
  for (const slot of event.slots) inUse[slot.slot] = slot;
  for (const slot of event.gone) delete inUse[slot];
  return [{ ...value, inUse }, []];
};

const removeFolder = (value: Value): Decision<Value> => {
  const current = nextRemoval(value);
  if (!current) return [value, []];
  const calls = value.calls + 1;
  const call = { port: 'volumes', op: 'remove', args: { app: current.app, volume: current.volume } } as const;
  return [
    { ...value, calls, current },
    [
      drive(
        `remove:${calls}`,
        call,
        { done: 'volume.removed', failed: 'volume.unremoved' },
        limits.imageImportMs,
      ),
    ],
  ];
};

const removeRecord = (value: Value, event: { value: { removed: readonly string[] } }): Decision<Value> => {
  const { current } = value;
  if (!current) return [value, []];
  const calls = value.calls + 1;
  const key = keys.volume(current.app, current.volume);
  return [
    { ...value, calls },
    [
      {
        do: 'write',
        id: `forget:${calls}`,
        txn: {
          compare: [{ key, field: 'modRevision', equals: modRevisionOf(value.mirror, key) }],
          then: [{ op: 'delete', key }],
        },
        done: 'volume.forgotten',
        failed: 'volume.unremoved',
      },
      ...(current.volume === everyAnonymous ? event.value.removed : [current.volume]).map((volume) =>
        emit('volume.removed', `${current.app}/${volume}`, `volume ${volume} of ${current.app} is removed`),
      ),
    ],
  ];
};

const noteTrouble = (value: Value, event: { error: Reason }): Decision<Value> => [
  value,
  [
    emit(
      'volume.failed',
      value.current ? `${value.current.app}/${value.current.volume}` : value.node,
      event.error.message,
      event.error,
    ),
  ],
];

export const storageSteps = {
  askTrust,
  list,
  listed,
  changed,
  noteSlots,
  removeFolder,
  removeRecord,
  noteTrouble,
};
export const storageGuards = { hasRemoval: (value: Value) => nextRemoval(value) !== undefined };
export const freshStorage = (node: string): StorageValue => ({
  node,
  mirror: emptyMirror,
  calls: 0,
  inUse: {},
});
