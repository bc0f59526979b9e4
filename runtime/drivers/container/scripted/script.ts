/**
 * What a scripted container does, as plain data: so that a workload can be made by chance, shrunk, and kept in a
 * file. Times are milliseconds since the step before; a script is chosen for a container when it is created.
 */
import type { ContainerCreate } from '../../../../protocols/containers/model.ts';
import type { ErrorCode } from '../../../../protocols/errors.ts';

export interface ContainerScript {
  /** How long create and start take. */
  readonly createMs?: number;
  readonly startMs?: number;
  /** Every create is refused with this code. */
  readonly createFails?: ErrorCode;
  /** The process ends by itself. Absent: it runs until it is stopped. */
  readonly exit?: { readonly afterMs: number; readonly code: number; readonly oom?: boolean };
  /** What a stop signal does: the process ends so long after it, with this code (143 for SIGTERM), or ignores it. */
  readonly stop?: { readonly afterMs: number; readonly code?: number } | 'ignores';
  /** Answers of execs, by the first word of the command; `*` for every other. */
  readonly execs?: Readonly<Record<string, readonly ExecScript[]>>;
  /** Answers to network probes, by port: code 0 passes. A port without an entry refuses. */
  readonly ports?: Readonly<Record<string, readonly ExecScript[]>>;
}

/** The answer from `fromMs` after the container's start until the next entry's. */
export interface ExecScript {
  readonly fromMs: number;
  readonly code: number;
  readonly output?: string;
  readonly tookMs?: number;
  /** Says what it is told, until its input ends. */
  readonly echoes?: boolean;
}

/** `nth`: how many containers the slot was given before this one. */
export type ScriptOf = (create: ContainerCreate, nth: number) => ContainerScript;

/** Runs until it is stopped, which it does at once; `true` succeeds inside it, other commands are not found. */
export const idleScript: ContainerScript = {
  createMs: 20,
  startMs: 5,
  stop: { afterMs: 10 },
  execs: { true: [{ fromMs: 0, code: 0 }], false: [{ fromMs: 0, code: 1 }] },
};

/** 128 + signal, as a shell and the OCI runtimes count. */
export function signalCode(signal: string): number {
  const numbers: Readonly<Record<string, number>> = {
    SIGHUP: 1,
    SIGINT: 2,
    SIGQUIT: 3,
    SIGKILL: 9,
    SIGUSR1: 10,
    SIGUSR2: 12,
    SIGTERM: 15,
  };
  return 128 + (numbers[signal] ?? 15);
}

/** The entry that holds `upMs` after the start. */
export function execAnswer(script: ContainerScript, command: string, upMs: number): ExecScript | undefined {
  return scriptAt(script.execs?.[command] ?? script.execs?.['*'], upMs);
}

export function scriptAt(entries: readonly ExecScript[] | undefined, upMs: number): ExecScript | undefined {
  return entries?.findLast((entry) => entry.fromMs <= upMs) ?? entries?.[0];
}
