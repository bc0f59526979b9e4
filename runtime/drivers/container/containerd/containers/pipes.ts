/**
 * Named pipes between an exec's shim and this process. Each output pipe is opened twice: a keeper for both
 * directions, so that the shim's open never waits and no early end is seen, and a reader. When the keeper closes
 * after the process, the reader drains what is left and ends: output is never cut short, and never waited for.
 */
import { execFile } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Clock, Stop } from '../../../../../protocols/ports.ts';

const mkfifo = promisify(execFile);
/** How long the end of the output may take once the process and its pipes are gone. */
const drainMs = 2_000;
/** How long pipes of an earlier runtime stay: longer than a shim waits for anything else when it starts a process. */
const lingerMs = 10_000;

export interface OutputPipe {
  readonly path: string;
  /** Bytes wait in the pipe until somebody listens. */
  onBytes(listener: (bytes: Uint8Array) => void): void;
  /** The process waits in its write once the pipe is full. */
  pause(): void;
  resume(): void;
  /** The process is gone: resolves when everything it wrote was handed on. False: somebody may still write to it. */
  drain(): Promise<boolean>;
  close(): void;
}

export interface InputPipe {
  readonly path: string;
  /** Bytes that the process has not taken yet. */
  readonly waiting: number;
  write(bytes: Uint8Array): void;
  /** Resolves when more may be written, or nothing ever can. */
  taken(): Promise<void>;
  /** Resolves when everything written is in the pipe. */
  end(): Promise<void>;
  close(): void;
}

/**
 * Makes a folder. Whatever is in it belonged to a runtime that is no more and goes, pipes a while later: a shim that was
 * starting a process for it opens them one after the other, and stands still, deaf to everything, until each has a reader.
 * What is answered lets go of them at once; they go the next time then.
 */
export async function preparePipeDir(dir: string, clock: Clock): Promise<Stop> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const held = new Map<number, unknown>();
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    const keeper = entry.isFIFO() ? heldOpen(path) : undefined;
    const remove = () => rm(path, { recursive: true, force: true });
    if (keeper === undefined) await remove();
    else
      held.set(
        keeper,
        clock.setTimer(lingerMs, () => {
          held.delete(keeper);
          closeSync(keeper);
          // The next runtime tries again.
          remove().catch(() => {});
        }),
      );
  }
  return () => {
    for (const [keeper, timer] of held) {
      clock.clearTimer(timer);
      closeSync(keeper);
    }
    held.clear();
  };
}

function heldOpen(path: string): number | undefined {
  try {
    return openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  } catch {
    // Gone, or too many are open: then it goes at once, as it did.
    return undefined;
  }
}

/** Node cannot make a fifo itself. */
export async function makePipes(paths: readonly string[]): Promise<void> {
  await mkfifo('mkfifo', ['-m', '0600', ...paths]);
}

export async function removePipes(paths: readonly string[]): Promise<void> {
  for (const path of paths) await rm(path, { force: true });
}

export function openOutput(path: string, clock: Clock): OutputPipe {
  let keeper: number | undefined = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const reader = new Socket({ fd, readable: true, writable: false });
  let isAtEnd = false;
  reader.once('end', () => (isAtEnd = true));
  const ended = new Promise<void>((resolve) => reader.once('close', () => resolve()));
  reader.on('error', () => reader.destroy());
  const release = () => {
    if (keeper !== undefined) closeSync(keeper);
    keeper = undefined;
  };
  return {
    path,
    onBytes: (listener) => reader.on('data', listener),
    pause: () => reader.pause(),
    resume: () => reader.resume(),
    drain: async () => {
      release();
      reader.resume();
      const timer = clock.setTimer(drainMs, () => reader.destroy());
      await ended;
      clock.clearTimer(timer);
      return isAtEnd;
    },
    close: () => {
      release();
      reader.destroy();
    },
  };
}

/** Output pipes that serve one process after another: a node that only checks health makes none. */
export interface PipePool {
  take(): Promise<OutputPipe>;
  /** Once nobody has it open any more; whoever may still write keeps it from being used again. */
  giveBack(path: string): Promise<void>;
}

/** `makePath` names a new pipe; `keep`: how many wait for their next use at most. */
export function createPipePool(makePath: () => string, keep: number, clock: Clock): PipePool {
  const free: string[] = [];
  return {
    take: async () => {
      for (let path = free.pop(); path !== undefined; path = free.pop()) {
        try {
          return openOutput(path, clock);
        } catch {
          // Somebody removed it: the next one, or a new one.
        }
      }
      const path = makePath();
      await makePipes([path]);
      return openOutput(path, clock);
    },
    giveBack: async (path) => {
      if (free.length < keep) free.push(path);
      else await removePipes([path]);
    },
  };
}

export function openInput(path: string): InputPipe {
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  const writer = new Socket({ fd, readable: false, writable: true });
  writer.on('error', () => writer.destroy());
  return {
    path,
    get waiting() {
      return writer.writableLength;
    },
    write: (bytes) => {
      if (!writer.destroyed && !writer.writableEnded) writer.write(bytes);
    },
    taken: () =>
      new Promise((resolve) => {
        if (writer.destroyed || !writer.writableNeedDrain) return resolve();
        const done = () => {
          writer.off('drain', done).off('close', done);
          resolve();
        };
        writer.on('drain', done).on('close', done);
      }),
    end: () =>
      new Promise((resolve) => {
        if (writer.destroyed) return resolve();
        writer.once('close', () => resolve());
        writer.end(() => writer.destroy());
      }),
    close: () => writer.destroy(),
  };
}
