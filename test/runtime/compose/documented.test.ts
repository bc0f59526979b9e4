/**
 * The syntax that the Compose specification documents, section by section: what each form comes to in the model, or
 * what it is refused for. One row a documented form; the rows are ours, the forms are the specification's.
 */
import { describe, expect, test } from 'vitest';
import { compileFrom, cwd, type Disk } from '../../protocols/apps/files/disk.ts';

const environment = { HOME: '/home/me', USER_INPUT: 'typed', TAG: '7' };

/** The part of service `web` that a row is about; refusals as `CODE text`. */
function service(lines: string, rest = ''): unknown {
  const indented = lines.replaceAll(/^/gm, '    ');
  const image = /^(?:image|extends):/m.test(lines) ? '' : '    image: i\n';
  return app(
    `services:\n  web:\n${image}${indented}\n  db: { image: d, healthcheck: { test: x } }\n${rest}`,
    (spec) => spec.services['web'],
  );
}

type Spec = Extract<ReturnType<typeof compileFrom>, { spec: unknown }>['spec'];

function app(text: string, part: (spec: Spec) => unknown = (spec) => spec, more: Disk = {}): unknown {
  const compiled = compileFrom({ [`${cwd}/compose.yaml`]: text, ...more }, { environment });
  if ('spec' in compiled) return part(compiled.spec);
  return compiled.problems.map(
    ({ code, message }) => `${code} ${message.replace(/^compose\.yaml:\d+: /, '')}`,
  );
}

describe('services', () => {
  test.each<readonly [section: string, lines: string, model: unknown]>([
    ['image by tag', 'image: redis:5', { image: 'redis:5' }],
    ['image without a tag', 'image: library/redis', { image: 'redis:latest' }],
    [
      'image of a registry with a port',
      'image: my_private.registry:5000/redis',
      ['HM-COMPOSE-TYPE services.web.image: "my_private.registry:5000/redis" is not an image name'],
    ],
    ['image by variable', 'image: "redis:${TAG:-6}"', { image: 'redis:7' }],
    [
      'command as a text',
      'command: bundle exec thin -p 3000',
      { command: ['bundle', 'exec', 'thin', '-p', '3000'] },
    ],
    ['command as a list', 'command: ["bundle", "exec", "thin"]', { command: ['bundle', 'exec', 'thin'] }],
    ['command emptied', 'command: []', { command: [] }],
    ['entrypoint as a text', 'entrypoint: /code/entrypoint.sh', { entrypoint: ['/code/entrypoint.sh'] }],
    [
      'entrypoint as a list',
      'entrypoint:\n  - php\n  - -d\n  - memory_limit=-1',
      { entrypoint: ['php', '-d', 'memory_limit=-1'] },
    ],
    [
      'environment as a map',
      'environment:\n  RACK_ENV: development\n  SHOW: "true"\n  USER_INPUT:',
      { environment: { RACK_ENV: 'development', SHOW: 'true', USER_INPUT: 'typed' } },
    ],
    [
      'environment as a list',
      'environment:\n  - RACK_ENV=development\n  - SHOW=true\n  - USER_INPUT',
      { environment: { RACK_ENV: 'development', SHOW: 'true', USER_INPUT: 'typed' } },
    ],
    [
      'ports of any host port',
      'ports: ["3000-3001"]',
      {
        ports: [
          { hostAddress: '0.0.0.0', hostPort: 0, containerPort: 3000, protocol: 'tcp' },
          { hostAddress: '0.0.0.0', hostPort: 0, containerPort: 3001, protocol: 'tcp' },
        ],
      },
    ],
    [
      'ports: address, range, protocol',
      'ports: ["9090-9091:8080-8081", "127.0.0.1:8001:8001", "6060:6060/udp"]',
      {
        ports: [
          { hostAddress: '0.0.0.0', hostPort: 9090, containerPort: 8080, protocol: 'tcp' },
          { hostAddress: '0.0.0.0', hostPort: 9091, containerPort: 8081, protocol: 'tcp' },
          { hostAddress: '127.0.0.1', hostPort: 8001, containerPort: 8001, protocol: 'tcp' },
          { hostAddress: '0.0.0.0', hostPort: 6060, containerPort: 6060, protocol: 'udp' },
        ],
      },
    ],
    [
      'ports in long form',
      'ports:\n  - name: web\n    target: 80\n    host_ip: 127.0.0.1\n    published: "8080"\n    protocol: tcp\n    app_protocol: http\n    mode: host',
      { ports: [{ hostAddress: '127.0.0.1', hostPort: 8080, containerPort: 80, protocol: 'tcp' }] },
    ],
    [
      'depends_on in short form',
      'depends_on: [db]',
      { dependsOn: [{ service: 'db', condition: 'started' }] },
    ],
    [
      'depends_on in long form',
      'depends_on:\n  db:\n    condition: service_healthy\n    restart: true',
      { dependsOn: [{ service: 'db', condition: 'healthy', restart: true }] },
    ],
    [
      'depends_on completed',
      'depends_on: { db: { condition: service_completed_successfully } }',
      { dependsOn: [{ service: 'db', condition: 'completed' }] },
    ],
    [
      'depends_on of what need not be there',
      'depends_on: { nope: { condition: service_started, required: false } }',
      { dependsOn: [] },
    ],
    ['restart', 'restart: on-failure:3', { restart: { condition: 'on-failure', maxAttempts: 3 } }],
    ['restart unless-stopped', 'restart: unless-stopped', { restart: { condition: 'always' } }],
    [
      'healthcheck',
      'healthcheck:\n  test: ["CMD", "curl", "-f", "http://localhost"]\n  interval: 1m30s\n  timeout: 10s\n  retries: 3\n  start_period: 40s\n  start_interval: 5s',
      {
        healthcheck: {
          test: ['curl', '-f', 'http://localhost'],
          intervalMs: 90_000,
          timeoutMs: 10_000,
          retries: 3,
          startPeriodMs: 40_000,
          startIntervalMs: 5_000,
        },
      },
    ],
    [
      'healthcheck in a shell',
      'healthcheck: { test: curl -f https://localhost || exit 1 }',
      { healthcheck: { test: ['/bin/sh', '-c', 'curl -f https://localhost || exit 1'] } },
    ],
    [
      'volumes in short form',
      'volumes: ["./cache:/tmp/cache", "~/configs:/etc/configs:ro", "/opt/data:/var/lib/mysql"]',
      {
        mounts: [
          {
            type: 'bind',
            source: '/srv/shop/cache',
            target: '/tmp/cache',
            readOnly: false,
            createSource: true,
          },
          {
            type: 'bind',
            source: '/home/me/configs',
            target: '/etc/configs',
            readOnly: true,
            createSource: true,
          },
          {
            type: 'bind',
            source: '/opt/data',
            target: '/var/lib/mysql',
            readOnly: false,
            createSource: true,
          },
        ],
      },
    ],
    [
      'a volume that is not declared',
      'volumes: ["datavolume:/var/lib/mysql"]',
      ['HM-COMPOSE-REFERENCE services.web uses the volume datavolume, which is not declared'],
    ],
    [
      'tmpfs',
      'tmpfs:\n  - /data:mode=755\n  - /run',
      {
        mounts: [
          { type: 'tmpfs', target: '/data', mode: 0o755 },
          { type: 'tmpfs', target: '/run' },
        ],
      },
    ],
    [
      'stop_grace_period and stop_signal',
      'stop_grace_period: 1m30s\nstop_signal: SIGUSR1',
      { stopGraceMs: 90_000, stopSignal: 'SIGUSR1' },
    ],
    ['scale', 'scale: 3', { replicas: 3 }],
    ['deploy.replicas', 'deploy: { mode: replicated, replicas: 6 }', { replicas: 6 }],
    [
      'deploy.resources',
      'deploy:\n  resources:\n    limits: { cpus: "0.50", memory: 50M, pids: 1 }\n    reservations: { cpus: "0.25", memory: 20M }',
      {
        resources: {
          limits: { cpus: 0.5, memoryBytes: 52_428_800, pids: 1 },
          reservations: { cpus: 0.25, memoryBytes: 20_971_520 },
        },
      },
    ],
    [
      'deploy.restart_policy',
      'deploy: { restart_policy: { condition: on-failure, delay: 5s, max_attempts: 3, window: 120s } }',
      { restart: { condition: 'on-failure', delayMs: 5_000, maxAttempts: 3, windowMs: 120_000 } },
    ],
    [
      'cap_add and cap_drop',
      'cap_add: [ALL]\ncap_drop: [NET_ADMIN, SYS_ADMIN]',
      { isolation: { capAdd: ['ALL'], capDrop: ['NET_ADMIN', 'SYS_ADMIN'] } },
    ],
    [
      'sysctls as a map',
      'sysctls: { net.core.somaxconn: 1024, net.ipv4.tcp_syncookies: 0 }',
      { isolation: { sysctls: { 'net.core.somaxconn': '1024', 'net.ipv4.tcp_syncookies': '0' } } },
    ],
    [
      'sysctls as a list',
      'sysctls: ["net.core.somaxconn=1024"]',
      { isolation: { sysctls: { 'net.core.somaxconn': '1024' } } },
    ],
    [
      'ulimits',
      'ulimits:\n  nproc: 65535\n  nofile:\n    soft: 20000\n    hard: 40000',
      {
        isolation: {
          ulimits: { nproc: { soft: 65_535, hard: 65_535 }, nofile: { soft: 20_000, hard: 40_000 } },
        },
      },
    ],
    [
      'extra_hosts',
      'extra_hosts:\n  - "somehost=162.242.195.82"\n  - "otherhost:50.31.209.229"\n  - "myhostv6=::1"',
      {
        names: {
          extraHosts: [
            { host: 'somehost', address: '162.242.195.82' },
            { host: 'otherhost', address: '50.31.209.229' },
            { host: 'myhostv6', address: '::1' },
          ],
        },
      },
    ],
    [
      'dns',
      'dns:\n  - 8.8.8.8\n  - 9.9.9.9\ndns_search: example.com',
      { names: { dns: ['8.8.8.8', '9.9.9.9'], dnsSearch: ['example.com'] } },
    ],
    [
      'labels as a map',
      'labels: { com.example.department: Finance, com.example.empty: "" }',
      { labels: { 'com.example.department': 'Finance', 'com.example.empty': '' } },
    ],
    [
      'labels as a list',
      'labels: ["com.example.department=Finance", "com.example.empty"]',
      { labels: { 'com.example.department': 'Finance', 'com.example.empty': '' } },
    ],
    [
      'user, working_dir, hostname, init, tty',
      'user: "1000:1000"\nworking_dir: /app\nhostname: h\ninit: true\ntty: true',
      { process: { user: '1000:1000', workingDir: '/app', hostname: 'h', init: true, tty: true } },
    ],
    [
      'read_only and shm_size',
      'read_only: true\nshm_size: 64m',
      { isolation: { readOnly: true, shmSizeBytes: 67_108_864 } },
    ],
    [
      'post_start and pre_stop',
      'post_start: [{ command: ./do_something.sh, user: root }]\npre_stop: [{ command: [./data_flush.sh] }]',
      {
        hooks: {
          postStart: [{ command: ['./do_something.sh'], user: 'root' }],
          preStop: [{ command: ['./data_flush.sh'] }],
        },
      },
    ],
    ['pull_policy', 'pull_policy: every_12h', { pullPolicy: { when: 'older', thanMs: 43_200_000 } }],
    ['platform', 'platform: linux/arm64/v8', { platform: 'linux/arm64/v8' }],
    [
      'build',
      'build: .',
      ['HM-COMPOSE-KEY services.web.build is refused: Hivemind runs images and does not build them'],
    ],
    ['gpus', 'gpus: [{ driver: 3dfx, count: 2 }]', { isolation: { gpus: [{ driver: '3dfx', count: 2 }] } }],
  ])('%s', (_section, lines, model) => {
    const result = service(lines);
    if (Array.isArray(model)) expect(result).toEqual(model);
    else expect(result).toMatchObject(model as object);
  });
});

describe('fragments, extensions, merge', () => {
  test.each<readonly [section: string, text: string, environmentOf: unknown]>([
    [
      'an anchor and its alias',
      'x-env: &env { A: "1" }\nservices: { web: { image: i, environment: *env } }',
      { A: '1' },
    ],
    [
      'one merged map',
      'x-env: &env { A: "1", B: "2" }\nservices: { web: { image: i, environment: { <<: *env, B: "3" } } }',
      { A: '1', B: '3' },
    ],
    [
      'several merged maps, the first wins',
      'x-a: &a { K: a }\nx-b: &b { K: b, L: b }\nservices: { web: { image: i, environment: { <<: [*a, *b] } } }',
      { K: 'a', L: 'b' },
    ],
    [
      'a merged service',
      'services:\n  base: &base { image: i, environment: { A: "1" } }\n  web: { <<: *base, command: x }',
      { A: '1' },
    ],
    [
      'extensions are ignored',
      'x-custom: { foo: [bar, 1] }\nservices: { web: { image: i, x-more: y, environment: { A: "1" } } }',
      { A: '1' },
    ],
    ['dollars that stay', 'services: { web: { image: i, environment: { A: "$$VAR" } } }', { A: '$VAR' }],
  ])('%s', (_section, text, variables) => {
    expect(app(text, (spec) => spec.services['web']?.environment)).toEqual(variables);
  });
});

describe('the top of the file', () => {
  test.each<readonly [section: string, text: string, model: unknown]>([
    ['version is obsolete', 'version: "3.9"\nservices: { web: { image: i } }', { name: 'shop' }],
    ['name', 'name: myapp\nservices: { web: { image: i } }', { name: 'myapp' }],
    [
      'a volume with nothing',
      'services: { web: { image: i } }\nvolumes: { db-data: }',
      { volumes: { 'db-data': { name: 'db-data' } } },
    ],
    [
      'an external volume',
      'services: { web: { image: i, volumes: ["db-data:/x"] } }\nvolumes: { db-data: { external: true, name: other/data } }',
      { volumes: {}, services: { web: { mounts: [{ volume: 'data', app: 'other', target: '/x' }] } } },
    ],
    [
      'networks',
      'services: { web: { image: i, networks: [front, back] } }\nnetworks: { front: , back: { internal: true } }',
      {
        networks: { back: { name: 'back', internal: true }, front: { name: 'front' } },
        services: { web: { networks: { front: {}, back: {} } } },
      },
    ],
    [
      'a config of content',
      'services: { web: { image: i, configs: [c] } }\nconfigs: { c: { content: "debug=${TAG}" } }',
      {
        configs: { c: { name: 'c', content: 'ZGVidWc9Nw==' } },
        services: { web: { files: [{ kind: 'config', source: 'c', target: '/c' }] } },
      },
    ],
    [
      'a secret of the environment',
      'services: { web: { image: i, secrets: [s] } }\nsecrets: { s: { environment: USER_INPUT } }',
      {
        secrets: { s: { name: 's', content: 'dHlwZWQ=' } },
        services: { web: { files: [{ kind: 'secret', source: 's', target: '/run/secrets/s' }] } },
      },
    ],
    ['no services', 'volumes: { v: }', ['HM-COMPOSE-TYPE services is missing']],
    [
      'a key that is none',
      'service: { web: { image: i } }',
      ['HM-COMPOSE-KEY service is not a known key', 'HM-COMPOSE-TYPE services is missing'],
    ],
  ])('%s', (_section, text, model) => {
    const result = app(text);
    if (Array.isArray(model)) expect(result).toEqual(model);
    else expect(result).toMatchObject(model as object);
  });
});
