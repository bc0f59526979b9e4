/** How containers end: by themselves, by signals, by force, for want of memory; and removal. */
import { expect, test } from 'vitest';
import { until } from '../../kit/until.ts';
import { call, inPhase, refusal, started, statusOf, type Given } from './rig.ts';

export function endTests(given: () => Given): void {
  exitTests(given);
  removalTests(given);
}

function exitTests(given: () => Given): void {
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
    // A program heeds signals from a moment after its start: until then the kernel drops them.
    await until('it heeds its stop signal', async () => {
      await runtime.signal({ id }, call());
      return watch.events.some((event) => event.type === 'exited' && event.id === id);
    });
    await inPhase(runtime, id, 'stopped');
    await runtime.signal({ id, signal: 'SIGTERM' }, call());
    await runtime.kill({ id }, call());
    expect(watch.events.filter((event) => event.type === 'exited' && event.id === id)).toHaveLength(1);
  });

  test('a container that ignores its stop signal runs on until it is killed, with code 137', async () => {
    const { arm, runtime, watch } = given();
    const { id } = await started(given(), { of: 'ignores-stop' });
    const command = { id, args: arm.command('prints'), terminal: false };
    // Its program runs, and no longer what starts it, when a command beside it has run.
    await runtime.run(command, call());
    await runtime.signal({ id, signal: 'SIGTERM' }, call());
    // Whatever the signal does has been done when a command that came after it has ended.
    await runtime.run(command, call());
    expect(await statusOf(runtime, id)).toMatchObject({ phase: 'running' });
    await runtime.kill({ id }, call());
    expect(await watch.exitOf(id)).toMatchObject({ code: 137, oomKilled: false });
  });

  test('a signal that its first process has no handler for does nothing', async () => {
    const { arm, runtime } = given();
    const { id } = await started(given(), { of: 'runs' });
    await runtime.signal({ id, signal: 'SIGUSR2' }, call());
    // Whatever the signal does has been done when a command that came after it has ended.
    await runtime.run({ id, args: arm.command('prints'), terminal: false }, call());
    expect(await statusOf(runtime, id)).toMatchObject({ phase: 'running' });
  });

  test('what has ended cannot be started again', async () => {
    const { runtime, watch } = given();
    const { id } = await started(given(), { of: 'exits', code: 42 });
    await watch.exitOf(id);
    const before = await inPhase(runtime, id, 'stopped');
    expect(await refusal(runtime.start({ id }, call()))).toBe('HM-CONTAINER-STOPPED');
    expect(await statusOf(runtime, id)).toEqual(before);
  });

  test('running out of memory is told by event, and by the exit', async ({ skip }) => {
    const { arm, runtime, watch } = given();
    if (!arm.outOfMemory) return skip('this runtime has no memory to run out of');
    const { create } = await arm.outOfMemory();
    await runtime.create(create, call());
    await runtime.start({ id: create.id }, call());
    const exit = await watch.exitOf(create.id);
    expect(exit).toMatchObject({ code: 137, oomKilled: true });
    await until('the oom event', () =>
      watch.events.some((event) => event.type === 'oom' && event.id === create.id),
    );
    expect((await inPhase(runtime, create.id, 'stopped')).exit).toEqual(exit);
  });
}

function removalTests(given: () => Given): void {
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
}
