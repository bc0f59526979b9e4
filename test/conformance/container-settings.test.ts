/**
 * What a service may ask of its container, asked of real containerd, runc and kernel: each case is a service, a
 * script inside, and what it must say. What the specification looks like stands in test/protocols/containers/oci.
 */
import { existsSync } from 'node:fs';
import { chown, mkdir, mkdtemp, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { ServiceSpec } from '../../protocols/apps/model.ts';
import type { ContainerCreate, ResolvedMount } from '../../protocols/containers/model.ts';
import type { ContainerdRuntime } from '../../runtime/drivers/container/containerd/driver.ts';
import { containerCreate } from '../kit/container-create.ts';
import { missingForContainerd, startContainerd, type TestContainerd } from '../kit/containerd.ts';
import { call, inPhase, refusal } from './container-runtime/rig.ts';

const missing = missingForContainerd();
const cgroups = existsSync('/sys/fs/cgroup/cgroup.controllers') ? 2 : 1;

describe('settings of a container', () => {
  if (missing) {
    test('are skipped', ({ skip }) => skip(missing));
    return;
  }
  let containerd: TestContainerd;
  let runtime: ContainerdRuntime;
  let count = 0;
  beforeAll(async () => {
    containerd = await startContainerd();
    await containerd.addImage('box:latest');
    runtime = containerd.runtime();
  }, 120_000);
  afterEach(async () => {
    for (const { id } of (await runtime.list({}, call())).containers) await runtime.remove({ id }, call());
  });
  afterAll(() => containerd?.stop(), 60_000);

  async function given(
    service: Partial<ServiceSpec>,
    script: string,
    mounts: readonly ResolvedMount[] = [],
  ): Promise<ContainerCreate> {
    const create = containerCreate(++count, { image: 'box', command: ['/bin/sh', '-c', script], ...service });
    return { ...create, mounts, ...(await containerd.logFiles(create.id)) };
  }

  async function started(create: ContainerCreate): Promise<ContainerCreate> {
    await runtime.create(create, call());
    await runtime.start({ id: create.id }, call());
    return create;
  }

  /** What it wrote until it ended. */
  async function said(service: Partial<ServiceSpec>, script: string, mounts: readonly ResolvedMount[] = []) {
    const create = await started(await given(service, script, mounts));
    await inPhase(runtime, create.id, 'stopped');
    const text = await readFile(create.stdoutPath, 'utf8');
    return text.replaceAll('\r\n', '\n').trim() + (await readFile(create.stderrPath, 'utf8')).trim();
  }

  const b = '/bin/busybox';
  test.each<[string, Partial<ServiceSpec>, string, string | RegExp]>([
    ['working directory', { process: { workingDir: '/tmp' } }, `${b} pwd`, '/tmp'],
    [
      'user and groups',
      { process: { user: 'app', groupAdd: ['50', 'extra'] } },
      'id -u; id -G',
      '1000\n1000 50 2000',
    ],
    ['domain name', { process: { domainname: 'hive.test' } }, 'cat /proc/sys/kernel/domainname', 'hive.test'],
    [
      'a reaper is process 1',
      { process: { init: true } },
      `cat /proc/1/comm; [ $$ != 1 ] && echo below`,
      'init\nbelow',
    ],
    ['a terminal', { process: { tty: true } }, '[ -t 1 ] && [ -t 0 ] && echo terminal', 'terminal'],
    ['a read-only root', { isolation: { readOnly: true } }, 'echo x > /x', /Read-only file system/],
    [
      'more capabilities',
      { isolation: { capAdd: ['NET_ADMIN'] } },
      `${b} grep CapEff /proc/self/status`,
      'CapEff:\t00000000a80435fb',
    ],
    [
      'none at all',
      { isolation: { capDrop: ['ALL'] } },
      `${b} grep CapEff /proc/self/status`,
      'CapEff:\t0000000000000000',
    ],
    [
      'all but one',
      { isolation: { capDrop: ['ALL'], capAdd: ['CHOWN'] } },
      `${b} grep CapEff /proc/self/status`,
      'CapEff:\t0000000000000001',
    ],
    [
      'new privileges',
      { isolation: { noNewPrivileges: false } },
      `${b} grep NoNewPrivs /proc/self/status`,
      'NoNewPrivs:\t0',
    ],
    [
      'no filter of system calls',
      { isolation: { seccomp: 'unconfined' } },
      `${b} grep Seccomp: /proc/self/status`,
      'Seccomp:\t0',
    ],
    [
      'a filter of its own',
      {
        isolation: {
          seccomp: JSON.stringify({
            defaultAction: 'SCMP_ACT_ALLOW',
            syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 }],
          }),
        },
      },
      `${b} mkdir /tmp/x`,
      /Operation not permitted/,
    ],
    [
      'bare system paths',
      { isolation: { systemPathsUnconfined: true } },
      `${b} ls -A /proc/acpi /proc/scsi | ${b} wc -l; ${b} touch /proc/sys/kernel/domainname && echo writable`,
      /writable/,
    ],
    [
      'kernel settings',
      { isolation: { sysctls: { 'net.core.somaxconn': '77', 'kernel.shm_rmid_forced': '1' } } },
      'cat /proc/sys/net/core/somaxconn /proc/sys/kernel/shm_rmid_forced',
      '77\n1',
    ],
    [
      'limits of a process',
      { isolation: { ulimits: { nofile: { soft: 99, hard: 100 }, core: { soft: -1, hard: -1 } } } },
      'ulimit -n; ulimit -Hn; ulimit -c',
      '99\n100\nunlimited',
    ],
    [
      'a device',
      { isolation: { devices: [{ source: '/dev/null', target: '/dev/nothing', permissions: 'rw' }] } },
      `${b} stat -c %t:%T /dev/nothing; echo x > /dev/nothing && echo written`,
      '1:3\nwritten',
    ],
    ['the processes of the machine', { isolation: { pid: 'host' } }, '[ $$ != 1 ] && echo many', 'many'],
    [
      'the name of the machine',
      { isolation: { uts: 'host' } },
      `[ "$(${b} hostname)" != web ] && echo machine`,
      'machine',
    ],
    [
      'shared memory of a size',
      { isolation: { shmSizeBytes: 2_097_152 } },
      `${b} df -k /dev/shm | tail -n 1 | ${b} awk '{print $2}'`,
      '2048',
    ],
    ['no shared memory', { isolation: { ipc: 'none' } }, '[ -d /dev/shm ] || echo none', 'none'],
    ['a score for the killer', { isolation: { oomScoreAdj: 321 } }, 'cat /proc/self/oom_score_adj', '321'],
    [
      'a cgroup namespace',
      { isolation: { cgroup: 'private' } },
      `${b} grep -c hivemind /proc/self/cgroup`,
      '0',
    ],
    [
      'all privileges',
      { isolation: { privileged: true } },
      `${b} grep Seccomp: /proc/self/status; ${b} touch /proc/sys/kernel/domainname && echo writable; [ -c /dev/kmsg ] && echo devices`,
      'Seccomp:\t0\nwritable\ndevices',
    ],
  ])('%s', async (_name, service, script, expected) => {
    const text = await said(service, script);
    if (typeof expected === 'string') expect(text).toBe(expected);
    else expect(text).toMatch(expected);
  });

  test.each<[string, Partial<ServiceSpec>, string]>([
    ['a setting of the machine', { isolation: { sysctls: { 'kernel.panic': '1' } } }, 'HM-CONTAINER-SETTING'],
    [
      'a network setting on the host network',
      { networkMode: 'host', isolation: { sysctls: { 'net.core.somaxconn': '7' } } },
      'HM-CONTAINER-SETTING',
    ],
    [
      'a device that is none',
      { isolation: { devices: [{ source: '/etc/passwd', target: '/dev/x', permissions: 'r' }] } },
      'HM-CONTAINER-SETTING',
    ],
    ['a capability that does not exist', { isolation: { capAdd: ['FLY'] } }, 'HM-CONTAINER-SETTING'],
    ['a label that is ours', { labels: { 'hivemind.slot': 'other/web.1' } }, 'HM-CONTAINER-SETTING'],
    ['a service that does not run', { isolation: { pid: 'service:db' } }, 'HM-CONTAINER-PEER'],
    ['a group that is not in the image', { process: { groupAdd: ['wheel'] } }, 'HM-CONTAINER-USER'],
  ])('refuses %s and leaves nothing', async (_name, service, code) => {
    const create = await given(service, 'true');
    expect(await refusal(runtime.create(create, call()))).toBe(code);
    expect((await runtime.list({}, call())).containers).toEqual([]);
  });

  test("limits of memory, processor, processes and disks are the cgroup's", async () => {
    const { id } = await started(
      await given(
        {
          resources: {
            limits: { cpus: 0.5, memoryBytes: 67_108_864, pids: 77 },
            reservations: { memoryBytes: 33_554_432 },
            cpuShares: 512,
            cpuset: '0',
          },
        },
        'while :; do sleep 60; done',
      ),
    );
    const at = (controller: string, file: string) =>
      readFile(
        join('/sys/fs/cgroup', cgroups === 1 ? controller : '', containerd.cgroupParent, id, file),
        'utf8',
      ).then((text) => text.trim());
    if (cgroups === 1) {
      expect(await at('memory', 'memory.limit_in_bytes')).toBe('67108864');
      expect(await at('memory', 'memory.memsw.limit_in_bytes')).toBe('134217728');
      expect(await at('memory', 'memory.soft_limit_in_bytes')).toBe('33554432');
      expect(await at('cpu', 'cpu.cfs_quota_us')).toBe('50000');
      expect(await at('cpu', 'cpu.shares')).toBe('512');
      expect(await at('cpuset', 'cpuset.cpus')).toBe('0');
    } else {
      expect(await at('', 'memory.max')).toBe('67108864');
      expect(await at('', 'memory.swap.max')).toBe('67108864');
      expect(await at('', 'memory.low')).toBe('33554432');
      expect(await at('', 'cpu.max')).toBe('50000 100000');
      expect(await at('', 'cpuset.cpus')).toBe('0');
    }
    expect(await at('pids', 'pids.max')).toBe('77');
  });

  test('standard input that is kept open is waited for, not ended', async () => {
    const create = await started(await given({ process: { stdinOpen: true } }, 'cat; echo ended'));
    await runtime.run({ id: create.id, args: ['true'], terminal: false }, call());
    expect((await runtime.inspect({ id: create.id }, call())).container?.phase).toBe('running');
    expect(await readFile(create.stdoutPath, 'utf8')).toBe('');
  });

  test('two services share processes and memory when one says so, and shared memory goes with its owner', async () => {
    const owner = await given(
      { name: 'db', isolation: { ipc: 'shareable' } },
      'echo here > /dev/shm/word; while :; do sleep 61; done',
    );
    const db = { ...owner, key: { ...owner.key, slot: 'shop/db.1' } };
    await started(db);
    await runtime.run(
      { id: db.id, args: ['/bin/sh', '-c', 'until [ -s /dev/shm/word ]; do :; done'], terminal: false },
      call(),
    );
    const text = await said(
      { isolation: { pid: 'service:db', ipc: 'service:db' } },
      `cat /dev/shm/word; ${b} ps -o args | ${b} grep -c '^sleep 61'`,
    );
    expect(text).toBe('here\n1');
    await runtime.remove({ id: db.id }, call());
    expect(await readFile('/proc/self/mountinfo', 'utf8')).not.toContain(`${db.id}/shm`);
  });

  test('two services have one network when one says so, and the rest of their own', async () => {
    const lender = await given({ name: 'db' }, 'while :; do sleep 61; done');
    // Of the same number as the next one.
    const db = { ...lender, key: { ...lender.key, slot: `shop/db.${count + 1}` } };
    await started(db);
    const shown = `for one in net uts mnt; do ${b} readlink /proc/self/ns/$one; done`;
    const inside = await runtime.run({ id: db.id, args: ['/bin/sh', '-c', shown], terminal: false }, call());
    const [net, ...others] = inside.output.trim().split('\n');
    const [shared, ...own] = (await said({ networkMode: 'service:db' }, shown)).split('\n');
    expect(shared).toBe(net);
    for (const [at, other] of others.entries()) expect(own[at]).not.toBe(other);
    await runtime.remove({ id: db.id }, call());
  });

  describe('volumes', () => {
    let dir: string;
    beforeAll(async () => {
      dir = await mkdtemp(join(containerd.dir, 'volumes-'));
    });
    const volume = async (name: string) => {
      const path = join(dir, name);
      await mkdir(path, { recursive: true });
      return path;
    };
    const mount = (source: string, more: object = {}): ResolvedMount => ({
      type: 'bind',
      source,
      target: '/etc',
      readOnly: false,
      fill: true,
      ...more,
    });

    test('a new one is filled with what the image has there, with owner and mode', async () => {
      const path = await volume('new');
      expect(
        await said({}, `cat /etc/group | head -n 1; ${b} stat -c '%u:%a' /tmp`, [
          mount(path),
          mount(await volume('tmp'), { target: '/tmp' }),
        ]),
      ).toBe('root:x:0:\n0:1777');
      // Once: what was changed since stays.
      await writeFile(join(path, 'group'), 'mine\n');
      expect(await said({}, 'cat /etc/group', [mount(path)])).toBe('mine');
    });

    test('a copy that was cut off is done again', async () => {
      const path = await volume('half');
      await writeFile(join(path, '.hivemind-filling'), '');
      await writeFile(join(path, 'group'), 'ro');
      expect(
        await said({}, 'cat /etc/group | head -n 1; [ -e /etc/.hivemind-filling ] || echo clean', [
          mount(path),
        ]),
      ).toBe('root:x:0:\nclean');
    });

    test('one that is not to be filled stays empty, and so does one at a place the image lacks', async () => {
      const { fill: _, ...bare } = mount(await volume('bare')) as ResolvedMount & { fill: true };
      expect(await said({}, `${b} ls -A /etc`, [bare])).toBe('');
      expect(
        await said({}, `${b} ls -A /srv/data`, [mount(await volume('lacking'), { target: '/srv/data' })]),
      ).toBe('');
    });

    test('a folder of one is mounted; no link in it leads out, and a missing one is refused', async () => {
      const path = await volume('sub');
      await mkdir(join(path, 'in/side'), { recursive: true });
      await writeFile(join(path, 'in/side/word'), 'inside\n');
      await symlink('/etc', join(path, 'out'));
      await symlink('/in', join(path, 'again'));
      const { fill: _, ...base } = mount(path, { target: '/mnt' }) as Extract<
        ResolvedMount,
        { type: 'bind' }
      >;
      expect(await said({}, 'cat /mnt/word', [{ ...base, subpath: 'in/side' }])).toBe('inside');
      expect(await said({}, 'cat /mnt/side/word', [{ ...base, subpath: 'again' }])).toBe('inside');
      // Above its own root there is only itself.
      expect(await said({}, 'cat /mnt/in/side/word', [{ ...base, subpath: '../../..' }])).toBe('inside');
      for (const subpath of ['out', 'nowhere', 'in/side/word/x']) {
        const create = await given({}, 'true', [{ ...base, subpath }]);
        expect(await refusal(runtime.create(create, call()))).toBe('HM-BIND-MISSING');
      }
    });

    test('bind mounts are handed on, or not, as they say', async () => {
      const path = await volume('bind');
      await chown(path, 1000, 1000);
      const bind = (more: object): ResolvedMount => ({
        type: 'bind',
        source: path,
        target: '/mnt',
        readOnly: false,
        ...more,
      });
      const optional = (text: string) => (text.match(/shared:|master:/) ?? ['private'])[0];
      const script = `${b} grep ' /mnt ' /proc/self/mountinfo`;
      expect(optional(await said({}, script, [bind({})]))).toBe('private');
      expect(
        optional(await said({}, script, [bind({ propagation: 'rprivate', recursive: 'disabled' })])),
      ).toBe('private');
      expect(await said({}, 'echo x > /mnt/x', [bind({ readOnly: true, recursive: 'readonly' })])).toMatch(
        /Read-only/,
      );
    });
  });
});
