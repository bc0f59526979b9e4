/** The optional parts of a service, in each form that Compose has for them, and what each becomes. */
import { expect, test } from 'vitest';
import type { ServiceSpec } from '../../../protocols/apps/model.ts';
import { appSpec } from '../../../runtime/api/schemas/app-spec.ts';
import { compileText, problemsOf, service } from './compile-text.ts';

const probe = { initialDelayMs: 0, intervalMs: 10_000, timeoutMs: 1_000, successes: 1, failures: 3 };

const table: readonly (readonly [yaml: string, part: keyof ServiceSpec, value: unknown])[] = [
  ['labels: [a=b=c, d]', 'labels', { a: 'b=c', d: '' }],
  ['labels: { a: 1, b: true, c: }', 'labels', { a: '1', b: 'true', c: '' }],
  ['labels: []', 'labels', undefined],
  ['user: 1000', 'process', { user: '1000' }],
  ['group_add: [audio, 20]', 'process', { groupAdd: ['audio', '20'] }],
  ['init: "true"', 'process', { init: true }],
  ['cap_add: [CAP_SYS_ADMIN, net_raw, ALL]', 'isolation', { capAdd: ['SYS_ADMIN', 'NET_RAW', 'ALL'] }],
  ['gpus: all', 'isolation', { gpus: [{}] }],
  ['gpus: 2', 'isolation', { gpus: [{ count: 2 }] }],
  ['gpus: [{ driver: nvidia, count: -1 }]', 'isolation', { gpus: [{ driver: 'nvidia' }] }],
  [
    'gpus: [{ device_ids: ["0", GPU-1], capabilities: [utility] }, { driver: cdi, device_ids: [amd.com/gpu=0] }]',
    'isolation',
    { gpus: [{ ids: ['0', 'GPU-1'] }, { driver: 'cdi', ids: ['amd.com/gpu=0'] }] },
  ],
  [
    'gpus: 1\n    deploy: { resources: { reservations: { devices: [{ capabilities: [gpu], count: all }] } } }',
    'isolation',
    { gpus: [{ count: 1 }, {}] },
  ],
  ['security_opt: [no-new-privileges]', 'isolation', { noNewPrivileges: true }],
  ['security_opt: ["no-new-privileges:false"]', 'isolation', { noNewPrivileges: false }],
  ['security_opt: ["no-new-privileges=true"]', 'isolation', { noNewPrivileges: true }],
  ['security_opt: ["seccomp=unconfined"]', 'isolation', { seccomp: 'unconfined' }],
  [
    'security_opt: ["seccomp:./seccomp.json"]',
    'isolation',
    { seccomp: '{"defaultAction":"SCMP_ACT_ERRNO"}' },
  ],
  ['security_opt: ["apparmor:docker-nginx"]', 'isolation', { apparmor: 'docker-nginx' }],
  ['security_opt: ["label=disable"]', 'isolation', { label: 'disable' }],
  [
    'security_opt: ["label:type:svirt_t", "label:level:s0:c1,c2"]',
    'isolation',
    { label: 'system_u:system_r:svirt_t:s0:c1,c2' },
  ],
  ['security_opt: [systempaths=unconfined]', 'isolation', { systemPathsUnconfined: true }],
  ['sysctls: [net.ipv4.ip_forward=1]', 'isolation', { sysctls: { 'net.ipv4.ip_forward': '1' } }],
  [
    'ulimits: { nofile: { soft: 10, hard: -1 }, nproc: 5, core: unlimited }',
    'isolation',
    {
      ulimits: { nofile: { soft: 10, hard: -1 }, nproc: { soft: 5, hard: 5 }, core: { soft: -1, hard: -1 } },
    },
  ],
  [
    'devices: [/dev/a, "/dev/b:/dev/c", "/dev/d:/dev/e:r", "/dev/f:rw", { source: /dev/g, permissions: m }]',
    'isolation',
    {
      devices: [
        { source: '/dev/a', target: '/dev/a', permissions: 'rwm' },
        { source: '/dev/b', target: '/dev/c', permissions: 'rwm' },
        { source: '/dev/d', target: '/dev/e', permissions: 'r' },
        { source: '/dev/f', target: '/dev/f', permissions: 'rw' },
        { source: '/dev/g', target: '/dev/g', permissions: 'm' },
      ],
    },
  ],
  ['oom_score_adj: "-1000"', 'isolation', { oomScoreAdj: -1_000 }],
  ['mem_limit: 1.5g', 'resources', { limits: { memoryBytes: 1_610_612_736 } }],
  ['mem_limit: 0', 'resources', undefined],
  ['pids_limit: -1', 'resources', { limits: { pids: -1 } }],
  [
    '{ mem_limit: 64m, deploy: { resources: { limits: { memory: 64M } } } }',
    'resources',
    { limits: { memoryBytes: 67_108_864 } },
  ],
  [
    '{ mem_limit: 64m, memswap_limit: -1 }',
    'resources',
    { limits: { memoryBytes: 67_108_864 }, memorySwapBytes: -1 },
  ],
  ['cpu_quota: -1', 'resources', { cpuQuotaUs: -1 }],
  ['cpu_rt_runtime: 400ms', 'resources', { cpuRealtimeRuntimeUs: 400_000 }],
  ['cpu_rt_runtime: 95000', 'resources', { cpuRealtimeRuntimeUs: 95_000 }],
  [
    'extra_hosts: ["a:1.2.3.4", "b=fd00::1", "c:[::1]", "d:host-gateway"]',
    'names',
    {
      extraHosts: [
        { host: 'a', address: '1.2.3.4' },
        { host: 'b', address: 'fd00::1' },
        { host: 'c', address: '::1' },
        { host: 'd', address: 'host-gateway' },
      ],
    },
  ],
  [
    'extra_hosts: { a: [1.2.3.4, "::1"], b: host-gateway }',
    'names',
    {
      extraHosts: [
        { host: 'a', address: '1.2.3.4' },
        { host: 'a', address: '::1' },
        { host: 'b', address: 'host-gateway' },
      ],
    },
  ],
  ['dns: 1.1.1.1', 'names', { dns: ['1.1.1.1'] }],
  ['dns: [1.1.1.1, "2606:4700::1111"]', 'names', { dns: ['1.1.1.1', '2606:4700::1111'] }],
  ['container_name: shop-a', 'networks', { default: { aliases: ['shop-a'] } }],
  ['mac_address: 02-42-AC-11-00-02', 'networks', { default: { macAddress: '02:42:ac:11:00:02' } }],
  ['mac_address: 02:42:AC:11:00:02', 'networks', { default: { macAddress: '02:42:ac:11:00:02' } }],
  [
    'logging: { driver: local, options: { max-size: 10m, max-file: 3 } }',
    'logging',
    { driver: 'local', maxSizeBytes: 10_485_760, maxFiles: 3 },
  ],
  ['logging: { driver: syslog, options: { tag: x } }', 'logging', undefined],
  ['pull_policy: if_not_present', 'pullPolicy', { when: 'missing' }],
  ['pull_policy: daily', 'pullPolicy', { when: 'older', thanMs: 86_400_000 }],
  ['pull_policy: weekly', 'pullPolicy', { when: 'older', thanMs: 604_800_000 }],
  ['pull_policy: every_1d12h', 'pullPolicy', { when: 'older', thanMs: 129_600_000 }],
  ['{ pull_policy: refresh, pull_refresh_after: 30m }', 'pullPolicy', { when: 'older', thanMs: 1_800_000 }],
  [
    'post_start: [{ command: sh -c "a b", user: root, environment: { A: 1 }, privileged: yes }]',
    'hooks',
    {
      postStart: [{ command: ['sh', '-c', 'a b'], user: 'root', environment: { A: '1' }, privileged: true }],
    },
  ],
  ['pre_stop: []', 'hooks', undefined],
  [
    'x-hivemind: { probes: { readiness: { http: { port: 80 } }, drain: 5s } }',
    'probes',
    {
      readiness: { action: { type: 'http', port: 80, path: '/', scheme: 'http' }, ...probe },
      drainMs: 5_000,
    },
  ],
  [
    'x-hivemind: { probes: { startup: { exec: "test -f /up", interval: 1s, failures: 60 }, liveness: { grpc: 90 } } }',
    'probes',
    {
      startup: {
        action: { type: 'exec', command: ['/bin/sh', '-c', 'test -f /up'] },
        ...probe,
        intervalMs: 1_000,
        failures: 60,
      },
      liveness: { action: { type: 'grpc', port: 90 }, ...probe },
    },
  ],
  [
    'x-hivemind: { probes: { readiness: { tcp: "${PORT:-81}" } } }',
    'probes',
    { readiness: { action: { type: 'tcp', port: 81 }, ...probe } },
  ],
  ['x-hivemind: { onSecretChange: { signal: hup } }', 'onSecretChange', { signal: 'SIGHUP' }],
  ['x-hivemind: { process: { command: sleep 10 } }', 'hostProcess', { command: ['sleep', '10'] }],
  ['x-hivemind: { process: { command: sleep 10 } }', 'networkMode', 'host'],
  [
    '{ ports: ["127.0.0.1:80:80"], x-hivemind: { process: { command: sleep 10 } } }',
    'ports',
    [{ hostAddress: '127.0.0.1', hostPort: 80, containerPort: 80, protocol: 'tcp' }],
  ],
  [
    '{ deploy: { mode: replicated-job, replicas: 2 }, x-hivemind: { job: { completions: 6, parallel: 2 } } }',
    'job',
    { completions: 6, parallel: 2 },
  ],
  [
    'deploy: { placement: { constraints: [node.role==manager], preferences: [{ spread: node.labels.zone }] } }',
    'cluster',
    { constraints: ['node.role==manager'], spread: ['node.labels.zone'] },
  ],
];

test.each(table)('%s', (yaml, part, value) => {
  const entry = yaml.startsWith('{') ? `<<: ${yaml}` : yaml;
  expect(service(entry)[part]).toEqual(value);
});

test.each([
  ['deploy: { restart_policy: {} }', { condition: 'always' }],
  [
    'deploy: { restart_policy: { condition: on-failure, delay: 5s, max_attempts: 3, window: 1m } }',
    { condition: 'on-failure', delayMs: 5_000, maxAttempts: 3, windowMs: 60_000 },
  ],
  ['<<: { restart: always, deploy: { restart_policy: { condition: none } } }', { condition: 'none' }],
])('restart: %s', (yaml, policy) => {
  expect(service(yaml).restart).toEqual(policy);
});

const refusals: readonly (readonly [yaml: string, problem: string])[] = [
  ['cap_add: [NET_ADMIM]', 'services.a.cap_add: NET_ADMIM is not a capability'],
  ['cap_add: [ALL, ALL]', 'services.a.cap_add: ALL stands in the list twice'],
  ['security_opt: [no-new-privs]', 'services.a.security_opt[0]: no-new-privs is not a security option'],
  [
    'security_opt: ["seccomp:./not.json"]',
    'services.a.security_opt[0]: /srv/shop/not.json is no seccomp profile',
  ],
  ['sysctls: { vm.swappiness: 1 }', 'services.a.sysctls: vm.swappiness belongs to the whole machine'],
  ['ulimits: { nofiles: 1 }', 'services.a.ulimits.nofiles: is not the name of a ulimit'],
  ['ulimits: { nofile: { soft: 2, hard: 1 } }', 'services.a.ulimits.nofile: soft is above hard'],
  ['ulimits: { nofile: { soft: 2 } }', 'services.a.ulimits.nofile: both soft and hard are needed'],
  [
    'devices: [vendor.com/gpu=all]',
    'services.a.devices[0]: vendor.com/gpu=all is not the absolute path of a device',
  ],
  ['devices: ["/dev/a:/dev/b:x"]', 'services.a.devices[0]: x is not of r, w and m'],
  ['gpus: some', 'services.a.gpus must be a whole number, not "some"'],
  ['gpus: 0', 'services.a.gpus must be between 1 and 1000, not the number 0'],
  ['gpus: [{ count: 1, device_ids: [a] }]', 'services.a.gpus[0]: count and device_ids exclude each other'],
  ['gpus: [{ device_ids: [] }]', 'services.a.gpus[0]: device_ids is empty'],
  [
    'gpus: [{ driver: cdi, device_ids: ["0"] }]',
    'services.a.gpus[0]: the driver cdi needs device_ids like nvidia.com/gpu=0',
  ],
  [
    'deploy: { resources: { reservations: { devices: [{ capabilities: [tpu] }] } } }',
    'services.a.deploy.resources.reservations.devices[0]: devices of tpu are not given',
  ],
  ['userns_mode: keep-id', 'services.a.userns_mode must be host, not "keep-id"'],
  ['pid: "container:x"', 'services.a.pid: a container is no part of the app'],
  ['pid: "service:x"', 'services.a shares the pid namespace of x, which is no other service'],
  ['pid: "service:a"', 'services.a shares the pid namespace of a, which is no other service'],
  [
    'hostname: "a b"',
    'services.a.hostname must be letters, digits, - and ., with parts of at most 63 characters, not "a b"',
  ],
  ['platform: linux', 'services.a.platform must be a platform like linux/arm64, not "linux"'],
  ['pull_policy: build', 'services.a.pull_policy is refused: Hivemind runs images and does not build them'],
  [
    'pull_policy: every_day',
    'services.a.pull_policy must be always, never, missing, daily, weekly or every_12h, not "every_day"',
  ],
  [
    '<<: { scale: 2, deploy: { replicas: 3 } }',
    'services.a.deploy.replicas: another key of the service gives another value',
  ],
  [
    '<<: { mem_limit: 1g, deploy: { resources: { limits: { memory: 2g } } } }',
    'services.a.deploy.resources.limits.memory: another key of the service gives another value',
  ],
  [
    '<<: { mem_limit: 1m, mem_reservation: 2m }',
    'services.a: the memory reservation is above the memory limit',
  ],
  [
    'memswap_limit: 1m',
    'services.a: memswap_limit is memory and swap together: it cannot be below mem_limit',
  ],
  [
    '<<: { network_mode: host, networks: [default] }',
    'services.a: network_mode and networks exclude each other',
  ],
  ['networks: [back]', 'services.a joins the network back, which is not declared'],
  [
    'networks: { default: { ipv4_address: 10.0.0.9 } }',
    'services.a wants 10.0.0.9, but the network default has no subnet of its own',
  ],
  [
    'mac_address: 01:00:5e:00:00:01',
    'services.a.mac_address must be the MAC address of one machine, as in 02:42:ac:11:00:02, not "01:00:5e:00:00:01"',
  ],
  ['extra_hosts: [a]', 'services.a.extra_hosts: a is not HOST:ADDRESS'],
  ['extra_hosts: ["a:1.2.3"]', 'services.a.extra_hosts: 1.2.3 is not an address'],
  ['links: [db]', 'services.a links to db, which is not declared'],
  ['volumes_from: [db]', 'services.a takes the volumes of db, which is not declared'],
  ['configs: [c]', 'services.a uses the config c, which is not declared'],
  [
    'deploy: { mode: global, replicas: 2 }',
    'services.a: deploy.mode global has one container a node: replicas cannot be given',
  ],
  [
    'deploy: { mode: replicated-job, restart_policy: { condition: any } }',
    'services.a: a job ends: it cannot be restarted always',
  ],
  ['x-hivemind: { job: { completions: 2 } }', 'services.a: x-hivemind.job needs deploy.mode replicated-job'],
  [
    'x-hivemind: { probes: { readiness: {} } }',
    'services.a.x-hivemind.probes.readiness: needs exactly one of http, tcp, grpc and exec',
  ],
  [
    'x-hivemind: { probes: { readiness: { tcp: 1, grpc: 2 } } }',
    'services.a.x-hivemind.probes.readiness: needs exactly one of http, tcp, grpc and exec',
  ],
  [
    'x-hivemind: { probes: { readiness: { http: { port: 1, headers: { A: "b\\r\\nC: d" } } } } }',
    'services.a.x-hivemind.probes.readiness.http.headers: "A" is not a header',
  ],
  [
    'x-hivemind: { probes: { rediness: { tcp: 1 } } }',
    'services.a.x-hivemind.probes.rediness is not a known key',
  ],
  ['post_start: [{ user: root }]', 'services.a.post_start[0]: command is missing'],
  [
    'blkio_config: { weight: 5 }',
    'services.a.blkio_config.weight must be between 10 and 1000, not the number 5',
  ],
  [
    'deploy: { placement: { constraints: [manager] } }',
    'services.a.deploy.placement.constraints: manager is not a constraint',
  ],
  [
    'volumes: [{ type: volume, source: v, target: /t, volume: { subpath: ../x } }]',
    'services.a.volumes[0].volume.subpath: ../x does not stay inside the volume',
  ],
  [
    'logging: { options: { max-size: lots } }',
    'services.a.logging.options: max-size lots is not a size like 10m',
  ],
  ['depends_on: { a: {} }', 'services.a.depends_on.a: condition is missing'],
];

test.each(refusals)('refused: %s', (yaml, problem) => {
  const problems = problemsOf(`services:\n  a:\n    image: i\n    ${yaml}\n`);
  expect(problems[0]?.replace(/^\S+ compose\.yaml:\d+: /, '')).toBe(problem);
});

test('build says the two commands that do it, in the file’s own words', () => {
  const hint = (build: string): string | undefined => {
    const compiled = compileText(`services:\n  web:\n    build: ${build}\n`);
    return 'problems' in compiled ? compiled.problems[0]!.hint : undefined;
  };
  expect(hint('./app')).toBe(
    'Two commands do it: podman build -t web:latest ./app && podman save --format oci-archive -o web.tar web:latest; ' +
      'hivemind image import web.tar. Then write image: web:latest in its place.',
  );
  expect(hint('{ context: app, dockerfile: Dev.Dockerfile }')).toContain('-f app/Dev.Dockerfile app &&');
  expect(hint('{ context: ., target: dev }')).toContain('web:latest --target dev . &&');
  expect(hint('.\n    image: registry.example/team/web:2')).toMatch(
    /^If its registry has registry.example\/team\/web:2, remove build\. Else two commands do it: podman build -t registry.example\/team\/web:2 \. /,
  );
});

test('configs and secrets are called as Compose allows it', () => {
  const compiled = compileText(
    'services:\n  a:\n    image: i\n    configs: [nginx.conf]\n    secrets: [DB_PASSWORD]\n' +
      'configs:\n  nginx.conf: { content: x }\nsecrets:\n  DB_PASSWORD: { external: true }\n',
  );
  if ('problems' in compiled) throw new Error(compiled.problems[0]!.message);
  expect(appSpec.parse(compiled.spec)).toEqual(compiled.spec);
  expect(compiled.spec.services['a']!.files?.map(({ target }) => target)).toEqual([
    '/nginx.conf',
    '/run/secrets/DB_PASSWORD',
  ]);
  const wrong = compileText('services:\n  a:\n    image: i\n    volumes: [Data:/x]\nvolumes:\n  Data:\n');
  expect('problems' in wrong && wrong.problems.map(({ code }) => code)).toEqual(['HM-COMPOSE-NAME']);
});

test('what is written for Docker or for the first Compose is told in their words', () => {
  const told = (yaml: string): readonly string[] => {
    const compiled = compileText(yaml);
    const all = 'problems' in compiled ? compiled.problems : compiled.warnings;
    return all.map(({ message, hint }) => `${message} | ${hint}`);
  };
  expect(told('web:\n  image: wordpress\n').join()).toContain('This is the form of the first Compose');
  const socket = 'services:\n  a:\n    image: i\n    volumes: [/var/run/docker.sock:/var/run/docker.sock]\n';
  expect(told(socket).join()).toContain("Docker's own socket");
  const compiled = compileText(socket);
  // A folder in its place would keep a Docker that is installed later from starting.
  expect('spec' in compiled && compiled.spec.services['a']!.mounts[0]).toMatchObject({ createSource: false });
  const check = 'services:\n  a:\n    image: i\n    healthcheck: { disable: false }\n';
  expect(told(check).join()).toContain('has no effect without test');
});

test('a process cannot have a port that leads to another one', () => {
  const process = 'x-hivemind: { process: { command: sleep 10 } }';
  const problems = problemsOf(`services:\n  a:\n    ports: ["81:80"]\n    ${process}\n`);
  expect(problems.join()).toContain('81:80 cannot be');
});
