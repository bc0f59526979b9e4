/**
 * What can be seen of the actor system from outside: frames as they happen, views on demand. The kernel makes
 * both; transcripts, `hivemind actor …`, logs, the simulation's checkers and its trace hash read nothing else.
 */
import type { Effect } from './effects.ts';
import type { ExitReason } from './supervision/child-spec.ts';
import type { ActorPath } from './wire/address.ts';

interface FrameBase {
  /** World time, ms since 1970. */
  readonly at: number;
  readonly node: string;
  readonly boot: number;
  /** Counts frames of this boot from 1 without gaps. */
  readonly seq: number;
  readonly path: ActorPath;
  readonly incarnation: number;
}

/** Leave the kernel through one hook, in order. Phases are dotted text: `running.healthy`. */
export type Frame = FrameBase &
  (
    | {
        readonly type: 'actor.started';
        readonly machine: string;
        readonly phase: string;
        readonly effects: readonly Effect[];
      }
    | {
        readonly type: 'actor.transitioned';
        readonly fromPhase: string;
        readonly toPhase: string;
        /** Type of the message that caused it; `after.<ms>` for a chart's own time-out. */
        readonly cause: string;
        readonly sender?: string;
        /** False when the chart had no transition for it. */
        readonly handled: boolean;
        readonly effects: readonly Effect[];
      }
    | {
        readonly type: 'actor.crashed';
        readonly error: { readonly name: string; readonly message: string; readonly stack?: string };
        readonly cause: string;
        readonly phaseBefore: string;
      }
    | {
        readonly type: 'supervisor.decided';
        readonly child: string;
        readonly decision: 'restart' | 'stop' | 'escalate' | 'forget';
        readonly delayMs: number;
        readonly restarts: number;
      }
    | { readonly type: 'actor.stopped'; readonly exit: ExitReason }
    | {
        readonly type: 'message.dead';
        readonly to: string;
        readonly message: string;
        /** Who sent it, where that is known: an actor here or at another node. */
        readonly sender?: string;
        /**
         * `unreachable`: its node is not there, or the connection was lost before it said what became of the message: it
         * may have arrived.
         */
        readonly why: 'no-actor' | 'old-incarnation' | 'overflow' | 'late' | 'refused' | 'unreachable';
      }
    | { readonly type: 'frames.gap'; readonly dropped: number }
  );

export type FrameType = Frame['type'];

/** One actor now. */
export interface ActorView {
  readonly path: ActorPath;
  readonly address: string;
  readonly machine: string;
  readonly phase: string;
  readonly tags: readonly string[];
  readonly mailbox: number;
  readonly processed: number;
  /** Incarnations before this one in this boot. */
  readonly restarts: number;
  readonly startedAt: number;
  readonly parent?: ActorPath;
  readonly children: readonly ActorPath[];
  readonly lastCrash?: {
    readonly at: number;
    readonly message: string;
    readonly cause: string;
    readonly phaseBefore: string;
  };
}

/** A transition as one aligned line of text, and what filters need. */
export interface TranscriptLine {
  readonly seq: number;
  readonly at: number;
  readonly path: ActorPath;
  readonly text: string;
}

export interface KernelCounters {
  readonly actors: number;
  readonly delivered: number;
  /** Times an actor became another than it was. What actors answer to questions is the same while this is. */
  readonly changed: number;
  readonly deadLetters: number;
  readonly overflowed: number;
  /** Most messages that ever waited in one lane of a mailbox. */
  readonly fullest: number;
  readonly crashes: number;
  readonly restarts: number;
}

/** The door through which API and inspector look at actors. */
export interface ActorDirectory {
  /** Parents before children. */
  tree(): readonly ActorView[];
  /** With the machine's context, secrets and environment values masked. */
  show(path: ActorPath): (ActorView & { readonly context: unknown }) | undefined;
  /** The newest `limit` lines at or below a path, oldest first. */
  transcript(options: { readonly under?: ActorPath; readonly limit: number }): readonly TranscriptLine[];
  /** Frames from now on; costs nothing while nobody watches. */
  watch(listener: (frame: Frame) => void): () => void;
  counters(): KernelCounters;
}

/** Actors of another thread: the same views, a little later. */
export interface RemoteDirectory {
  /** Parents before children; below the root of their kernel, which is not among them. */
  tree(): Promise<readonly ActorView[]>;
  show(path: ActorPath): Promise<(ActorView & { readonly context: unknown }) | undefined>;
  transcript(options: {
    readonly under?: ActorPath;
    readonly limit: number;
  }): Promise<readonly TranscriptLine[]>;
  /** Lines from now on; costs nothing while nobody follows. */
  follow(listener: (line: TranscriptLine) => void): () => void;
}
