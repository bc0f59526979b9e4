/** The driver's pure parts: texts into codes, metrics into figures, names, signals, turns. */
import { create, toBinary } from '@bufbuild/protobuf';
import { status } from '@grpc/grpc-js';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { containerId } from '../../../../protocols/containers/ids.ts';
import { CodedError, coded } from '../../../../protocols/errors.ts';
import { exitOf, isContainerId } from '../../../../runtime/drivers/container/containerd/containers/record.ts';
import { createSerial } from '../../../../runtime/drivers/container/serial.ts';
import { usageOf } from '../../../../runtime/drivers/container/containerd/containers/stats.ts';
import { layersOf } from '../../../../runtime/drivers/container/containerd/containers/user-database.ts';
import { signalNumber } from '../../../../runtime/drivers/container/signals.ts';
import {
  codedFailure,
  commandFailure,
  isGone,
} from '../../../../runtime/drivers/container/containerd/failure.ts';
import { MetricsSchema as MetricsV1 } from '../../../../runtime/drivers/container/containerd/gen/payloads/cgroups-v1_pb.ts';
import { MetricsSchema as MetricsV2 } from '../../../../runtime/drivers/container/containerd/gen/payloads/cgroups-v2_pb.ts';
import { chainId, imageName } from '../../../../runtime/drivers/container/containerd/image-config.ts';
import { RpcFailure } from '../../../../runtime/drivers/container/containerd/rpc.ts';
import { isOrphanInTheWay } from '../../../../runtime/drivers/container/containerd/snapshot.ts';

const runc =
  'failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process';

describe('failures', () => {
  test.each([
    [status.UNAVAILABLE, 'connect ENOENT /run/c.sock', 'HM-RUNTIME-DOWN'],
    [status.DEADLINE_EXCEEDED, 'Deadline exceeded', 'HM-RUNTIME-TIMEOUT'],
    [status.CANCELLED, 'Cancelled on client', 'HM-RUNTIME-TIMEOUT'],
    [status.UNKNOWN, 'write /x/config.json: no space left on device', 'HM-DISK-FULL'],
    [status.UNAVAILABLE, 'mkdir /x: no space left on device', 'HM-DISK-FULL'],
    [
      status.UNKNOWN,
      `${runc}: exec: "nope": executable file not found in $PATH: unknown`,
      'HM-CONTAINER-COMMAND',
    ],
    [
      status.UNKNOWN,
      `${runc}: exec: "/x": stat /x: no such file or directory: unknown`,
      'HM-CONTAINER-COMMAND',
    ],
    [status.UNKNOWN, `${runc}: exec: "/etc": permission denied: unknown`, 'HM-CONTAINER-COMMAND'],
    [
      status.UNKNOWN,
      `${runc}: error mounting "/a" to rootfs: no such file or directory`,
      'HM-CONTAINER-CREATE',
    ],
    [status.UNKNOWN, 'mkdir /run/x: file exists', 'HM-CONTAINER-CREATE'],
  ])('status %i, %s is %s', (code, text, expected) => {
    const error = codedFailure(new RpcFailure('Create', code, text), { id: 'c' });
    expect(error).toBeInstanceOf(CodedError);
    const { reason } = error as CodedError;
    expect(reason).toMatchObject({ code: expected, evidence: { id: 'c' } });
    expect(reason.message).toContain(text);
  });

  test('coded errors and defects stay what they are', () => {
    const known = coded('HM-IMAGE-MISSING');
    expect(codedFailure(known, {})).toBe(known);
    const defect = new TypeError('x is not a function');
    expect(codedFailure(defect, {})).toBe(defect);
    const full = Object.assign(new Error('ENOSPC: no space'), { code: 'ENOSPC', syscall: 'open' });
    expect(codedFailure(full, {})).toMatchObject({ reason: { code: 'HM-DISK-FULL' } });
  });

  test('a missing command is 127, one that may not be run 126, anything else none', () => {
    const failed = (text: string) => commandFailure(new RpcFailure('Start', status.UNKNOWN, text));
    expect(failed('exec failed: exec: "nope": executable file not found in $PATH')).toBe(127);
    expect(failed('exec failed: exec: "/etc": permission denied')).toBe(126);
    expect(failed('cannot exec in a stopped container')).toBeUndefined();
    expect(commandFailure(new Error('executable file not found'))).toBeUndefined();
  });

  test('gone is gone by status or by text', () => {
    expect(isGone(new RpcFailure('Kill', status.NOT_FOUND, 'x'))).toBe(true);
    expect(isGone(new RpcFailure('Kill', status.UNKNOWN, 'os: process already finished'))).toBe(true);
    expect(isGone(new RpcFailure('Kill', status.UNKNOWN, 'permission denied'))).toBe(false);
  });
});

describe('metrics', () => {
  test('of cgroup v1', () => {
    const metrics = create(MetricsV1, {
      cpu: { usage: { total: 5_000n } },
      memory: { usage: { usage: 900n, limit: 9_223_372_036_854_771_712n }, totalInactiveFile: 200n },
      pids: { current: 3n },
    });
    const value = toBinary(MetricsV1, metrics);
    expect(usageOf({ typeUrl: 'io.containerd.cgroups.v1.Metrics', value })).toEqual({
      cpuNs: 5_000,
      memoryBytes: 900,
      workingSetBytes: 700,
      pids: 3,
    });
  });

  test('of cgroup v2, with a limit', () => {
    const metrics = create(MetricsV2, {
      cpu: { usageUsec: 5n },
      memory: { usage: 900n, usageLimit: 1_024n, inactiveFile: 1_000n },
      pids: { current: 1n },
    });
    const value = toBinary(MetricsV2, metrics);
    const typeUrl = 'types.containerd.io/io.containerd.cgroups.v2.Metrics';
    expect(usageOf({ typeUrl, value })).toEqual({
      cpuNs: 5_000,
      memoryBytes: 900,
      workingSetBytes: 0,
      memoryLimitBytes: 1_024,
      pids: 1,
    });
  });

  test('of another system are none', () => {
    expect(usageOf({ typeUrl: 'containerd.windows.Statistics', value: new Uint8Array() })).toBeUndefined();
  });
});

describe('names', () => {
  test.each([
    ['redis', 'redis:latest'],
    ['redis:7', 'redis:7'],
    ['registry:5000/team/web', 'registry:5000/team/web:latest'],
    ['registry:5000/team/web:2', 'registry:5000/team/web:2'],
    ['web@sha256:00', 'web@sha256:00'],
  ])('%s is the image %s', (reference, name) => expect(imageName(reference)).toBe(name));

  test('a chain id is the digest of one layer, and folds further ones in', () => {
    expect(chainId([])).toBe('');
    expect(chainId(['sha256:aa'])).toBe('sha256:aa');
    // printf 'sha256:aa sha256:bb' | sha256sum
    expect(chainId(['sha256:aa', 'sha256:bb'])).toBe(
      'sha256:b68ad689d6d1ec110ea1c13617437ad6f3766d4b3b309f6a603a222e07a0164f',
    );
  });

  test.each([
    ['SIGTERM', 15],
    ['term', 15],
    ['9', 9],
    ['SIGRTMIN+3', 37],
    ['SIGRTMIN', 34],
  ])('the signal %s is %i', (name, number) => expect(signalNumber(name)).toBe(number));

  test.each(['', '..', '../x', 'a/b', '.a', 'a..b', 'a b', 'x'.repeat(77)])('%j is no container id', (id) =>
    expect(isContainerId(id)).toBe(false),
  );

  test('every id that Hivemind makes is a container id', () => {
    fc.assert(
      fc.property(fc.string(), fc.nat(), fc.nat(), fc.nat(), (slot, placement, run, attempt) => {
        expect(isContainerId(containerId({ slot, placement, run, attempt }))).toBe(true);
      }),
    );
  });

  test('an unknown signal is refused', () => expect(() => signalNumber('SIGNAL')).toThrow('HM-CONFIG'));

  test.each([
    [
      'failed to rename: rename /r/io.containerd.snapshotter.v1.overlayfs/snapshots/new-31 /r/io.containerd.snapshotter.v1.overlayfs/snapshots/43: file exists',
      true,
    ],
    ['rename /a /b: file exists', false],
    ['mkdir /r/io.containerd.snapshotter.v1.overlayfs/snapshots/43: file exists', false],
    ['', false],
  ])('%s: an orphan in the way: %s', (text, expected) => expect(isOrphanInTheWay(text)).toBe(expected));

  test('layers of a mount, topmost first', () => {
    expect(layersOf([])).toEqual([]);
    expect(layersOf([{ type: 'bind', source: '/s/1/fs', options: ['ro', 'rbind'] }])).toEqual(['/s/1/fs']);
    const options = ['index=off', 'lowerdir=/s/2/fs:/s/1/fs'];
    expect(layersOf([{ type: 'overlay', source: 'overlay', options }])).toEqual(['/s/2/fs', '/s/1/fs']);
  });
});

test('an end with code 0 was not for want of memory', () => {
  expect(exitOf(0, undefined, 1).oomKilled).toBe(false);
  expect(exitOf(137, undefined, 1).oomKilled).toBe(true);
  expect(exitOf(137, undefined, 0).oomKilled).toBe(false);
});

describe('turns', () => {
  test('work under one key never overlaps and keeps its order; other keys do not wait', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 12 }),
        async (s, keys) => {
          const serial = createSerial();
          const signal = new AbortController().signal;
          const underWay = new Set<string>();
          const done: Record<string, number[]> = { a: [], b: [], c: [] };
          const all = keys.map((key, index) =>
            serial.run(key, signal, async () => {
              expect(underWay.has(key)).toBe(false);
              underWay.add(key);
              await s.schedule(Promise.resolve());
              underWay.delete(key);
              done[key]!.push(index);
              if (index % 3 === 0) throw new Error('a failure holds nobody up');
            }),
          );
          const settled = Promise.allSettled(all);
          await s.waitFor(settled);
          for (const key of ['a', 'b', 'c']) {
            expect(done[key]).toEqual(keys.flatMap((k, index) => (k === key ? [index] : [])));
          }
          await Promise.resolve();
          expect(serial.busy).toBe(0);
        },
      ),
    );
  });

  test('who gives up waiting does not start later', async () => {
    const serial = createSerial();
    let finish = () => {};
    const first = serial.run(
      'a',
      new AbortController().signal,
      () => new Promise<void>((resolve) => (finish = resolve)),
    );
    const impatient = new AbortController();
    let started = false;
    const second = serial.run('a', impatient.signal, async () => {
      started = true;
    });
    impatient.abort();
    await expect(second).rejects.toThrow('HM-RUNTIME-TIMEOUT');
    finish();
    await first;
    await serial.run('a', new AbortController().signal, async () => {});
    expect(started).toBe(false);
  });
});
