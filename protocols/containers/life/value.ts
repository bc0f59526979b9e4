/** One attempt at one run of a slot: what its machine knows, and the two ways it speaks. The decisions stand in `container.ts`. */
import type { Assignment, MountSpec } from '../../apps/model.ts';
import { drive, send, type Decision, type Effect } from '../../effects.ts';
import type { Reason } from '../../errors.ts';
import { limits } from '../../limits.ts';
import type { GrantMount, RunFiles } from '../../ports.ts';
import { containerId } from '../ids.ts';
import type { ContainerExit, ResolvedMount, RunKey } from '../model.ts';

/** How a slot wants its container to end. */
export interface Ending {
  /** Its endpoint may be in use: it is withdrawn, and what is under way may finish. */
  readonly drain: boolean;
  /** World time when the end began. */
  readonly since: number;
  /** An earlier life of the daemon ran the pre-stop hooks. */
  readonly hooked: boolean;
}

export interface ContainerValue {
  readonly self: string;
  readonly node: string;
  /** Path of the slot. */
  readonly owner: string;
  readonly key: RunKey;
  readonly id: string;
  readonly assignment: Assignment;
  /** The journal says it ran: absent means lost. */
  readonly started: boolean;
  /** Numbers drives: an answer to an older question is late. */
  readonly calls: number;
  readonly stopWanted: boolean;
  readonly ending?: Ending;
  /** Hooks that have run. */
  readonly postStarted: number;
  readonly preStopped: number;
  /** The mounts of its file and of its image; absent: the image declares none. */
  readonly declared?: readonly MountSpec[];
  readonly mounts: readonly ResolvedMount[];
  readonly address?: string;
  readonly gateway?: string;
  readonly files?: RunFiles;
  readonly grants?: readonly GrantMount[];
  readonly pid?: number;
  readonly startedAt?: number;
  readonly exit?: ContainerExit;
  /** What it may use, as the runtime was told last; and what it is being told. */
  readonly given?: string;
  readonly offered?: string;
  /** Its processes stand still. */
  readonly paused?: true;
  readonly reason?: Reason;
  /** What was told last of the image's pull. */
  readonly pull?: Reason;
}

type Value = ContainerValue;

/** Ask a port: `done` or `container.refused` answers. Whatever was asked before is let go, so that no late answer meets a later phase. */
export function ask(
  value: Value,
  done: string,
  call: Parameters<typeof drive>[1],
  timeoutMs: number = limits.runtimeCallMs,
): Decision<Value> {
  const calls = value.calls + 1;
  return [
    { ...value, calls },
    [
      ...(value.calls > 0 ? [{ do: 'cancel', token: String(value.calls) } as const] : []),
      drive(String(calls), call, { done, failed: 'container.refused' }, timeoutMs),
    ],
  ];
}

export const tell = (value: Value, event: { type: string; [field: string]: unknown }): Effect =>
  send(value.owner, { ...event, key: value.key });

/** What a container's actor begins with. */
export interface ContainerInput {
  readonly self: string;
  readonly node: string;
  readonly owner: string;
  readonly key: RunKey;
  /** `stop` adopts only to stop. */
  readonly intent: 'run' | 'stop';
  readonly started: boolean;
  /** The post-start hooks have run. */
  readonly hooked: boolean;
  readonly ending?: Ending;
  readonly assignment: Assignment;
}

/** The value of a fresh actor. */
export function containerValue(input: ContainerInput): ContainerValue {
  const { intent, hooked, ...kept } = input;
  const { postStart = [], preStop = [] } = input.assignment.spec.hooks ?? {};
  return {
    ...{ ...kept, id: containerId(input.key), calls: 0, stopWanted: intent === 'stop', mounts: [] },
    postStarted: hooked ? postStart.length : 0,
    preStopped: input.ending?.hooked ? preStop.length : 0,
  };
}
