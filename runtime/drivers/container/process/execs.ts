/** Further commands beside a run: with its environment, in its folder, as its user, and marked as part of it. */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import type { ExecRequest, ExecResult } from '../../../../protocols/containers/model.ts';
import { coded, reasonOf } from '../../../../protocols/errors.ts';
import { limits } from '../../../../protocols/limits.ts';
import type { Call, ExecSession } from '../../../../protocols/ports.ts';
import { asUser, executable } from './commands.ts';
import { endGroup, noteBeside } from './orphans.ts';
import type { Runs } from './runs.ts';

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

/** Output gathered; a command that cannot be run is code 127, or 126. */
export async function runBeside(runs: Runs, request: ExecRequest, call: Call): Promise<ExecResult> {
  let child: Child;
  try {
    child = await startBeside(runs, request);
  } catch (thrown) {
    const { code, message } = reasonOf(thrown);
    if (code !== 'HM-CONTAINER-COMMAND') throw thrown;
    return { code: /permission denied/.test(message) ? 126 : 127, output: message };
  }
  child.stdin.end();
  const chunks: Buffer[] = [];
  let room: number = limits.execOutputBytes;
  const take = (bytes: Buffer): void => {
    if (room > 0) chunks.push(bytes.subarray(0, room));
    room -= bytes.length;
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  const gaveUp = (): void => end(child);
  call.signal.addEventListener('abort', gaveUp, { once: true });
  if (call.signal.aborted) gaveUp();
  const code = await exitOf(child);
  call.signal.removeEventListener('abort', gaveUp);
  if (call.signal.aborted)
    throw coded('HM-RUNTIME-TIMEOUT', 'The command did not end in time.', { id: request.id });
  return { code, output: Buffer.concat(chunks).toString('utf8') };
}

/** HM-CONTAINER-SETTING for a terminal: there is nobody here to make one. */
export async function execBeside(runs: Runs, request: ExecRequest): Promise<ExecSession> {
  if (request.terminal)
    throw coded(
      'HM-CONTAINER-SETTING',
      'A terminal needs a container, and this node runs processes',
      { id: request.id },
      'Leave out -t: hivemind exec -i TARGET -- CMD',
    );
  const child = await startBeside(runs, request);
  const streams = [child.stdout, child.stderr];
  return {
    exit: exitOf(child),
    onOutput: (listener) => {
      child.stdout.on('data', (bytes: Buffer) => listener('stdout', bytes));
      child.stderr.on('data', (bytes: Buffer) => listener('stderr', bytes));
    },
    write: (bytes) => {
      if (child.stdin.writableLength > limits.execInputBytes)
        throw coded('HM-API-TOO-LARGE', 'The command does not read its input.', { id: request.id });
      child.stdin.write(bytes);
    },
    endInput: () => void child.stdin.end(),
    resize: () => undefined,
    close: () => end(child),
    pause: () => streams.forEach((stream) => stream.pause()),
    resume: () => streams.forEach((stream) => stream.resume()),
    taken: async () => {
      if (child.stdin.writableNeedDrain)
        await Promise.race([once(child.stdin, 'drain'), once(child.stdin, 'close')]);
    },
  };
}

async function startBeside(runs: Runs, request: ExecRequest): Promise<Child> {
  const { record, status } = await runs.mustLive(request.id);
  if (status.phase === 'paused')
    throw coded('HM-CONTAINER-PAUSED', `The container ${request.id} is paused.`, { id: request.id });
  const environment = { ...record.environment, ...request.environment };
  const workingDir = request.workingDir ?? record.workingDir;
  const [name = '', ...rest] = request.args;
  const file = executable(name, environment, workingDir);
  const prefix = request.user === undefined ? record.prefix : (await asUser(request.user)).prefix;
  const joining = runs.joining(record);
  const inside = joining.length === 0 ? [] : ['/bin/sh', runs.script, 'beside', joining.join(' ')];
  const [first = file, ...args] = [...inside, ...prefix, file, ...rest];
  const child = spawn(first, args, {
    cwd: workingDir,
    env: environment,
    // A group of its own, so that all of it can be ended.
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  // It ends while somebody still writes to it.
  child.stdin.on('error', () => undefined);
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', ({ message }) =>
      reject(coded('HM-CONTAINER-COMMAND', `exec: "${name}": ${message}`)),
    );
  });
  // Nobody waits for it: the command may have ended by then, and where it cannot be written, it runs all the same.
  noteBeside(runs.beside, child).catch(() => undefined);
  return child;
}

/** When its output has ended too. */
function exitOf(child: Child): Promise<number> {
  return new Promise((resolve) => {
    child.once('close', (code, signal) =>
      resolve(code ?? 128 + (constants.signals[signal ?? 'SIGKILL'] ?? 9)),
    );
  });
}

function end(child: Child): void {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  endGroup(child.pid);
  // A child of its own in another session may hold them open.
  child.stdout.destroy();
  child.stderr.destroy();
}
