/** Reservations against a machine: what fits, what is short, and which service is told. */
import { expect, test } from 'vitest';
import { reservedBy, shortage, type Demand } from '../../../../protocols/apps/capacity.ts';

const GiB = 2 ** 30;
const machine = { cpus: 2, memoryBytes: 4 * GiB };
const none = { cpus: 0, memoryBytes: 0 };
const demand = (name: string, replicas: number, cpus: number, memoryBytes: number): Demand => ({
  name,
  replicas,
  resources: { reservations: { cpus, memoryBytes } },
});

test.each([
  ['nothing reserved', [{ name: 'web', replicas: 1_000 }], none, undefined],
  ['exactly all of it', [demand('web', 4, 0.5, GiB)], none, undefined],
  ['one byte too many', [demand('web', 1, 0, 4 * GiB + 1)], none, 'The node has 4096 MiB; 4097 MiB'],
  ['one replica too many', [demand('web', 5, 0, GiB)], none, 'web reserves 1024 MiB × 5'],
  ['another app has it', [demand('web', 1, 0, GiB)], { cpus: 0, memoryBytes: 3.5 * GiB }, '3584 MiB of them'],
  ['CPUs', [demand('web', 3, 0.75, GiB)], none, 'The node has 2 CPUs; 2.25 CPUs are asked for'],
  ['the larger is named', [demand('a', 1, 0, GiB), demand('b', 1, 0, 4 * GiB)], none, 'b reserves 4096 MiB'],
  ['more is reserved than there is, and this reserves none', [demand('a', 9, 0, 0)], machine, undefined],
] as const)('%s', (_what, demands, reserved, told) => {
  const short = shortage(demands, reserved, machine);
  if (told === undefined) expect(short).toBeUndefined();
  else {
    expect(short?.reason.code).toBe('HM-NODE-CAPACITY');
    expect(short?.message).toContain(told);
  }
});

test('of several services, by replica', () => {
  expect(reservedBy([demand('a', 2, 0.5, GiB), demand('b', 0, 1, GiB)])).toEqual({
    cpus: 1,
    memoryBytes: 2 * GiB,
  });
});
