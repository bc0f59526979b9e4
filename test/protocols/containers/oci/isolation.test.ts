/** What a container may do and see, as tables: capabilities, namespaces, kernel settings, devices, filters of system calls. */
import { describe, expect, it } from 'vitest';
import type { IsolationSettings } from '../../../../protocols/apps/service-model.ts';
import {
  capabilitiesOf,
  deviceRulesOf,
  mandatoryLabels,
  namespacesOf,
  rlimitsOf,
  sysctlsOf,
} from '../../../../protocols/containers/oci/isolation.ts';
import { mountsOf } from '../../../../protocols/containers/oci/mounts.ts';
import { readSeccompProfile } from '../../../../protocols/containers/oci/seccomp-profile.ts';
import { ociText } from '../../../../protocols/containers/oci/spec.ts';
import type { OciProcess } from '../../../../protocols/containers/oci/types.ts';

const refused = /HM-CONTAINER-SETTING/;
const all = '1ffffffffff';

describe('capabilities', () => {
  const count = (isolation: IsolationSettings) => capabilitiesOf(isolation, all).length;
  it.each<[IsolationSettings, number]>([
    [{}, 14],
    [{ capAdd: ['NET_ADMIN'] }, 15],
    [{ capAdd: ['cap_net_admin', 'CHOWN'] }, 15],
    [{ capDrop: ['CHOWN', 'MKNOD'] }, 12],
    [{ capDrop: ['ALL'] }, 0],
    [{ capDrop: ['ALL'], capAdd: ['CHOWN'] }, 1],
    [{ capAdd: ['ALL'] }, 41],
    [{ capAdd: ['ALL'], capDrop: ['SYS_ADMIN'] }, 40],
    [{ privileged: true, capDrop: ['ALL'] }, 41],
  ])('%j are %i', (isolation, expected) => expect(count(isolation)).toBe(expected));

  it('all are those that the machine may give, and no other is given', () => {
    expect(capabilitiesOf({ privileged: true }, '3')).toEqual(['CAP_CHOWN', 'CAP_DAC_OVERRIDE']);
    expect(() => capabilitiesOf({ capAdd: ['NET_ADMIN'] }, '3')).toThrow(refused);
    expect(() => capabilitiesOf({ capDrop: ['FLY'] }, all)).toThrow(refused);
  });
});

describe('namespaces', () => {
  const of = (isolation: IsolationSettings, cgroups: 1 | 2 = 1, networkMode = 'app') =>
    namespacesOf(isolation, { cgroups, peers: { db: 42 } }, networkMode)
      .map(({ type, path }) => path ?? type)
      .join(' ');
  it.each<[IsolationSettings, string]>([
    [{}, 'pid ipc uts mount network'],
    [{ pid: 'host', ipc: 'host', uts: 'host' }, 'mount network'],
    [{ pid: 'service:db' }, '/proc/42/ns/pid ipc uts mount network'],
    [{ ipc: 'service:db' }, 'pid /proc/42/ns/ipc uts mount network'],
    [{ ipc: 'none', cgroup: 'private' }, 'pid ipc uts mount network cgroup'],
  ])('%j: %s', (isolation, expected) => expect(of(isolation)).toBe(expected));

  it('of networks are own, the machine’s or another container’s', () => {
    expect(of({}, 1, 'none')).toContain(' network');
    expect(of({}, 1, 'host')).not.toContain('net');
    expect(of({}, 1, 'service:db')).toBe('pid ipc uts mount /proc/42/ns/net');
    expect(() => of({}, 1, 'service:gone')).toThrow(refused);
  });

  it('of cgroups are own on v2 unless the host is wanted', () => {
    expect(of({}, 2)).toContain('cgroup');
    expect(of({ cgroup: 'host' }, 2)).not.toContain('cgroup');
  });
});

describe('kernel settings', () => {
  it.each<[IsolationSettings, boolean]>([
    [{ sysctls: { 'net.core.somaxconn': '1' } }, false],
    [{ sysctls: { 'kernel.shmmax': '1' }, ipc: 'host' }, true],
    [{ sysctls: { 'kernel.panic': '1' } }, true],
    [{ sysctls: { 'kernel.semaphores': '1' } }, true],
    [{ sysctls: { 'vm.swappiness': '1' } }, true],
  ])('%j: on the host network or of the host they are refused', (isolation, ownNetwork) => {
    expect(() => sysctlsOf(isolation, ownNetwork, undefined)).toThrow(refused);
  });

  it('are added to our own', () => {
    expect(sysctlsOf({ sysctls: { 'kernel.sem': '1 2 3 4' } }, false, 'test')).toEqual({
      'kernel.domainname': 'test',
      'kernel.sem': '1 2 3 4',
    });
  });
});

describe('limits of a process', () => {
  it("replace ours, and without end is the kernel's largest number", () => {
    const rlimits = rlimitsOf({ ulimits: { nofile: { soft: 5, hard: -1 } } }, 100);
    expect(rlimits).toEqual([{ type: 'RLIMIT_NOFILE', soft: 5, hard: -1 }]);
    const process = { rlimits, env: ['A="hard":-1'] } as unknown as OciProcess;
    const text = ociText(process);
    expect(text).toContain('"soft":5,"hard":18446744073709551615');
    expect(text).toContain(String.raw`\"hard\":-1`);
    // An exec reads the specification back.
    expect(ociText(JSON.parse(text) as OciProcess)).toBe(text);
  });
  it.each([
    { nofile: { soft: 2, hard: 1 } },
    { nofile: { soft: -1, hard: 1 } },
    { wings: { soft: 1, hard: 1 } },
  ])('%j is refused', (ulimits) => expect(() => rlimitsOf({ ulimits }, 100)).toThrow(refused));
});

describe('devices', () => {
  const node = {
    path: '/dev/x',
    type: 'c',
    major: 9,
    minor: 8,
    fileMode: 0o660,
    uid: 0,
    gid: 0,
    access: 'r',
  } as const;
  it('are allowed beside the usual ones; a privileged container may use all', () => {
    const rules = deviceRulesOf({ deviceCgroupRules: ['c 189:* rmw', 'b *:* r'] }, [node]);
    expect(rules.slice(-3)).toEqual([
      { allow: true, type: 'c', major: 9, minor: 8, access: 'r' },
      { allow: true, type: 'c', major: 189, access: 'rmw' },
      { allow: true, type: 'b', access: 'r' },
    ]);
    expect(deviceRulesOf({ privileged: true }, [node])).toEqual([{ allow: true, access: 'rwm' }]);
  });
  it.each(['x 1:2 r', 'c 1 r', 'c 1:2 q', ''])('"%s" is refused', (rule) => {
    expect(() => deviceRulesOf({ deviceCgroupRules: [rule] }, [])).toThrow(refused);
  });
});

it('labels are refused where the kernel has no such module, but for "none"', () => {
  const bare = { appArmor: false, seLinux: false };
  expect(mandatoryLabels({ apparmor: 'unconfined', label: 'disable' }, bare)).toEqual({});
  expect(() => mandatoryLabels({ apparmor: 'mine' }, bare)).toThrow(refused);
  expect(() => mandatoryLabels({ label: 'u:r:t:s0' }, bare)).toThrow(refused);
  expect(mandatoryLabels({ apparmor: 'mine', label: 'u:r:t:s0' }, { appArmor: true, seLinux: true })).toEqual(
    {
      apparmorProfile: 'mine',
      selinuxLabel: 'u:r:t:s0',
    },
  );
});

describe('mounts of the kernel', () => {
  const at = (place: string, ground: Partial<Parameters<typeof mountsOf>[1]>) =>
    mountsOf([], { cgroups: 1, ...ground }).find(({ destination }) => destination === place);
  it.each([
    ['/dev/shm', { ipc: 'none' }, undefined],
    ['/dev/shm', { ipc: 'host' }, '/dev/shm'],
    ['/dev/shm', { ipc: 'shareable', sharedMemory: '/held/shm' }, '/held/shm'],
    ['/dev/mqueue', { ipc: 'host' }, '/dev/mqueue'],
    ['/dev/init', { init: '/usr/bin/reaper' }, '/usr/bin/reaper'],
    ['/dev/init', {}, undefined],
  ])('%s with %j is %s', (place, ground, source) => expect(at(place, ground)?.source).toBe(source));
  it('are writable for a privileged container', () => {
    expect(at('/sys', { privileged: true })?.options).toContain('rw');
    expect(at('/sys', {})?.options).toContain('ro');
  });
});

describe("a profile in Docker's form", () => {
  const ground = { architecture: 'amd64', capabilities: ['CAP_SYS_ADMIN'], kernel: '6.1.0-13-amd64' };
  const names = (rules: object[], more: object = {}) =>
    readSeccompProfile(JSON.stringify({ defaultAction: 'SCMP_ACT_ERRNO', syscalls: rules, ...more }), ground)
      .syscalls.flatMap((rule) => rule.names)
      .join(' ');
  const rule = (name: string, more: object = {}) => ({ names: [name], action: 'SCMP_ACT_ALLOW', ...more });
  it('is read for this machine', () => {
    expect(
      names([
        rule('always'),
        { name: 'older', action: 'SCMP_ACT_ALLOW', args: null },
        rule('with', { includes: { caps: ['CAP_SYS_ADMIN'] } }),
        rule('without', { includes: { caps: ['CAP_BPF'] } }),
        rule('unless', { excludes: { caps: ['CAP_SYS_ADMIN'] } }),
        rule('arm', { includes: { arches: ['arm64'] } }),
        rule('intel', { includes: { arches: ['amd64', 'x86'] } }),
        rule('new', { includes: { minKernel: '4.8' } }),
        rule('newer', { includes: { minKernel: '6.2' } }),
      ]),
    ).toBe('always older with intel new');
  });
  it('names its architectures', () => {
    const archMap = [
      { architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86'] },
      { architecture: 'SCMP_ARCH_AARCH64', subArchitectures: null },
    ];
    const read = readSeccompProfile(JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', archMap }), ground);
    expect(read).toEqual({
      defaultAction: 'SCMP_ACT_ALLOW',
      architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'],
      syscalls: [],
    });
  });
  it.each(['', 'null', '{}', '{"defaultAction":1}', '{"defaultAction":"A","syscalls":[{"names":["x"]}]}'])(
    '%j is refused',
    (text) => expect(() => readSeccompProfile(text, ground)).toThrow(refused),
  );
});
