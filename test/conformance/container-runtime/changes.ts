/** What changes about a container that runs: its limits, and whether it stands still. */
import { expect, test } from 'vitest';
import { resourcesMark } from '../../../protocols/containers/oci/resources.ts';
import { until } from '../../kit/until.ts';
import { call, inPhase, refusal, started, statusOf, type Given } from './rig.ts';

export function changeTests(given: () => Given): void {
  test('limits change while it runs, are told by inspect, also to a new runtime, and can be taken away', async () => {
    const { arm, runtime } = given();
    const { id } = await started(given(), { of: 'runs' });
    const before = (await statusOf(runtime, id))!;
    expect(before.resources).toBe(resourcesMark(undefined));
    const resources = { limits: { memoryBytes: 268_435_456, cpus: 0.5, pids: 100 }, cpuShares: 200 };
    await runtime.update({ id, resources }, call());
    const after = { ...before, resources: resourcesMark(resources) };
    expect(await statusOf(runtime, id)).toEqual(after);
    expect(await statusOf(await arm.reopen(), id)).toEqual(after);
    await runtime.update({ id, resources: {} }, call());
    expect(await statusOf(runtime, id)).toEqual(before);
  });

  test('what was paused is told by event and inspect, runs no command, and goes on', async () => {
    const { arm, runtime, watch } = given();
    const { id } = await started(given(), { of: 'runs' });
    const told = (paused: boolean) =>
      until(`told paused: ${paused}`, () =>
        watch.events.some((event) => event.type === 'paused' && event.id === id && event.paused === paused),
      );
    await runtime.pause({ id }, call());
    await runtime.pause({ id }, call());
    await told(true);
    await inPhase(runtime, id, 'paused');
    await inPhase(await arm.reopen(), id, 'paused');
    const prints = { id, args: arm.command('prints'), terminal: false };
    expect(await refusal(runtime.run(prints, call()))).toBe('HM-CONTAINER-PAUSED');
    expect((await runtime.stats({ ids: [id] }, call())).stats).toHaveLength(1);
    await runtime.unpause({ id }, call());
    await runtime.unpause({ id }, call());
    await told(false);
    expect(await runtime.run(prints, call())).toMatchObject({ code: 0 });
  });

  test('a paused container heeds its stop signal, is killed, and is removed', async () => {
    const { arm, runtime, watch } = given();
    const heeds = await started(given(), { of: 'runs' });
    // Its program runs when a command beside it has run.
    await runtime.run({ id: heeds.id, args: arm.command('prints'), terminal: false }, call());
    await runtime.pause({ id: heeds.id }, call());
    await until('it heeds its stop signal', async () => {
      await runtime.signal({ id: heeds.id }, call());
      return watch.events.some((event) => event.type === 'exited' && event.id === heeds.id);
    });
    const killed = await started(given(), { of: 'ignores-stop' });
    await runtime.pause({ id: killed.id }, call());
    await runtime.kill({ id: killed.id }, call());
    expect(await watch.exitOf(killed.id)).toMatchObject({ code: 137 });
    const removed = await started(given(), { of: 'runs' });
    await runtime.pause({ id: removed.id }, call());
    await runtime.remove({ id: removed.id }, call());
    expect(await runtime.inspect({ id: removed.id }, call())).toEqual({});
  });

  test('what does not run cannot be changed', async () => {
    const { runtime, watch } = given();
    const { id } = await started(given(), { of: 'exits', code: 0 });
    await watch.exitOf(id);
    await inPhase(runtime, id, 'stopped');
    expect(await refusal(runtime.pause({ id }, call()))).toBe('HM-CONTAINER-STOPPED');
    expect(await refusal(runtime.update({ id, resources: {} }, call()))).toBe('HM-CONTAINER-STOPPED');
    expect(await refusal(runtime.unpause({ id: 'nobody-1' }, call()))).toBe('HM-CONTAINER-UNKNOWN');
  });
}
