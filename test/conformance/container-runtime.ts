/**
 * What every ContainerRuntime does, told once and run against each of them. Written against the port alone:
 * an arm brings a runtime, containers that behave in a named way, and commands for execs. Nothing here waits for
 * time; events and conditions are awaited, with a bounded deadline.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type {
  ContainerCreate,
  ContainerExit,
  ContainerStatus,
  RuntimeEvent,
  RuntimePhase,
} from '../../protocols/containers/model.ts';
import { CodedError, type ErrorCode } from '../../protocols/errors.ts';
import type { Call, ContainerRuntime, Stop } from '../../protocols/ports.ts';
import { until } from '../kit/until.ts';

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
    /** Between create and start. */
    arrange(): Promise<void>;
  }>;
  close(): Promise<void>;
}

export function containerRuntimeConformance(name: string, makeArm: () => Promise<ContainerRuntimeArm>): void {
  describe(`container runtime: ${name}`, { timeout: 60_000 }, () => {
    let arm: ContainerRuntimeArm;
    let watch: Watch;
    beforeAll(async () => {
      arm = await makeArm();
      watch = watchEvents(arm.runtime);
      await until('the first resync', () => watch.events.some((event) => event.type === 'resync'));
    }, 120_000);
    afterEach(async () => {
      const { containers } = await arm.runtime.list({}, call());
      for (const { id } of containers) await arm.runtime.remove({ id }, call());
    });
    afterAll(async () => {
      watch?.stop();
      await arm?.close();
    }, 60_000);

    const given = (): Given => ({ arm, runtime: arm.runtime, watch });
    lifeTests(given);
    refusalTests(given);
    endTests(given);
    execTests(given);
    observationTests(given);
  });
}

interface Given {
  readonly arm: ContainerRuntimeArm;
  readonly runtime: ContainerRuntime;
  readonly watch: Watch;
}

interface Watch {
  readonly events: readonly RuntimeEvent[];
  readonly stop: Stop;
  /** The exit of a container, as its event told it. */
  exitOf(id: string): Promise<ContainerExit>;
}

function watchEvents(runtime: ContainerRuntime): Watch {
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
function call(signal: AbortSignal = new AbortController().signal): Call {
  return { key: `conformance-${++calls}`, signal };
}

async function started({ arm, runtime }: Given, behaviour: Behaviour): Promise<ContainerCreate> {
  const create = await arm.container(behaviour);
  await runtime.create(create, call());
  await runtime.start({ id: create.id }, call());
  return create;
}

async function statusOf(runtime: ContainerRuntime, id: string): Promise<ContainerStatus | undefined> {
  return (await runtime.inspect({ id }, call())).container;
}

/** The event may come before the runtime's own view of the task changes. */
async function inPhase(runtime: ContainerRuntime, id: string, phase: RuntimePhase): Promise<ContainerStatus> {
  return until(`${id} is ${phase}`, async () => {
    const status = await statusOf(runtime, id);
    return status?.phase === phase ? status : undefined;
  });
}

async function refusal(asked: Promise<unknown>): Promise<ErrorCode> {
  const error = await asked.then(
    (answer) => new Error(`was not refused: ${JSON.stringify(answer)}`),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof CodedError)) throw error;
  expect(error.reason.hint).not.toBe('');
  return error.reason.code;
}

function lifeTests(given: () => Given): void {
  test('says what it is', async () => {
    const info = await given().runtime.info({}, call());
    expect(info.platform).toMatch(/^linux\/[a-z0-9]+$/);
    expect([1, 2]).toContain(info.cgroups);
    expect(info.version).not.toBe('');
  });

  test('a created container has not run, and is listed with all it was created with', async () => {
    const { arm, runtime } = given();
    const create = await arm.container({ of: 'runs' });
    const { pid } = await runtime.create(create, call());
    expect(pid).toBeGreaterThan(0);
    const status = await statusOf(runtime, create.id);
    expect(status).toMatchObject({
      id: create.id,
      key: create.key,
      specHash: create.specHash,
      phase: 'created',
      pid,
      ...(create.address === undefined ? {} : { address: create.address }),
    });
    expect(status!.createdAt).toBeGreaterThan(0);
    expect((await runtime.list({}, call())).containers).toEqual([status]);
  });

  test('creating what exists answers the same, and starting what runs is done already', async () => {
    const { arm, runtime } = given();
    const create = await arm.container({ of: 'runs' });
    const first = await runtime.create(create, call());
    expect(await runtime.create(create, call())).toEqual(first);
    await runtime.start({ id: create.id }, call());
    await runtime.start({ id: create.id }, call());
    expect(await runtime.create(create, call())).toEqual(first);
    expect(await statusOf(runtime, create.id)).toMatchObject({ phase: 'running', pid: first.pid });
  });

  test('two creates of one id at the same time make one container', async () => {
    const { arm, runtime } = given();
    const create = await arm.container({ of: 'runs' });
    const both = await Promise.all([runtime.create(create, call()), runtime.create(create, call())]);
    expect(both[0]).toEqual(both[1]);
    expect((await runtime.list({}, call())).containers).toHaveLength(1);
  });

  test('many containers are made and removed side by side', async () => {
    const { arm, runtime } = given();
    const creates = await Promise.all(Array.from({ length: 6 }, () => arm.container({ of: 'runs' })));
    await Promise.all(
      creates.map(async (create) => {
        await runtime.create(create, call());
        await runtime.start({ id: create.id }, call());
      }),
    );
    const { containers } = await runtime.list({}, call());
    expect(containers.map(({ id }) => id).sort()).toEqual(creates.map(({ id }) => id).sort());
    expect(new Set(containers.map(({ phase }) => phase))).toEqual(new Set(['running']));
    await Promise.all(creates.map(({ id }) => runtime.remove({ id }, call())));
    expect((await runtime.list({}, call())).containers).toEqual([]);
  });
}

function refusalTests(given: () => Given): void {
  test.each([
    ['missing-image', 'HM-IMAGE-MISSING'],
    ['foreign-image', 'HM-IMAGE-PLATFORM'],
  ] as const)('%s is refused with %s and leaves nothing', async (behaviour, code) => {
    const { arm, runtime } = given();
    const create = await arm.container({ of: behaviour });
    expect(await refusal(runtime.create(create, call()))).toBe(code);
    expect((await runtime.list({}, call())).containers).toEqual([]);
  });

  test('a command that does not exist is refused with HM-CONTAINER-COMMAND, at create or at start', async () => {
    const { arm, runtime } = given();
    const create = await arm.container({ of: 'unrunnable' });
    const attempt = async () => {
      await runtime.create(create, call());
      await runtime.start({ id: create.id }, call());
    };
    expect(await refusal(attempt())).toBe('HM-CONTAINER-COMMAND');
    await runtime.remove({ id: create.id }, call());
    expect((await runtime.list({}, call())).containers).toEqual([]);
    // Nothing of the first attempt is in the way of a second one under the same id.
    expect(await refusal(attempt())).toBe('HM-CONTAINER-COMMAND');
  });

  test('what does not exist cannot be started, signalled, killed or entered, but is removed already', async () => {
    const { arm, runtime } = given();
    const id = 'nobody-1.1.1';
    const exec = { id, args: arm.command('prints'), terminal: false };
    expect(await refusal(runtime.start({ id }, call()))).toBe('HM-CONTAINER-UNKNOWN');
    expect(await refusal(runtime.signal({ id }, call()))).toBe('HM-CONTAINER-UNKNOWN');
    expect(await refusal(runtime.kill({ id }, call()))).toBe('HM-CONTAINER-UNKNOWN');
    expect(await refusal(runtime.run(exec, call()))).toBe('HM-CONTAINER-UNKNOWN');
    expect(await refusal(runtime.exec(exec, call()))).toBe('HM-CONTAINER-UNKNOWN');
    expect(await runtime.inspect({ id }, call())).toEqual({});
    expect(await runtime.stats({ ids: [id] }, call())).toEqual({ stats: [] });
    await runtime.remove({ id }, call());
  });

  test('a call whose signal has fired is given up with HM-RUNTIME-TIMEOUT', async () => {
    const { arm, runtime } = given();
    const create = await arm.container({ of: 'runs' });
    const fired = AbortSignal.abort();
    expect(await refusal(runtime.create(create, call(fired)))).toBe('HM-RUNTIME-TIMEOUT');
    await runtime.remove({ id: create.id }, call());
    await runtime.create(create, call());
    expect(await statusOf(runtime, create.id)).toMatchObject({ phase: 'created' });
  });
}

function endTests(given: () => Given): void {
  test.each([0, 1, 42, 255])('an exit with code %i is told by event and by inspect alike', async (code) => {
    const { runtime, watch, ...rest } = given();
    const { id } = await started({ runtime, watch, ...rest }, { of: 'exits', code });
    const exit = await watch.exitOf(id);
    expect(exit).toMatchObject({ code, oomKilled: false });
    expect(exit.at).toBeGreaterThan(0);
    const status = await inPhase(runtime, id, 'stopped');
    expect(status.exit).toEqual(exit);
    expect(status.pid).toBeUndefined();
  });

  test('the stop signal ends a container that heeds it; signalling or killing it again is done already', async () => {
    const { runtime, watch } = given();
    const { id } = await started(given(), { of: 'runs' });
    await runtime.signal({ id }, call());
    await watch.exitOf(id);
    await inPhase(runtime, id, 'stopped');
    await runtime.signal({ id, signal: 'SIGTERM' }, call());
    await runtime.kill({ id }, call());
    expect(watch.events.filter((event) => event.type === 'exited' && event.id === id)).toHaveLength(1);
  });

  test('a container that ignores its stop signal runs on until it is killed, with code 137', async () => {
    const { arm, runtime, watch } = given();
    const { id } = await started(given(), { of: 'ignores-stop' });
    await runtime.signal({ id, signal: 'SIGTERM' }, call());
    // Whatever the signal does has been done when a command that came after it has ended.
    await runtime.run({ id, args: arm.command('prints'), terminal: false }, call());
    expect(await statusOf(runtime, id)).toMatchObject({ phase: 'running' });
    await runtime.kill({ id }, call());
    expect(await watch.exitOf(id)).toMatchObject({ code: 137, oomKilled: false });
  });

  test.each(['created', 'running', 'stopped'] as const)('a %s container is removed, twice', async (phase) => {
    const { arm, runtime, watch } = given();
    const create = await arm.container(phase === 'stopped' ? { of: 'exits', code: 0 } : { of: 'runs' });
    await runtime.create(create, call());
    if (phase !== 'created') await runtime.start({ id: create.id }, call());
    if (phase === 'stopped') await watch.exitOf(create.id);
    await runtime.remove({ id: create.id }, call());
    expect(await runtime.inspect({ id: create.id }, call())).toEqual({});
    expect((await runtime.list({}, call())).containers).toEqual([]);
    await runtime.remove({ id: create.id }, call());
  });

  test('a removed id can be created again', async () => {
    const { arm, runtime } = given();
    const create = await arm.container({ of: 'runs' });
    await runtime.create(create, call());
    await runtime.remove({ id: create.id }, call());
    await runtime.create(create, call());
    await runtime.start({ id: create.id }, call());
    expect(await statusOf(runtime, create.id)).toMatchObject({ phase: 'running' });
  });

  test('running out of memory is told by event, and by the exit', async ({ skip }) => {
    const { arm, runtime, watch } = given();
    if (!arm.outOfMemory) return skip('this runtime has no memory to run out of');
    const { create, arrange } = await arm.outOfMemory();
    await runtime.create(create, call());
    await arrange();
    await runtime.start({ id: create.id }, call());
    const exit = await watch.exitOf(create.id);
    expect(exit).toMatchObject({ code: 137, oomKilled: true });
    await until('the oom event', () =>
      watch.events.some((event) => event.type === 'oom' && event.id === create.id),
    );
    expect((await inPhase(runtime, create.id, 'stopped')).exit).toEqual(exit);
  });
}

function execTests(given: () => Given): void {
  const run = async (behaviour: ExecBehaviour, signal?: AbortSignal) => {
    const { arm, runtime } = given();
    const { id } = await started(given(), { of: 'runs' });
    return runtime.run({ id, args: arm.command(behaviour), terminal: false }, call(signal));
  };

  test('run answers code and output', async () => {
    expect(await run('prints')).toEqual({ code: 0, output: 'hello\n' });
    expect(await run('fails-with-3')).toMatchObject({ code: 3 });
  });

  test('run of a missing command is code 127', async () => {
    expect(await run('missing')).toMatchObject({ code: 127 });
  });

  test('run keeps 4 KiB of the output', async () => {
    const { code, output } = await run('floods');
    expect(code).toBe(0);
    expect(Buffer.byteLength(output)).toBe(4_096);
  });

  test('run is given up when its signal fires, and the container runs on', async () => {
    const { arm, runtime } = given();
    const { id } = await started(given(), { of: 'runs' });
    const patience = new AbortController();
    const asked = runtime.run({ id, args: arm.command('hangs'), terminal: false }, call(patience.signal));
    patience.abort();
    expect(await refusal(asked)).toBe('HM-RUNTIME-TIMEOUT');
    expect(await statusOf(runtime, id)).toMatchObject({ phase: 'running' });
    const next = { id, args: arm.command('prints'), terminal: false };
    expect(await runtime.run(next, call())).toMatchObject({ code: 0 });
  });

  test('nothing can be run in a container that does not run', async () => {
    const { arm, runtime } = given();
    const create = await arm.container({ of: 'runs' });
    await runtime.create(create, call());
    const request = { id: create.id, args: arm.command('prints'), terminal: false };
    expect(await refusal(runtime.run(request, call()))).toBe('HM-CONTAINER-STOPPED');
    expect(await refusal(runtime.exec(request, call()))).toBe('HM-CONTAINER-STOPPED');
  });

  test('exec hands input in and output out, and its output ends before its exit', async () => {
    const { arm, runtime } = given();
    const { id } = await started(given(), { of: 'runs' });
    const session = await runtime.exec({ id, args: arm.command('copies'), terminal: false }, call());
    let output = '';
    session.onOutput((channel, bytes) => {
      expect(channel).toBe('stdout');
      output += Buffer.from(bytes).toString('utf8');
    });
    session.write(Buffer.from('first '));
    await until('the first word', () => output === 'first ');
    session.write(Buffer.from('second'));
    session.endInput();
    expect(await session.exit).toBe(0);
    expect(output).toBe('first second');
    session.close();
  });

  test('exec answers the exit code, refuses a missing command, and close ends what hangs', async () => {
    const { arm, runtime } = given();
    const { id } = await started(given(), { of: 'runs' });
    const exec = (behaviour: ExecBehaviour) =>
      runtime.exec({ id, args: arm.command(behaviour), terminal: false }, call());
    const failing = await exec('fails-with-3');
    expect(await failing.exit).toBe(3);
    expect(await refusal(exec('missing'))).toBe('HM-CONTAINER-COMMAND');
    const hanging = await exec('hangs');
    hanging.close();
    expect(await hanging.exit).toBe(137);
    expect(await statusOf(runtime, id)).toMatchObject({ phase: 'running' });
  });
}

function observationTests(given: () => Given): void {
  test('stats tell of running containers and leave out the others', async () => {
    const { arm, runtime } = given();
    const { id } = await started(given(), { of: 'runs' });
    const idle = await arm.container({ of: 'runs' });
    const { stats } = await runtime.stats({ ids: [id, 'nobody-1.1.1'] }, call());
    expect(stats).toHaveLength(1);
    expect(stats[0]!.id).toBe(id);
    expect(stats[0]!.pids).toBeGreaterThan(0);
    expect(stats[0]!.memoryBytes).toBeGreaterThan(0);
    expect(stats[0]!.workingSetBytes).toBeLessThanOrEqual(stats[0]!.memoryBytes);
    expect(stats[0]!.cpuNs).toBeGreaterThan(0);
    expect(await runtime.stats({ ids: [idle.id] }, call())).toEqual({ stats: [] });
  });

  test('the same watcher hears nothing after it stopped', async () => {
    const { runtime, watch } = given();
    const second = watchEvents(runtime);
    await until('its resync', () => second.events.some((event) => event.type === 'resync'));
    second.stop();
    const heard = second.events.length;
    const { id } = await started(given(), { of: 'exits', code: 0 });
    await watch.exitOf(id);
    expect(second.events).toHaveLength(heard);
  });

  test('a new runtime finds the same containers, with the exit codes of what ended meanwhile', async () => {
    const { arm, runtime, watch } = given();
    const running = await started(given(), { of: 'runs' });
    const ended = await started(given(), { of: 'exits', code: 42 });
    const exit = await watch.exitOf(ended.id);
    await inPhase(runtime, ended.id, 'stopped');
    const adopted = await arm.reopen();
    const byId = new Map((await adopted.list({}, call())).containers.map((status) => [status.id, status]));
    expect(byId.get(running.id)).toEqual(await statusOf(runtime, running.id));
    expect(byId.get(running.id)).toMatchObject({ phase: 'running', key: running.key });
    expect(byId.get(ended.id)).toMatchObject({ phase: 'stopped', exit });
    const request = { id: running.id, args: arm.command('prints'), terminal: false };
    expect(await adopted.run(request, call())).toEqual({ code: 0, output: 'hello\n' });
  });
}
