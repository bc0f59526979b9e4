/**
 * A further process in a running container: `run` gathers what it says to its end (health checks), `exec` is
 * interactive. The process belongs to its shim; this file owns its pipes and its record, and clears both away
 * however it ends.
 */
import { status } from '@grpc/grpc-js';
import { LRUCache } from 'lru-cache';
import type { ExecRequest, ExecResult } from '../../../../../protocols/containers/model.ts';
import { execProcess, ociText } from '../../../../../protocols/containers/oci/spec.ts';
import type { OciProcess, OciSpec } from '../../../../../protocols/containers/oci/types.ts';
import { coded } from '../../../../../protocols/errors.ts';
import { limits } from '../../../../../protocols/limits.ts';
import type { Call, ExecSession } from '../../../../../protocols/ports.ts';
import type { Engine } from '../engine.ts';
import { codedFailure, commandFailure, failedWith, failureText, isGone } from '../failure.ts';
import { Tasks } from '../gen/services/tasks_pb.ts';
import { pause } from './events.ts';
import { find, mustRun } from './lookup.ts';
import { kernelFacts } from './machine/facts.ts';
import {
  createPipePool,
  makePipes,
  openInput,
  openOutput,
  preparePipeDir,
  removePipes,
  type InputPipe,
  type OutputPipe,
  type PipePool,
} from './pipes.ts';
import { phaseOf } from './record.ts';
import { userDatabaseOfProcess } from './user-database.ts';
import { join } from 'node:path';

const processTypeUrl = 'types.containerd.io/opencontainers/runtime-spec/1/Process';
const sigkill = 9;

export interface Execs {
  run(request: ExecRequest, call: Call): Promise<ExecResult>;
  exec(request: ExecRequest, call: Call): Promise<ExecSession>;
  /** A container of this id is made or removed: what is remembered of it no longer holds. */
  forget(id: string): void;
  /** Whether this runtime started the exec of this id. */
  isOwn(execId: string): boolean;
  /** Lets go of pipes that an earlier runtime left. */
  close(): void;
}

interface Process {
  readonly containerId: string;
  readonly execId: string;
  readonly stdin?: InputPipe;
  readonly stdout: OutputPipe;
  /** A terminal has one output; a health check's two go through one pipe. */
  readonly stderr?: OutputPipe;
  /** Where its output pipe comes from and goes back to. */
  readonly pool?: PipePool;
}

/** What containers were made with, by id, so that a health check need not ask for it every time. */
type Known = LRUCache<string, OciProcess>;

export function createExecs(engine: Engine): Execs {
  // Unique over the lives of the daemon: an exec of an earlier one may still be there.
  const life = engine.clock.now().toString(36);
  let count = 0;
  const ready = preparePipeDir(engine.ioDir, engine.clock);
  // Whoever execs first hears of a failure.
  ready.catch(() => {});
  const nextId = () => `exec-${life}-${++count}`;
  const pool = createPipePool(() => join(engine.ioDir, `${nextId()}-output`), limits.execPipes, engine.clock);
  const known: Known = new LRUCache({ max: limits.execContainers });
  const start = async (request: ExecRequest, interactive: boolean, call: Call) => {
    await ready;
    return startProcess(engine, known, request, nextId(), interactive ? undefined : pool, call);
  };
  return {
    run: async (request, call) => {
      let process: Process;
      try {
        process = await start({ ...request, terminal: false }, false, call);
      } catch (error) {
        const code = commandFailure(error);
        if (code === undefined) throw error;
        return { code, output: failureText(error).slice(0, limits.execOutputBytes) };
      }
      return gather(engine, process, call);
    },
    exec: async (request, call) => session(engine, await start(request, true, call)),
    forget: (id) => void known.delete(id),
    isOwn: (execId) => execId.startsWith(`exec-${life}-`),
    close: () =>
      void ready.then(
        (letGo) => letGo(),
        () => {},
      ),
  };
}

async function startProcess(
  engine: Engine,
  known: Known,
  request: ExecRequest,
  execId: string,
  pool: PipePool | undefined,
  call: Call,
): Promise<Process> {
  const spec = await specOf(engine, known, request, call);
  const process = pool
    ? { containerId: request.id, execId, stdout: await pool.take(), pool }
    : await openPipes(engine, request, execId);
  const target = { containerId: request.id, execId };
  const callLimits = engine.callLimits(call);
  try {
    await engine.connection.unary(
      Tasks.method.exec,
      {
        ...target,
        stdin: process.stdin?.path ?? '',
        stdout: process.stdout.path,
        stderr: request.terminal ? '' : (process.stderr ?? process.stdout).path,
        terminal: request.terminal,
        spec: { typeUrl: processTypeUrl, value: Buffer.from(ociText(spec)) },
      },
      callLimits,
    );
    await engine.connection.unary(Tasks.method.start, target, callLimits);
    if (request.terminal && request.size) await resize(engine, process, request.size);
    return process;
  } catch (error) {
    void discard(engine, process);
    throw (await stoppedMeanwhile(engine, request.id, error, call)) ?? error;
  }
}

/** What was remembered is used unseen: a container that does not run refuses the exec itself. */
async function specOf(engine: Engine, known: Known, request: ExecRequest, call: Call): Promise<OciProcess> {
  const remembered = request.user === undefined ? known.get(request.id) : undefined;
  const bound = kernelFacts().capabilityBound;
  if (remembered) return execProcess(remembered, request, undefined, bound);
  const { record, task } = await mustRun(engine, request.id, call);
  const container = JSON.parse(Buffer.from(record.spec?.value ?? []).toString('utf8')) as OciSpec;
  known.set(request.id, container.process);
  const users = request.user === undefined ? undefined : await userDatabaseOfProcess(task.pid);
  return execProcess(container.process, request, users, bound);
}

async function openPipes(engine: Engine, request: ExecRequest, execId: string): Promise<Process> {
  const at = (name: string) => join(engine.ioDir, `${execId}-${name}`);
  await makePipes(['stdout', 'stdin', ...(request.terminal ? [] : ['stderr'])].map(at));
  return {
    containerId: request.id,
    execId,
    stdout: openOutput(at('stdout'), engine.clock),
    ...(request.terminal ? {} : { stderr: openOutput(at('stderr'), engine.clock) }),
    stdin: openInput(at('stdin')),
  };
}

/** HM-CONTAINER-STOPPED if that is why an exec failed. */
async function stoppedMeanwhile(
  engine: Engine,
  id: string,
  error: unknown,
  call: Call,
): Promise<Error | undefined> {
  if (!failedWith(error, status.NOT_FOUND, status.FAILED_PRECONDITION, status.UNKNOWN)) return undefined;
  const found = await find(engine, id, call).catch(() => undefined);
  if (found && phaseOf(found.task) === 'running') return undefined;
  if (found && phaseOf(found.task) === 'paused')
    return coded('HM-CONTAINER-PAUSED', `The container ${id} is paused.`, { id });
  return coded('HM-CONTAINER-STOPPED', `The container ${id} is not running.`, { id });
}

async function gather(engine: Engine, process: Process, call: Call): Promise<ExecResult> {
  const chunks: Uint8Array[] = [];
  let room: number = limits.execOutputBytes;
  const take = (bytes: Uint8Array) => {
    if (room > 0) chunks.push(bytes.subarray(0, room));
    room -= bytes.length;
  };
  process.stdout.onBytes(take);
  process.stderr?.onBytes(take);
  try {
    const code = await waitFor(engine, process, call.signal);
    await settle(engine, process);
    return { code, output: Buffer.concat(chunks).toString('utf8') };
  } catch (error) {
    void discard(engine, process);
    if (!call.signal.aborted) throw error;
    throw coded('HM-RUNTIME-TIMEOUT', 'The command did not end in time.', { id: process.containerId });
  }
}

function session(engine: Engine, process: Process): ExecSession {
  const closed = new AbortController();
  const exit = (async () => {
    try {
      const code = await waitFor(engine, process, closed.signal);
      await settle(engine, process);
      return code;
    } catch (error) {
      await discard(engine, process);
      throw codedFailure(error, { id: process.containerId });
    }
  })();
  // The session may be closed by somebody who does not ask for the exit code.
  exit.catch(() => {});
  return {
    exit,
    onOutput: (listener) => {
      process.stdout.onBytes((bytes) => listener('stdout', bytes));
      process.stderr?.onBytes((bytes) => listener('stderr', bytes));
    },
    write: (bytes) => {
      if ((process.stdin?.waiting ?? 0) > limits.execInputBytes) {
        throw coded('HM-API-TOO-LARGE', 'The command does not read its input.', { id: process.containerId });
      }
      process.stdin?.write(bytes);
    },
    endInput: () => void endInput(engine, process),
    resize: (size) => void resize(engine, process, size),
    // Killed, it exits like any other; if containerd cannot be told, nobody waits for it any longer.
    close: () => void kill(engine, process).then((told) => (told ? undefined : closed.abort())),
    pause: () => {
      process.stdout.pause();
      process.stderr?.pause();
    },
    resume: () => {
      process.stdout.resume();
      process.stderr?.resume();
    },
    taken: async () => process.stdin?.taken(),
  };
}

/** The exit code. An outage of containerd does not end the process, so the wait is taken up again after it. */
async function waitFor(engine: Engine, process: Process, signal: AbortSignal): Promise<number> {
  const target = { containerId: process.containerId, execId: process.execId };
  for (;;) {
    try {
      return (await engine.connection.unary(Tasks.method.wait, target, { signal })).exitStatus;
    } catch (error) {
      if (!failedWith(error, status.UNAVAILABLE) || signal.aborted) throw error;
      await pause(engine.clock, limits.retryMs, signal);
    }
  }
}

/** After the exit: the shim flushes and lets go of the pipes, then what is left in them is read. */
async function settle(engine: Engine, process: Process): Promise<void> {
  await deleteRecord(engine, process);
  const [isAtEnd] = await Promise.all([process.stdout.drain(), process.stderr?.drain()]);
  process.stdin?.close();
  if (process.pool && isAtEnd) await process.pool.giveBack(process.stdout.path);
  else await removePipes(pathsOf(process));
}

/** However far it came: ends the process and removes all traces. Never rejects. */
async function discard(engine: Engine, process: Process): Promise<void> {
  await kill(engine, process);
  // A process that was just killed needs a moment until its record may go.
  const target = { containerId: process.containerId, execId: process.execId };
  const own = new AbortController();
  await engine.connection.unary(Tasks.method.wait, target, engine.callLimits(own)).catch(() => {});
  await deleteRecord(engine, process);
  process.stdout.close();
  process.stderr?.close();
  process.stdin?.close();
  await removePipes(pathsOf(process)).catch(() => {});
}

/** False when containerd could not be told. */
async function kill(engine: Engine, { containerId, execId }: Process): Promise<boolean> {
  const own = new AbortController();
  const wish = { containerId, execId, signal: sigkill };
  return engine.connection.unary(Tasks.method.kill, wish, engine.callLimits(own)).then(
    () => true,
    (error: unknown) => isGone(error),
  );
}

async function deleteRecord(engine: Engine, { containerId, execId }: Process): Promise<void> {
  const own = new AbortController();
  const target = { containerId, execId };
  await engine.connection.unary(Tasks.method.deleteProcess, target, engine.callLimits(own)).catch(() => {
    // Its record goes with the container at the latest.
  });
}

async function endInput(engine: Engine, process: Process): Promise<void> {
  await process.stdin?.end();
  const own = new AbortController();
  const wish = { containerId: process.containerId, execId: process.execId, stdin: true };
  await engine.connection
    .unary(Tasks.method.closeIO, wish, engine.callLimits(own))
    .catch((error: unknown) => {
      if (!isGone(error)) process.stdin?.close();
    });
}

/** A terminal that cannot be resized stays as it is. */
async function resize(
  engine: Engine,
  { containerId, execId }: Process,
  size: { readonly columns: number; readonly rows: number },
): Promise<void> {
  const own = new AbortController();
  const wish = { containerId, execId, width: size.columns, height: size.rows };
  await engine.connection.unary(Tasks.method.resizePty, wish, engine.callLimits(own)).catch(() => {});
}

function pathsOf(process: Process): readonly string[] {
  return [process.stdout, process.stderr, process.stdin].flatMap((pipe) => (pipe ? [pipe.path] : []));
}
