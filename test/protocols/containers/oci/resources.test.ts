/** Limits as the specification writes them, at the create and while a container runs, for both cgroup versions. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ResourceSettings } from '../../../../protocols/apps/service-model.ts';
import {
  fixedResources,
  limitsOf,
  limitsUpdate,
  resourcesMark,
} from '../../../../protocols/containers/oci/resources.ts';
import { CodedError } from '../../../../protocols/errors.ts';

const disk = { '/dev/vda': { major: 254, minor: 0 } };
const v1 = { cgroups: 1, blockDevices: disk, swapCounted: true, cpuset: '0-1', weighsDisks: true } as const;
const v2 = { ...v1, cgroups: 2, weighsDisks: false } as const;

describe('limits', () => {
  it.each<[string, ResourceSettings, object]>([
    ['nothing', {}, {}],
    ['memory, with as much swap again', { limits: { memoryBytes: 10 } }, { memory: { limit: 10, swap: 20 } }],
    [
      'memory and swap',
      { limits: { memoryBytes: 10 }, memorySwapBytes: -1 },
      { memory: { limit: 10, swap: -1 } },
    ],
    ['reserved memory alone', { reservations: { memoryBytes: 5, cpus: 1 } }, { memory: { reservation: 5 } }],
    ['cpus', { limits: { cpus: 1.5 } }, { cpu: { quota: 150_000, period: 100_000 } }],
    [
      'cpus of another period',
      { limits: { cpus: 2 }, cpuPeriodUs: 50_000 },
      { cpu: { quota: 100_000, period: 50_000 } },
    ],
    [
      'a quota of its own',
      { limits: { cpus: 2 }, cpuQuotaUs: 7_000 },
      { cpu: { quota: 7_000, period: 100_000 } },
    ],
    ['shares and cpuset', { cpuShares: 7, cpuset: '0-1' }, { cpu: { shares: 7, cpus: '0-1' } }],
    ['processes', { limits: { pids: 3 } }, { pids: { limit: 3 } }],
    ['processes without end', { limits: { pids: 0 } }, { pids: { limit: -1 } }],
    [
      'disks',
      {
        blkio: {
          weight: 300,
          readBps: [{ path: '/dev/vda', rate: 9 }],
          weightDevices: [{ path: '/dev/vda', weight: 11 }],
        },
      },
      {
        blockIO: {
          weight: 300,
          weightDevice: [{ major: 254, minor: 0, weight: 11 }],
          throttleReadBpsDevice: [{ major: 254, minor: 0, rate: 9 }],
        },
      },
    ],
  ])('%s', (_name, settings, expected) => {
    expect(limitsOf(settings, v1)).toEqual(expected);
    expect(limitsOf(settings, v2)).toEqual(expected);
  });

  it.each<[ResourceSettings, 1 | 2]>([
    [{ memorySwappiness: 1 }, 2],
    [{ cpuRealtimePeriodUs: 1 }, 2],
    [{ cpuRealtimeRuntimeUs: 1 }, 2],
    [{ blkio: { readBps: [{ path: '/dev/none', rate: 1 }] } }, 1],
  ])('%j is refused on cgroup v%i', (settings, cgroups) => {
    const run = () => limitsOf(settings, { ...v1, cgroups });
    expect(run).toThrow(CodedError);
    expect(run).toThrow(/HM-CONTAINER-SETTING/);
  });
});

it('of swap are refused where it is not counted, and left out unless they are said', () => {
  const uncounted = { ...v1, swapCounted: false };
  expect(limitsOf({ limits: { memoryBytes: 10 } }, uncounted)).toEqual({ memory: { limit: 10 } });
  expect(() => limitsOf({ memorySwapBytes: 10 }, uncounted)).toThrow(/HM-CONTAINER-SETTING/);
  expect(limitsUpdate({}, uncounted).memory).toEqual({ limit: -1, reservation: -1 });
});

describe('limits of what runs', () => {
  it('says what is no longer limited', () => {
    expect(limitsUpdate({}, v1)).toEqual({
      memory: { limit: -1, swap: -1, reservation: -1 },
      cpu: { shares: 1_024, quota: -1, period: 100_000, cpus: '0-1' },
      pids: { limit: -1 },
      blockIO: { weight: 500 },
    });
    expect(limitsUpdate({}, v2).memory).toEqual({ limit: -1, swap: -1, reservation: 1 });
    expect(limitsUpdate({}, v2).blockIO).toBeUndefined();
  });

  it('says the rest as at the create', () => {
    const settings = { limits: { memoryBytes: 10, cpus: 1 }, memorySwappiness: 3 };
    expect(limitsUpdate(settings, v1)).toMatchObject({
      memory: { limit: 10, swap: 20, reservation: -1 },
      cpu: { quota: 100_000 },
    });
    expect(limitsUpdate(settings, v1).memory).not.toHaveProperty('swappiness');
  });
});

const anySettings: fc.Arbitrary<ResourceSettings> = fc.record(
  {
    limits: fc.record({ cpus: fc.nat(8), memoryBytes: fc.nat(), pids: fc.nat(9) }, { requiredKeys: [] }),
    memorySwapBytes: fc.nat(),
    memorySwappiness: fc.nat(100),
    cpuShares: fc.nat(),
    cpuset: fc.constantFrom('0', '0-1'),
    blkio: fc.record({ weight: fc.nat(1_000) }),
  },
  { requiredKeys: [] },
);

it('two settings with one mark and one fixed part are given the same limits', () => {
  fc.assert(
    fc.property(anySettings, anySettings, (a, b) => {
      const same =
        resourcesMark(a) === resourcesMark(b) &&
        JSON.stringify(fixedResources(a)) === JSON.stringify(fixedResources(b));
      if (same) expect(limitsOf(a, v1)).toEqual(limitsOf(b, v1));
      expect(resourcesMark(a)).toBe(resourcesMark({ ...a, memorySwappiness: 1 }));
    }),
  );
});
