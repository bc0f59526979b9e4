/**
 * A kernel in virtual time with everything it tells: frames, events, transcript. Ports are given by the test, op by
 * op; one that is not given throws when it is called.
 */
import type { AnyStateMachine } from 'xstate';
import type { NodeEvent } from '../../protocols/effects.ts';
import type { Frame, FrameType } from '../../protocols/inspection.ts';
import type { Call, Ports } from '../../protocols/ports.ts';
import type { ChildSpec } from '../../protocols/supervision/child-spec.ts';
import type { ActorPath } from '../../protocols/wire/address.ts';
import { createKernel, type Kernel } from '../../runtime/kernel/kernel.ts';
import type { RemoteOptions } from '../../runtime/kernel/remote/remote.ts';
import { transcriptLine } from '../../runtime/kernel/transcript.ts';
import { HeapClock } from '../../runtime/world/heap-clock.ts';
import { seededRandom } from '../../runtime/world/seeded-random.ts';
import { supervisorMachine } from '../../supervisors/supervisor.machine.ts';

type Op = (args: never, call: Call) => unknown;
export type PortOps = Readonly<Record<string, Readonly<Record<string, Op>>>>;

export interface Rig {
  readonly kernel: Kernel;
  readonly clock: HeapClock;
  readonly frames: Frame[];
  readonly events: NodeEvent[];
  framesOf<Type extends FrameType>(type: Type): Extract<Frame, { type: Type }>[];
  /** `path#incarnation` of all living actors, parents first. */
  living(): string[];
  transcript(): string;
}

export interface RigOptions {
  readonly machines?: Readonly<Record<string, AnyStateMachine>>;
  readonly ports?: PortOps;
  readonly seed?: number;
  readonly boot?: number;
  readonly clock?: HeapClock;
  readonly node?: string;
  readonly remote?: RemoteOptions;
}

export function rig(root: ChildSpec, options: RigOptions = {}): Rig {
  const clock = options.clock ?? new HeapClock();
  const frames: Frame[] = [];
  const events: NodeEvent[] = [];
  const kernel = createKernel({
    node: options.node ?? 'n1',
    ...(options.remote === undefined ? {} : { remote: options.remote }),
    boot: options.boot ?? 1,
    clock,
    random: seededRandom(options.seed ?? 1),
    ports: (options.ports ?? {}) as unknown as Ports,
    machines: { supervisor: supervisorMachine, ...options.machines },
    emit: (event) => events.push(event),
    onFrame: (frame) => frames.push(frame),
  });
  kernel.start(root);
  return {
    kernel,
    clock,
    frames,
    events,
    framesOf: (type) => frames.filter((frame) => frame.type === type) as never,
    living: () => kernel.directory.tree().map(({ path, address }) => `${path}#${address.split('.').at(-1)}`),
    transcript: () => frames.map(transcriptLine).join('\n'),
  };
}

/** Turns come late, so that several timers fire before anybody has one: what a busy event loop does. */
export class SluggishClock extends HeapClock {
  override defer(run: () => void): void {
    this.setTimer(5, run);
  }
}

/** The incarnation that lives at a path, 0 when none does. */
export function incarnation({ kernel }: Rig, path: ActorPath): number {
  const address = kernel.directory.show(path)?.address;
  return address === undefined ? 0 : Number(address.split('.').at(-1));
}
