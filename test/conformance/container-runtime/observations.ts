/** Stats, events and adoption by a new runtime. */
import { expect, test } from 'vitest';
import { until } from '../../kit/until.ts';
import { call, inPhase, refusal, started, statusOf, watchEvents, type Given } from './rig.ts';

export function observationTests(given: () => Given): void {
  test('its processes are told', async () => {
    const { runtime } = given();
    const { id } = await started(given(), { of: 'runs' });
    const { processes } = await runtime.processes({ id }, call());
    const status = await statusOf(runtime, id);
    expect(processes.map(({ pid }) => pid)).toContain(status!.pid);
    expect(processes[0]!.command).not.toBe('');
    expect(await refusal(runtime.processes({ id: 'nobody-1' }, call()))).toBe('HM-CONTAINER-UNKNOWN');
  });

  test('what it wrote is told when that is asked for', async () => {
    const { runtime } = given();
    const { id } = await started(given(), { of: 'runs' });
    const [one] = (await runtime.stats({ ids: [id], disk: true }, call())).stats;
    expect(one!.diskBytes).toBeGreaterThanOrEqual(0);
  });

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
