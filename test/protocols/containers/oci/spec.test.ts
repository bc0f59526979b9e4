/** The OCI specification: one golden text of the whole, a table for each merge, properties for what must never happen. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ServiceSpec } from '../../../../protocols/apps/model.ts';
import type { ContainerCreate, ResolvedMount } from '../../../../protocols/containers/model.ts';
import { seccompProfile } from '../../../../protocols/containers/oci/seccomp.ts';
import {
  buildOciSpec,
  execProcess,
  stopSignalOf,
  type OciSpecInput,
} from '../../../../protocols/containers/oci/spec.ts';
import type { Surroundings } from '../../../../protocols/containers/oci/types.ts';
import { CodedError } from '../../../../protocols/errors.ts';

const service: ServiceSpec = {
  name: 'web',
  image: 'hello-web',
  environment: {},
  ports: [],
  mounts: [],
  dependsOn: [],
  restart: { condition: 'always' },
  replicas: 1,
  networkMode: 'app',
  stopGraceMs: 10_000,
};

const machine: Surroundings = {
  cgroups: 2,
  kernel: '6.1.0-13-amd64',
  capabilityBound: '1ffffffffff',
  appArmor: false,
  seLinux: false,
  swapCounted: true,
  devices: [],
  blockDevices: {},
  peers: {},
};

function input(
  spec: Partial<ServiceSpec> = {},
  image: OciSpecInput['image'] = { Cmd: ['/bin/app'] },
  more: Partial<ContainerCreate> &
    Partial<Pick<OciSpecInput, 'userDatabase'>> & { readonly cgroups?: 1 | 2 } = {},
): OciSpecInput {
  const { cgroups = 2, userDatabase, ...create } = more;
  return {
    create: {
      id: 'shop-web-2',
      key: { slot: 'shop/web.2', placement: 7, run: 3, attempt: 1 },
      specHash: 'h',
      spec: { ...service, ...spec },
      mounts: [],
      hostname: 'web-2',
      extraEnvironment: {},
      stdoutPath: '/out',
      stderrPath: '/err',
      ...create,
    },
    image,
    architecture: 'amd64',
    cgroupsPath: '/hivemind/shop-web-2',
    machine: { ...machine, cgroups },
    openFilesHard: 1_048_576,
    ...(userDatabase ? { userDatabase } : {}),
  };
}

const database = {
  passwd: 'root:x:0:0:root:/root:/bin/sh\nredis:x:101:102:Redis:/var/lib/redis:/bin/false\nbroken\n',
  group: 'root:x:0:\nredis:x:102:\ndisk:x:6:redis,root\ntty:x:5:root\n',
};

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof CodedError) return error.reason.code;
    throw error;
  }
  return 'none';
}

describe('the specification as a whole', () => {
  it('is what Docker users expect', async () => {
    const mounts: ResolvedMount[] = [
      { type: 'tmpfs', target: '/srv/cache/hot/', sizeBytes: 1_048_576, mode: 0o700 },
      { type: 'bind', source: '/volumes/shop_data', target: '/srv/cache', readOnly: false },
      { type: 'bind', source: '/etc/motd', target: '/etc/motd', readOnly: true },
    ];
    const image = {
      User: 'redis',
      Entrypoint: ['/entry.sh'],
      Cmd: ['serve'],
      Env: ['PATH=/usr/bin', 'A=image', 'B=image', 'C=image'],
      WorkingDir: '/srv',
    };
    const spec = { environment: { B: 'service', C: 'service' } };
    const built = buildOciSpec(
      input(spec, image, { mounts, extraEnvironment: { C: 'hivemind' }, userDatabase: database }),
    );
    await expect(`${JSON.stringify(built, null, 2)}\n`).toMatchFileSnapshot('golden/oci-spec.golden');
  });

  it('asks for no more open files than the runtime may give', () => {
    const rlimits = (openFilesHard: number): unknown =>
      buildOciSpec({ ...input(), openFilesHard }).process.rlimits;
    expect(rlimits(20_000)).toEqual([{ type: 'RLIMIT_NOFILE', soft: 1_024, hard: 20_000 }]);
    expect(rlimits(512)).toEqual([{ type: 'RLIMIT_NOFILE', soft: 512, hard: 512 }]);
  });

  it('shares the network of the host only when asked to', () => {
    const types = (networkMode: ServiceSpec['networkMode'], cgroups: 1 | 2): string =>
      buildOciSpec(input({ networkMode }, undefined, { cgroups }))
        .linux.namespaces.map(({ type }) => type)
        .join(' ');
    expect(types('app', 2)).toBe('pid ipc uts mount network cgroup');
    expect(types('none', 2)).toBe('pid ipc uts mount network cgroup');
    expect(types('host', 2)).toBe('pid ipc uts mount cgroup');
    expect(types('app', 1)).toBe('pid ipc uts mount network');
    // Settings of a network that is not its own would change the host.
    expect(buildOciSpec(input({ networkMode: 'host' })).linux.sysctl).toEqual({});
  });
});

describe('the command', () => {
  const both = { Entrypoint: ['/entry'], Cmd: ['image-arg'] };
  it.each([
    ['image alone', {}, both, '/entry image-arg'],
    ['command replaces CMD', { command: ['mine'] }, both, '/entry mine'],
    ['entrypoint drops CMD too', { entrypoint: ['/other'] }, both, '/other'],
    ['entrypoint and command', { entrypoint: ['/other'], command: ['x'] }, both, '/other x'],
    ['cleared entrypoint', { entrypoint: [], command: ['/x', 'y'] }, both, '/x y'],
    ['null in the image', {}, { Entrypoint: null, Cmd: ['/c'] }, '/c'],
  ])('%s', (_name, spec, image, args) => {
    expect(buildOciSpec(input(spec, image)).process.args.join(' ')).toBe(args);
  });

  it.each([
    ['nothing anywhere', {}, {}],
    ['cleared entrypoint alone', { entrypoint: [] }, both],
    ['an empty word', { command: [''] }, {}],
  ])('refuses %s', (_name, spec, image) => {
    expect(codeOf(() => buildOciSpec(input(spec, image)))).toBe('HM-CONTAINER-COMMAND');
  });
});

describe('the user', () => {
  it.each([
    ['', { uid: 0, gid: 0, additionalGids: [5, 6] }, '/root'],
    ['redis', { uid: 101, gid: 102, additionalGids: [6] }, '/var/lib/redis'],
    ['101', { uid: 101, gid: 102, additionalGids: [6] }, '/var/lib/redis'],
    ['redis:tty', { uid: 101, gid: 5, additionalGids: [] }, '/var/lib/redis'],
    ['4000', { uid: 4000, gid: 0, additionalGids: [] }, '/'],
    ['4000:4001', { uid: 4000, gid: 4001, additionalGids: [] }, '/'],
  ])('%j', (User, user, home) => {
    const { process } = buildOciSpec(input({}, { Cmd: ['/a'], User }, { userDatabase: database }));
    expect(process.user).toEqual(user);
    expect(process.env).toContain(`HOME=${home}`);
  });

  it.each(['nobody', 'redis:wheel', '4294967295', '-1'])('refuses %s', (User) => {
    expect(codeOf(() => buildOciSpec(input({}, { Cmd: ['/a'], User }, { userDatabase: database })))).toBe(
      'HM-CONTAINER-USER',
    );
  });
});

describe('mounts', () => {
  it('replaces a default at or below the place of its own', () => {
    const at = (target: string): string[] =>
      buildOciSpec(input({}, undefined, { mounts: [{ type: 'tmpfs', target }] })).mounts.map(
        ({ destination, source }) => `${destination}=${source}`,
      );
    expect(at('/dev/shm').filter((mount) => mount.startsWith('/dev/shm='))).toEqual(['/dev/shm=tmpfs']);
    expect(at('/sys')).not.toContain('/sys/fs/cgroup=cgroup');
    expect(at('/system')).toContain('/sys=sysfs');
  });

  it.each(['/', 'data', '/..', ''])('refuses %j', (target) => {
    const mounts: ResolvedMount[] = [{ type: 'tmpfs', target }];
    expect(codeOf(() => buildOciSpec(input({}, undefined, { mounts })))).toBe('HM-CONTAINER-CREATE');
  });

  it('never mounts an outer path over an inner one, whatever the order and the spelling', () => {
    const part = fc.constantFrom('a', 'b', '.', '..', '');
    const target = fc
      .array(part, { minLength: 1, maxLength: 5 })
      .map((parts) => `/keep/${parts.join('/')}/x`);
    fc.assert(
      fc.property(fc.uniqueArray(target, { maxLength: 6 }), (targets) => {
        const mounts = targets.map((to): ResolvedMount => ({ type: 'tmpfs', target: to }));
        const places = buildOciSpec(input({}, undefined, { mounts })).mounts.map((m) => m.destination);
        for (const [i, place] of places.entries()) {
          expect(place).toMatch(/^(\/[^/]+)+$/);
          expect(place.split('/')).not.toContain('..');
          for (const earlier of places.slice(0, i)) expect(earlier.startsWith(`${place}/`)).toBe(false);
        }
      }),
    );
  });
});

describe('the environment', () => {
  it('has every name once, with the value of the last that set it', () => {
    const name = fc.constantFrom('A', 'B', 'PATH', 'HOME', 'HOSTNAME');
    const values = fc.dictionary(name, fc.string({ maxLength: 5 }));
    fc.assert(
      fc.property(values, values, values, (image, environment, extraEnvironment) => {
        const Env = Object.entries(image).map(([key, value]) => `${key}=${value}`);
        const { env } = buildOciSpec(
          input({ environment }, { Cmd: ['/a'], Env }, { extraEnvironment }),
        ).process;
        const built = Object.fromEntries(
          env.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
        );
        expect(Object.keys(built)).toHaveLength(env.length);
        expect(built).toMatchObject({ ...image, ...environment, ...extraEnvironment });
        expect(Object.keys(built)).toEqual(expect.arrayContaining(['PATH', 'HOME', 'HOSTNAME']));
      }),
    );
  });
});

describe('the seccomp profile', () => {
  const allowed = (architecture: string): Set<string> =>
    new Set(seccompProfile(architecture, ['CAP_SYS_CHROOT']).syscalls.flatMap(({ names }) => [...names]));

  it.each(['amd64', 'arm64'])(
    'on %s allows what programs need and nothing that leaves the container',
    (arch) => {
      const names = allowed(arch);
      for (const name of ['read', 'openat', 'execve', 'futex', 'clone', 'socket', 'chroot', 'io_submit'])
        expect(names).toContain(name);
      for (const name of [
        'mount',
        'umount2',
        'setns',
        'unshare',
        'bpf',
        'kexec_load',
        'init_module',
        'reboot',
      ])
        expect(names).not.toContain(name);
      for (const name of [
        'keyctl',
        'perf_event_open',
        'userfaultfd',
        'open_by_handle_at',
        'settimeofday',
        'swapon',
      ])
        expect(names).not.toContain(name);
    },
  );

  it('ties chroot to its capability and knows no foreign architecture list', () => {
    const names = seccompProfile('riscv64', []).syscalls.flatMap((rule) => [...rule.names]);
    expect(names).not.toContain('chroot');
    expect(seccompProfile('riscv64', [])).not.toHaveProperty('architectures');
    for (const name of names) expect(name).toMatch(/^[a-z_0-9]+$/);
  });
});

describe('an exec', () => {
  const container = buildOciSpec(input({}, { Cmd: ['/a'], Env: ['A=1'] })).process;

  it('runs as the container does unless it says otherwise', () => {
    const plain = execProcess(container, { id: 'x', args: ['/bin/sh'], terminal: false });
    expect(plain).toEqual({ ...container, args: ['/bin/sh'] });
    const strong = execProcess(
      container,
      { id: 'x', args: ['/bin/sh'], terminal: false, privileged: true },
      undefined,
      '3',
    );
    expect(strong.capabilities.effective).toEqual(['CAP_CHOWN', 'CAP_DAC_OVERRIDE']);
    expect(strong.noNewPrivileges).toBe(false);
    const other = execProcess(
      container,
      {
        id: 'x',
        args: ['sh'],
        terminal: true,
        size: { columns: 80, rows: 24 },
        user: 'redis',
        workingDir: '/tmp',
        environment: { A: '2' },
      },
      database,
    );
    expect(other).toMatchObject({ terminal: true, consoleSize: { height: 24, width: 80 }, cwd: '/tmp' });
    expect(other.user.uid).toBe(101);
    expect(other.env).toEqual(expect.arrayContaining(['A=2', 'TERM=xterm', 'HOME=/var/lib/redis']));
  });

  it('needs a command', () => {
    expect(codeOf(() => execProcess(container, { id: 'x', args: [], terminal: false }))).toBe(
      'HM-CONTAINER-COMMAND',
    );
  });
});

it('stops with the signal of the service, the image, or SIGTERM', () => {
  expect(stopSignalOf({ stopSignal: 'SIGUSR1' }, { StopSignal: 'SIGINT' })).toBe('SIGUSR1');
  expect(stopSignalOf({}, { StopSignal: 'SIGINT' })).toBe('SIGINT');
  expect(stopSignalOf({}, {})).toBe('SIGTERM');
});

it('adds what the CDI files of its devices say: variables over its own, groups, mounts last, hooks', () => {
  const hook = { path: '/usr/bin/nvidia-cdi-hook', args: ['nvidia-cdi-hook', 'chmod'] };
  const edits = {
    env: ['GPU=0', 'ADDED=1'],
    mounts: [{ hostPath: '/run/v', containerPath: '/v' }],
    hooks: [{ hookName: 'createContainer' as const, ...hook }],
    additionalGids: [44],
  };
  const spec = buildOciSpec({
    ...input({ environment: { GPU: 'none' } }),
    machine: { ...machine, edits },
  });
  expect(spec.process.env).toEqual(expect.arrayContaining(['GPU=0', 'ADDED=1']));
  expect(spec.process.env).not.toContain('GPU=none');
  expect(spec.process.user.additionalGids).toContain(44);
  expect(spec.mounts.at(-1)).toMatchObject({ destination: '/v', type: 'bind', source: '/run/v' });
  expect(spec.hooks).toEqual({ createContainer: [hook] });
});
