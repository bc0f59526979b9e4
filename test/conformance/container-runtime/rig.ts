/** What the container runtime's conformance tests share: the arm they are given, an ear on its events, and short words. */
import { expect } from 'vitest';
import type {
  ContainerCreate,
  ContainerExit,
  ContainerStatus,
  RuntimeEvent,
  RuntimePhase,
} from '../../../protocols/containers/model.ts';
import { CodedError, type ErrorCode } from '../../../protocols/errors.ts';
import type { Call, ContainerRuntime, Stop } from '../../../protocols/ports.ts';
import { until } from '../../kit/until.ts';

/** `runs`: until told to stop, and ends on its stop signal. `unrunnable`: its command does not exist. */
export type Behaviour =
  | { readonly of: 'runs' }
  | { readonly of: 'exits'; readonly code: number }
  | { readonly of: 'ignores-stop' }
  | { readonly of: 'unrunnable' }
  | { readonly of: 'missing-image' }
  /** Its image is for another platform. */
  | { readonly of: 'foreign-image' };

/** `prints`: `hello` and a line end, code 0. `copies`: its input to its output. `floods`: 1 MiB of output. */
export type ExecBehaviour = 'prints' | 'fails-with-3' | 'missing' | 'hangs' | 'floods' | 'copies';

export interface ContainerRuntimeArm {
  readonly runtime: ContainerRuntime;
  /** A create that was never given before; ids differ. */
  container(behaviour: Behaviour): Promise<ContainerCreate>;
  command(behaviour: ExecBehaviour): readonly string[];
  /** A new runtime over the same containers, as after a restart of the daemon. */
  reopen(): Promise<ContainerRuntime>;
  /** Makes a container of the next create run out of memory once it is started. Absent where that cannot be done. */
  readonly outOfMemory?: () => Promise<{
    readonly create: ContainerCreate;
  }>;
  /** Names of cases that do not apply, each with its reason: they are skipped with it. */
  readonly exempt?: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

export interface Given {
  readonly arm: ContainerRuntimeArm;
  readonly runtime: ContainerRuntime;
  readonly watch: Watch;
}

export interface Watch {
  readonly events: readonly RuntimeEvent[];
  readonly stop: Stop;
  /** The exit of a container, as its event told it. */
  exitOf(id: string): Promise<ContainerExit>;
}

export function watchEvents(runtime: ContainerRuntime): Watch {
  const events: RuntimeEvent[] = [];
  const stop = runtime.events((event) => events.push(event));
  return {
    events,
    stop,
    exitOf: async (id) => {
      const found = await until(`the exit of ${id}`, () =>
        events.find((event) => event.type === 'exited' && event.id === id),
      );
      return (found as Extract<RuntimeEvent, { type: 'exited' }>).exit;
    },
  };
}

let calls = 0;
export function call(signal: AbortSignal = new AbortController().signal): Call {
  return { key: `conformance-${++calls}`, signal };
}

export async function started({ arm, runtime }: Given, behaviour: Behaviour): Promise<ContainerCreate> {
  const create = await arm.container(behaviour);
  await runtime.create(create, call());
  await runtime.start({ id: create.id }, call());
  return create;
}

export async function statusOf(runtime: ContainerRuntime, id: string): Promise<ContainerStatus | undefined> {
  return (await runtime.inspect({ id }, call())).container;
}

/** The event may come before the runtime's own view of the task changes. */
export async function inPhase(
  runtime: ContainerRuntime,
  id: string,
  phase: RuntimePhase,
): Promise<ContainerStatus> {
  return until(`${id} is ${phase}`, async () => {
    const status = await statusOf(runtime, id);
    return status?.phase === phase ? status : undefined;
  });
}

export async function refusal(asked: Promise<unknown>): Promise<ErrorCode> {
  const error = await asked.then(
    (answer) => new Error(`was not refused: ${JSON.stringify(answer)}`),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof CodedError)) throw error;
  expect(error.reason.hint).not.toBe('');
  return error.reason.code;
}
