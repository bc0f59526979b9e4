/** The doctor in time: what does not answer is a finding and keeps nobody waiting for the others. */
import { expect, test } from 'vitest';
import { limits } from '../../../protocols/limits.ts';
import type { MemberView } from '../../../protocols/membership/views/view.ts';
import type { Call } from '../../../protocols/ports.ts';
import type { Finding } from '../../../runtime/node-handle.ts';
import { others } from '../../../runtime/world/doctor.ts';
import { HeapClock } from '../../../runtime/world/heap-clock.ts';
import { findingsInTime, type Check } from '../../../runtime/world/in-time.ts';

const ok = (id: string): Check => ({ id, run: () => Promise.resolve({ id, verdict: 'ok', detail: 'fine' }) });

test('all checks run at once, and together take one bound at most', async () => {
  const clock = new HeapClock();
  const calls: Call[] = [];
  const frozen = (id: string, remedy?: string): Check => ({
    id,
    run: (call) => new Promise<Finding>(() => void calls.push(call)),
    ...(remedy === undefined ? {} : { remedy }),
  });
  const asked = findingsInTime(clock, [frozen('containerd', 'start it'), ok('store'), frozen('disk')]);
  await clock.advance(limits.doctorCheckMs);
  const late = { verdict: 'failed', detail: 'does not answer within 3 s' };
  expect(await asked).toMatchObject([
    { id: 'containerd', ...late, remedy: 'start it' },
    { id: 'store', verdict: 'ok' },
    { id: 'disk', ...late },
  ]);
  expect(calls.map(({ signal }) => signal.aborted)).toEqual([true, true]);
  expect(clock.timers).toBe(0);
});

test('the others of a cluster: how many are alive, and who is missed', () => {
  const member = (name: string, status: MemberView['status'], self = false) =>
    ({ name, status, self }) as MemberView;
  const own = member('n1', 'alive', true);
  expect(others([own])).toMatchObject({ verdict: 'ok', detail: '0 other nodes are alive' });
  expect(others([own, member('n2', 'alive'), member('n3', 'left')])).toMatchObject({
    verdict: 'ok',
    detail: '1 other node is alive',
  });
  expect(others([own, member('n2', 'dead'), member('n3', 'suspected')])).toMatchObject({
    verdict: 'warning',
    detail: '0 other nodes are alive, and n2, n3 not heard',
    remedy: 'hivemind why n2',
  });
});

test('a check that throws has failed, and the others stand', async () => {
  const clock = new HeapClock();
  const broken: Check = { id: 'disk', run: () => Promise.reject(new Error('ENOENT: /data')) };
  expect(await findingsInTime(clock, [broken, ok('store')])).toMatchObject([
    { id: 'disk', verdict: 'failed', detail: 'ENOENT: /data' },
    { id: 'store', verdict: 'ok' },
  ]);
  expect(clock.timers).toBe(0);
});
