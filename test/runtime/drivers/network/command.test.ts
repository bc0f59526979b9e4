/** Short-lived programs under their bounds: time, output, nobody waiting, not there. */
import { expect, it } from 'vitest';
import { limits } from '../../../../protocols/limits.ts';
import { createRun, succeeded, wasNoLink } from '../../../../runtime/drivers/network/linux/command.ts';
import { HeapClock } from '../../../../runtime/world/heap-clock.ts';
import { newCall, refusal } from '../../../kit/port-call.ts';

const clock = new HeapClock();
const run = createRun({ clock, within: [] });

it('answers with what was said', async () => {
  const { signal } = newCall();
  expect(await run(['cat'], { input: 'a\nb\n', signal })).toEqual({ code: 0, stdout: 'a\nb\n', stderr: '' });
  const failed = await run(['sh', '-c', 'echo sorry >&2; exit 3'], { signal });
  expect(failed).toEqual({ code: 3, stdout: '', stderr: 'sorry\n' });
  expect((await refusal((async () => succeeded('the step', failed))())).message).toBe(
    'the step failed: sorry',
  );
});

it('tells a link that is gone, before ip looked or after it, from what failed otherwise', () => {
  const said = (stderr: string, code = 1) => wasNoLink({ code, stdout: '', stderr });
  expect(said('Cannot find device "hm1"\n')).toBe(true);
  expect(said('RTNETLINK answers: No such device\n', 2)).toBe(true);
  expect(said('RTNETLINK answers: Operation not permitted\n', 2)).toBe(false);
  expect(said('', 0)).toBe(false);
});

it('ends what hangs, at its deadline', async () => {
  const hung = refusal(run(['sleep', '1000'], newCall()));
  await clock.advance(limits.networkCommandMs);
  expect((await hung).message).toContain('did not end in time');
  expect(clock.timers).toBe(0);
});

it('ends what nobody waits for, and begins nothing then', async () => {
  const controller = new AbortController();
  const given = refusal(run(['sleep', '1000'], { signal: controller.signal }));
  controller.abort();
  expect((await given).message).toContain('was given up');
  expect((await refusal(run(['touch', '/proc/never'], { signal: controller.signal }))).code).toBe(
    'HM-NETWORK-DRIVER',
  );
});

it('ends what says too much', async () => {
  expect((await refusal(run(['cat', '/dev/zero'], newCall()))).message).toContain('more than a limit allows');
});

it('says which package has what is missing', async () => {
  const absent = createRun({ clock, within: [] });
  const because = await refusal(absent(['/nowhere/nft', '-f', '-'], newCall()));
  expect(because).toMatchObject({ code: 'HM-NETWORK-DRIVER', hint: 'Install it: apt-get install nftables' });
  const inside = createRun({ clock, within: ['sh', '-c', '"$@"', 'sh'] });
  expect((await refusal(inside(['/nowhere/ip', 'link'], newCall()))).hint).toContain('iproute2');
});
