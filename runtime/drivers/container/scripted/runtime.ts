/**
 * The container runtime port over a scripted machine: one client's conversation with it. Ends with `close`, which
 * is also what a killed daemon does to it: calls under way are dropped. How containers are made stands in `create.ts`.
 */
import type { ContainerStatus, ExecRequest, RuntimeEvent } from '../../../../protocols/containers/model.ts';
import { resourcesMark } from '../../../../protocols/containers/oci/resources.ts';
import { coded } from '../../../../protocols/errors.ts';
import { limits } from '../../../../protocols/limits.ts';
import type { Call, Clock, ContainerRuntime, ExecSession, Stop } from '../../../../protocols/ports.ts';
import { Client } from './engine.ts';
import { creator } from './create.ts';
import { putFiles, takeFiles } from './files.ts';
import type { ScriptedImages } from './images.ts';
import type { ScriptedMachine } from './machine.ts';
import { execAnswer, type ExecScript } from './script.ts';

/** One call's work in the engine, before chance makes it shorter or longer. */
const callMs = 4;
const eventMs = 3;
const reconnectMs = 200;

export interface ScriptedRuntime extends ContainerRuntime {
  /** The client is gone. */
  close(): void;
}

export function scriptedRuntime(
  machine: ScriptedMachine,
  images: ScriptedImages,
  clock: Clock,
): ScriptedRuntime {
  const client = new Client();
  const work = (call: Call, ms = callMs) => machine.engine.work(call, ms, client);

  return {
    info: async (_, call) => {
      await work(call);
      return { name: 'scripted', version: '1', snapshotter: 'none', cgroups: 2, platform: images.platform };
    },
    list: async (_, call) => {
      await work(call);
      return { containers: machine.list() };
    },
    inspect: async ({ id }, call) => {
      await work(call);
      const container = machine.find(id);
      return container ? { container } : {};
    },
    create: creator(machine, images, client),
    ...lives(machine, work),
    stats: async ({ ids, disk }, call) => {
      await work(call);
      const running = ids.filter((id) => isAlive(machine.find(id)));
      return {
        stats: running.map((id) => ({ ...statsOf(id, machine.upMs(id)), ...(disk ? { diskBytes: 0 } : {}) })),
      };
    },
    processes: async ({ id }, call) => {
      await work(call);
      mustLive(machine, id);
      const process = { pid: machine.find(id)!.pid ?? 0, parent: 1, uid: 0, state: 'S' };
      const memoryBytes = statsOf(id, 0).workingSetBytes;
      return { processes: [{ ...process, cpuMs: 0, memoryBytes, command: 'script' }] };
    },
    readFiles: async ({ id, path }, call) => {
      await work(call);
      mustLive(machine, id);
      return takeFiles(machine.filesOf(id), path);
    },
    writeFiles: async ({ id, path, archive }, call) => {
      await work(call);
      mustLive(machine, id);
      return { entries: await putFiles(machine.filesOf(id), path, archive) };
    },
    ...execs(machine, clock, work),
    events: (notify) => follow(machine, clock, client, notify),
    close: () => client.leave(),
  };
}

type Work = (call: Call, ms?: number) => Promise<void>;

function lives(
  machine: ScriptedMachine,
  work: Work,
): Pick<ContainerRuntime, 'start' | 'signal' | 'kill' | 'remove' | 'update' | 'pause' | 'unpause'> {
  return {
    start: async ({ id }, call) => {
      await work(call, machine.scriptFor(id)?.startMs ?? 5);
      const found = mustExist(machine, id);
      if (found.phase === 'stopped' || found.phase === 'unknown')
        throw coded('HM-CONTAINER-STOPPED', undefined, { container: id });
      machine.start(id);
      return {};
    },
    signal: async ({ id, signal }, call) => {
      await work(call);
      mustExist(machine, id);
      machine.signal(id, signal ?? 'SIGTERM');
      return {};
    },
    kill: async ({ id }, call) => {
      await work(call);
      mustExist(machine, id);
      machine.kill(id);
      return {};
    },
    update: async ({ id, resources }, call) => {
      await work(call);
      mustLive(machine, id);
      machine.update(id, resourcesMark(resources));
      return {};
    },
    pause: async ({ id }, call) => {
      await work(call);
      mustLive(machine, id);
      machine.pause(id);
      return {};
    },
    unpause: async ({ id }, call) => {
      await work(call);
      mustLive(machine, id);
      machine.resume(id);
      return {};
    },
    remove: async ({ id }, call) => {
      await work(call, 10);
      machine.remove(id);
      return {};
    },
  };
}

function execs(machine: ScriptedMachine, clock: Clock, work: Work): Pick<ContainerRuntime, 'run' | 'exec'> {
  return {
    run: async (request, call) => {
      await work(call);
      const answer = answerOf(machine, request);
      if (!answer) return { code: 127, output: `no command ${request.args[0]}` };
      if (answer.tookMs) await work(call, answer.tookMs);
      return { code: answer.code, output: (answer.output ?? '').slice(0, limits.execOutputBytes) };
    },
    exec: async (request, call) => {
      await work(call);
      const answer = answerOf(machine, request);
      if (!answer)
        throw coded('HM-CONTAINER-COMMAND', `no command ${request.args[0]}`, { container: request.id });
      return sessionOf(answer, clock);
    },
  };
}

const statsOf = (id: string, upMs: number) => ({
  id,
  cpuNs: 1_000 + upMs * 1_000,
  memoryBytes: 4_194_304,
  workingSetBytes: 2_097_152,
  pids: 1,
});

const isAlive = (status: ContainerStatus | undefined) =>
  status?.phase === 'running' || status?.phase === 'paused';

function mustLive(machine: ScriptedMachine, id: string): void {
  if (!isAlive(mustExist(machine, id))) throw coded('HM-CONTAINER-STOPPED', undefined, { container: id });
}

function mustExist(machine: ScriptedMachine, id: string): ContainerStatus {
  const found = machine.find(id);
  if (!found) throw coded('HM-CONTAINER-UNKNOWN', undefined, { container: id });
  return found;
}

function answerOf(machine: ScriptedMachine, { id, args }: ExecRequest): ExecScript | undefined {
  const { phase } = mustExist(machine, id);
  if (phase === 'paused') throw coded('HM-CONTAINER-PAUSED', undefined, { container: id });
  if (phase !== 'running') throw coded('HM-CONTAINER-STOPPED', undefined, { container: id });
  return execAnswer(machine.scriptFor(id) ?? {}, args[0] ?? '', machine.upMs(id));
}

/** Says its output and ends after its time; one that echoes ends with its input. */
function sessionOf(answer: ExecScript, clock: Clock): ExecSession {
  const listeners = new Set<(channel: 'stdout' | 'stderr', bytes: Uint8Array) => void>();
  const say = (bytes: Uint8Array) => {
    for (const listener of listeners) listener('stdout', bytes);
  };
  let finish: (code: number) => void = () => {};
  const exit = new Promise<number>((resolve) => (finish = resolve));
  const timer = clock.setTimer(answer.tookMs ?? 0, () => {
    if (answer.output) say(new TextEncoder().encode(answer.output));
    if (!answer.echoes) finish(answer.code);
  });
  return {
    exit,
    onOutput: (listener) => void listeners.add(listener),
    write: (bytes) => void (answer.echoes && clock.defer(() => say(bytes))),
    endInput: () => void (answer.echoes && clock.defer(() => finish(answer.code))),
    resize: () => {},
    close: () => {
      clock.clearTimer(timer);
      finish(137);
    },
  };
}

/** Events with their delay; after the engine came back, a `resync` instead of what was missed. */
function follow(
  machine: ScriptedMachine,
  clock: Clock,
  client: Client,
  notify: (event: RuntimeEvent) => void,
): Stop {
  let connected = false;
  let stopped = false;
  const timers = new Set<unknown>();
  const later = (ms: number, run: () => void) => {
    const timer = clock.setTimer(machine.engine.about(ms), () => {
      timers.delete(timer);
      if (!stopped) run();
    });
    timers.add(timer);
  };
  const connect = (ms: number) =>
    later(ms, () => {
      if (machine.engine.health === 'down') return connect(reconnectMs);
      if (connected) return;
      connected = true;
      notify({ type: 'resync' });
    });
  const endEvents = machine.onEvent((event) => {
    if (connected) later(eventMs, () => connected && notify(event));
  });
  const endTurns = machine.engine.onTurn((health) => {
    if (health !== 'down' || !connected) return;
    connected = false;
    connect(reconnectMs);
  });
  const stop = () => {
    stopped = true;
    endEvents();
    endTurns();
    for (const timer of timers) clock.clearTimer(timer);
    timers.clear();
    stay();
  };
  const stay = client.onGone(stop);
  connect(eventMs);
  return stop;
}
