/** Every supported key of a service, in each of its forms, and what it becomes. */
import { expect, test } from 'vitest';
import type { ServiceSpec } from '../../../protocols/apps/model.ts';
import { compileText, service, specOf } from './compile-text.ts';

const mounts = (yaml: string): unknown =>
  specOf(`services:\n  a:\n    image: i\n${yaml}\nvolumes: { data: }`).services['a']!.mounts;
const tcp = (hostPort: number, containerPort: number, hostAddress = '0.0.0.0'): object => ({
  hostAddress,
  hostPort,
  containerPort,
  protocol: 'tcp',
});
const shell = (line: string): object => ({ test: ['/bin/sh', '-c', line], ...timing });
const timing = { intervalMs: 30_000, timeoutMs: 30_000, retries: 3, startPeriodMs: 0 };

test('defaults', () => {
  expect(
    specOf('name: shop\nservices: { web: { image: "nginx:1" } }\nvolumes: { data: , more: {} }'),
  ).toEqual({
    name: 'shop',
    services: {
      web: {
        name: 'web',
        image: 'nginx:1',
        environment: {},
        ports: [],
        mounts: [],
        dependsOn: [],
        restart: { condition: 'none' },
        replicas: 1,
        networkMode: 'app',
        stopGraceMs: 10_000,
      },
    },
    volumes: { data: { name: 'data' }, more: { name: 'more' } },
  });
});

test.each([
  ['redis', 'redis:latest'],
  ['docker.io/library/redis:7', 'redis:7'],
  ['localhost:5000/a/b', 'localhost:5000/a/b:latest'],
])('the image %s is kept as %s', (written, kept) => {
  expect(specOf(`services: { a: { image: "${written}" } }`).services['a']!.image).toBe(kept);
});

const table: readonly (readonly [yaml: string, field: keyof ServiceSpec, value: unknown])[] = [
  ['command: sh -c "echo a b" \'c d\' e\\ f', 'command', ['sh', '-c', 'echo a b', 'c d', 'e f']],
  ['command: [sh, -c, "x  y", 1.10, true]', 'command', ['sh', '-c', 'x  y', '1.10', 'true']],
  ['command: []', 'command', []],
  ['command:', 'command', undefined],
  ['entrypoint: /run.sh --fast', 'entrypoint', ['/run.sh', '--fast']],
  ['entrypoint: ""', 'entrypoint', []],
  [
    'environment: { A: 1.10, B: true, C: "x=y", D: "", E: 010 }',
    'environment',
    { A: '1.10', B: 'true', C: 'x=y', D: '', E: '010' },
  ],
  ['environment: [A=1, B=, C=x=y]', 'environment', { A: '1', B: '', C: 'x=y' }],
  ['environment: { OUTER: , ABSENT: }', 'environment', { OUTER: 'outside' }],
  ['environment: [OUTER, ABSENT]', 'environment', { OUTER: 'outside' }],
  ['environment: { __proto__: x }', 'environment', JSON.parse('{"__proto__":"x"}')],
  ['ports: ["8080:80"]', 'ports', [tcp(8080, 80)]],
  ['ports: ["127.0.0.1:8080:80"]', 'ports', [tcp(8080, 80, '127.0.0.1')]],
  ['ports: ["5353:53/udp"]', 'ports', [{ ...tcp(5353, 53), protocol: 'udp' }]],
  ['ports: [22:22]', 'ports', [tcp(22, 22)]],
  ['ports: ["8000-8001:90-91"]', 'ports', [tcp(8000, 90), tcp(8001, 91)]],
  [
    'ports: [{ target: 80, published: "8080", host_ip: 127.0.0.1, protocol: tcp }]',
    'ports',
    [tcp(8080, 80, '127.0.0.1')],
  ],
  ['ports: [{ target: 80, published: 8080 }]', 'ports', [tcp(8080, 80)]],
  ['restart: no', 'restart', { condition: 'none' }],
  ['restart: "no"', 'restart', { condition: 'none' }],
  ['restart: always', 'restart', { condition: 'always' }],
  ['restart: unless-stopped', 'restart', { condition: 'always' }],
  ['restart: on-failure', 'restart', { condition: 'on-failure' }],
  ['restart: on-failure:5', 'restart', { condition: 'on-failure', maxAttempts: 5 }],
  ['deploy: { replicas: 3 }', 'replicas', 3],
  ['deploy: { replicas: 0 }', 'replicas', 0],
  ['deploy: { replicas: "${N:-2}" }', 'replicas', 2],
  ['network_mode: host', 'networkMode', 'host'],
  ['network_mode: none', 'networkMode', 'none'],
  ['network_mode: bridge', 'networkMode', 'app'],
  ['stop_grace_period: 1m30s', 'stopGraceMs', 90_000],
  ['stop_grace_period: 0', 'stopGraceMs', 0],
  ['stop_signal: SIGUSR1', 'stopSignal', 'SIGUSR1'],
  ['stop_signal: quit', 'stopSignal', 'SIGQUIT'],
  ['stop_signal: SIGRTMIN+3', 'stopSignal', 'SIGRTMIN+3'],
  ['stop_signal: rtmax-1', 'stopSignal', 'SIGRTMIN+29'],
  ['healthcheck: { test: curl -f localhost }', 'healthcheck', shell('curl -f localhost')],
  ['healthcheck: { test: [CMD-SHELL, "a | b"] }', 'healthcheck', shell('a | b')],
  [
    'healthcheck: { test: [CMD, redis-cli, ping] }',
    'healthcheck',
    { ...timing, test: ['redis-cli', 'ping'] },
  ],
  ['healthcheck: { test: [NONE] }', 'healthcheck', undefined],
  ['healthcheck: { disable: true }', 'healthcheck', undefined],
  ['healthcheck: { test: x, disable: true }', 'healthcheck', undefined],
  [
    'healthcheck: { test: x, interval: 1m30s, timeout: 500ms, retries: 5, start_period: 1.5h }',
    'healthcheck',
    { ...shell('x'), intervalMs: 90_000, timeoutMs: 500, retries: 5, startPeriodMs: 5_400_000 },
  ],
];

test.each(table)('%s', (yaml, field, value) => {
  expect(service(yaml)[field]).toEqual(value);
});

const bind = { type: 'bind', target: '/d', readOnly: false, createSource: true };

test.each([
  ['    volumes: ["data:/d"]', { type: 'volume', volume: 'data', target: '/d', readOnly: false }],
  ['    volumes: ["data:/d/:ro"]', { type: 'volume', volume: 'data', target: '/d', readOnly: true }],
  ['    volumes: [/d/]', { type: 'anonymous', target: '/d', readOnly: false }],
  [
    '    volumes: [{ type: volume, target: /d, volume: { nocopy: true } }]',
    { type: 'anonymous', target: '/d', readOnly: false, noCopy: true },
  ],
  ['    volumes: ["./x:/d"]', { ...bind, source: '/srv/shop/x' }],
  ['    volumes: ["../x:/d:ro"]', { ...bind, source: '/srv/x', readOnly: true }],
  ['    volumes: [".:/d"]', { ...bind, source: '/srv/shop' }],
  ['    volumes: ["~/x:/d"]', { ...bind, source: '/home/me/x' }],
  ['    volumes: ["/a/../b//c:/d:rw"]', { ...bind, source: '/b/c' }],
  [
    '    volumes: [{ type: volume, source: data, target: /d, read_only: true }]',
    { type: 'volume', volume: 'data', target: '/d', readOnly: true },
  ],
  [
    '    volumes: [{ type: bind, source: ./x, target: /d }]',
    { ...bind, source: '/srv/shop/x', createSource: false },
  ],
  [
    '    volumes: [{ type: bind, source: /x, target: /d, bind: { create_host_path: true } }]',
    { ...bind, source: '/x' },
  ],
  [
    '    volumes: [{ type: tmpfs, target: /d, tmpfs: { size: 64m, mode: 01777 } }]',
    { type: 'tmpfs', target: '/d', sizeBytes: 67_108_864, mode: 0o1777 },
  ],
  ['    tmpfs: /d', { type: 'tmpfs', target: '/d' }],
  ['    tmpfs: ["/d:size=1k,mode=755"]', { type: 'tmpfs', target: '/d', sizeBytes: 1024, mode: 0o755 }],
])('%s', (yaml, mount) => {
  expect(mounts(yaml)).toEqual([mount]);
});

test('depends_on as list and as map', () => {
  const of = (yaml: string): unknown =>
    specOf(
      `services:\n  db: { image: i, healthcheck: { test: x } }\n  a:\n    image: i\n    depends_on: ${yaml}`,
    ).services['a']!.dependsOn;
  expect(of('[db]')).toEqual([{ service: 'db', condition: 'started' }]);
  expect(of('{ db: { condition: service_healthy } }')).toEqual([{ service: 'db', condition: 'healthy' }]);
  expect(of('{ db: { condition: service_started } }')).toEqual([{ service: 'db', condition: 'started' }]);
});

test('anchors, aliases and merge keys; x- blocks are ignored', () => {
  const spec = specOf(`
x-base: &base { image: i, restart: always, environment: &env { A: "1", $B: 2 } }
services:
  a: { <<: *base, restart: no, x-note: [anything, { at: all }] }
  b: { <<: [{ image: first }, *base], environment: { <<: *env, A: "2" } }
`);
  expect(spec.services['a']).toMatchObject({ image: 'i:latest', restart: { condition: 'none' } });
  expect(spec.services['b']).toMatchObject({ image: 'first:latest', environment: { A: '2', $B: '2' } });
});

test.each([
  ['$OUTER', 'outside'],
  ['a${OUTER}b', 'aoutsideb'],
  ['${ABSENT:-x y}', 'x y'],
  ['${ABSENT-x}', 'x'],
  ['${EMPTY:-x}', 'x'],
  ['${EMPTY-x}', ''],
  ['${ABSENT:-${OUTER}}', 'outside'],
  ['${OUTER:+set}', 'set'],
  ['${ABSENT:+set}', ''],
  ['${OUTER:?needed}', 'outside'],
  ['$$OUTER and $${X}', '$OUTER and ${X}'],
])('the value %s becomes %s', (written, value) => {
  expect(service(`environment: { V: '${written}' }`).environment).toEqual({ V: value });
});

test('the name: -p, else name:, else the directory as Compose normalises it', () => {
  const services = 'services: { a: { image: i } }';
  expect(specOf(services, { projectDirectory: '/srv/_My Shop.v2' }).name).toBe('myshopv2');
  expect(specOf(`name: other\n${services}`).name).toBe('other');
  expect(specOf(`name: other\n${services}`, { name: 'given' }).name).toBe('given');
});

test('warnings: an obsolete version, health of a service without a check, options without effect', () => {
  const { warnings } = compileText(`version: "3.8"
services:
  a: { image: i, depends_on: { b: { condition: service_healthy } } }
  b: { image: i, volumes: ["./x:/y:z"] }
`);
  expect(warnings.map(({ message }) => message)).toEqual([
    'compose.yaml:1: version has no effect: obsolete',
    'compose.yaml:4: services.b.volumes[0]: the option z has no effect',
    'compose.yaml:3: services.a waits for b to be healthy, which has no healthcheck: running is enough',
  ]);
});

test('MAC addresses beside the one that the only interface can have are told', () => {
  const warningsOf = (lines: string): string[] =>
    compileText(`services:\n  a: { image: i, ${lines} }\nnetworks: { x: , y: }\n`).warnings.map(
      ({ message }) => message,
    );
  const [one, two] = ['02:00:00:00:00:01', '02:00:00:00:00:02'];
  const both = `networks: { x: { mac_address: "${one}" }, y: { mac_address: "${two}", priority: 1 } }`;
  expect(warningsOf(`networks: { x: { mac_address: "${one}" }, y: { priority: 1 } }`)).toEqual([]);
  expect(warningsOf(both)).toEqual([
    `compose.yaml:2: services.a: one interface has one MAC address: ${two}, not ${one}`,
  ]);
  expect(warningsOf(`mac_address: "${one}", network_mode: none`)).toEqual([
    'compose.yaml:2: services.a: mac_address has no effect with network_mode none',
  ]);
});
