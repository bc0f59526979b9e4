/** Several files of one app: what the specification says of each kind of key, as a table. */
import { describe, expect, test } from 'vitest';
import { cwd, loadFrom, merged, treeOf } from './disk.ts';

const started = { condition: 'service_started' };

describe('the later file over the earlier', () => {
  test.each<readonly [what: string, first: string, second: string, result: unknown]>([
    ['a value replaces a value', 'image: a\nrestart: always', 'image: b', { image: 'b', restart: 'always' }],
    ['nothing replaces nothing', 'image: a', 'image:', { image: 'a' }],
    [
      'maps go key by key',
      'deploy: { replicas: 1, mode: global }',
      'deploy: { replicas: 2 }',
      { deploy: { replicas: 2, mode: 'global' } },
    ],
    [
      'lists go one after the other',
      'post_start: [{ command: a }]',
      'post_start: [{ command: a }]',
      { post_start: [{ command: 'a' }, { command: 'a' }] },
    ],
    ['command whole', 'command: [a, b]', 'command: [c]', { command: ['c'] }],
    ['command in another form', 'command: [a, b]', 'command: c d', { command: 'c d' }],
    ['command emptied', 'command: [a]', 'command: []', { command: [] }],
    ['entrypoint whole', 'entrypoint: a', 'entrypoint: [b]', { entrypoint: ['b'] }],
    [
      'the test of a health check whole',
      'healthcheck: { test: [CMD, a], retries: 2 }',
      'healthcheck: { test: [CMD, b] }',
      { healthcheck: { test: ['CMD', 'b'], retries: 2 } },
    ],
    [
      'ports by address, both ports and protocol',
      'ports: ["80:80", "127.0.0.1:1:1"]',
      'ports: ["80:80/tcp", "81:80", "80:80/udp"]',
      { ports: ['80:80/tcp', '127.0.0.1:1:1', '81:80', '80:80/udp'] },
    ],
    [
      'a port in long form meets the short one',
      'ports: ["8080:80"]',
      'ports: [{ target: 80, published: "8080", name: web }]',
      { ports: [{ target: 80, published: '8080', name: 'web' }] },
    ],
    [
      'volumes by target',
      'volumes: ["a:/x", "b:/y:ro"]',
      'volumes: ["c:/y/", "/z"]',
      { volumes: ['a:/x', 'c:/y/', '/z'] },
    ],
    [
      'a volume in long form meets the short one',
      'volumes: ["./a:/x"]',
      'volumes: [{ type: tmpfs, target: /x }]',
      { volumes: [{ type: 'tmpfs', target: '/x' }] },
    ],
    [
      'devices by target',
      'devices: ["/dev/a:/dev/x", /dev/b]',
      'devices: ["/dev/c:/dev/x:r", "/dev/d:/dev/b", v.example/c=all]',
      { devices: ['/dev/c:/dev/x:r', '/dev/d:/dev/b', 'v.example/c=all'] },
    ],
    [
      'secrets by target',
      'secrets: [s, t]',
      'secrets: [{ source: u, target: s }, { source: t, mode: 0400 }]',
      {
        secrets: [
          { source: 'u', target: 's' },
          { source: 't', mode: 400 },
        ],
      },
    ],
    [
      'configs by target',
      'configs: [c, { source: d, target: /e }]',
      'configs: [{ source: f, target: /e }, { source: g, target: /c }]',
      {
        configs: [
          { source: 'g', target: '/c' },
          { source: 'f', target: '/e' },
        ],
      },
    ],
    [
      'environment: two lists',
      'environment: [A=1, B=2]',
      'environment: [B=3, C]',
      { environment: { A: '1', B: '3', C: null } },
    ],
    [
      'environment: a list under a map',
      'environment: [A=1, B=x=y]',
      'environment: { A: 2 }',
      { environment: { A: 2, B: 'x=y' } },
    ],
    [
      'environment: a map under a list',
      'environment: { A: 1 }',
      'environment: [A]',
      { environment: { A: null } },
    ],
    ['labels of both forms', 'labels: { a: 1 }', 'labels: [b=2, a=]', { labels: { a: '', b: '2' } }],
    ['sysctls of both forms', 'sysctls: [net.a=1]', 'sysctls: { net.a: 2 }', { sysctls: { 'net.a': 2 } }],
    [
      'deploy.labels',
      'deploy: { labels: [a=1] }',
      'deploy: { labels: { a: 2 } }',
      { deploy: { labels: { a: 2 } } },
    ],
    [
      'depends_on: a list under a map',
      'depends_on: [b]',
      'depends_on: { c: { condition: service_healthy } }',
      { depends_on: { b: started, c: { condition: 'service_healthy' } } },
    ],
    [
      'depends_on: a map under a list',
      'depends_on: { b: { condition: service_healthy } }',
      'depends_on: [b]',
      { depends_on: { b: started } },
    ],
    [
      'networks of both forms',
      'networks: [n, m]',
      'networks: { n: { aliases: [x] } }',
      { networks: { n: { aliases: ['x'] }, m: null } },
    ],
    [
      'aliases once each',
      'networks: { n: { aliases: [x] } }',
      'networks: { n: { aliases: [x, y] } }',
      { networks: { n: { aliases: ['x', 'y'] } } },
    ],
    ['dns: one and several', 'dns: 1.1.1.1', 'dns: [8.8.8.8, 1.1.1.1]', { dns: ['1.1.1.1', '8.8.8.8'] }],
    ['tmpfs by path', 'tmpfs: /run', 'tmpfs: ["/run:size=1m", /tmp]', { tmpfs: ['/run:size=1m', '/tmp'] }],
    [
      'extra_hosts of both forms',
      'extra_hosts: ["a=1.1.1.1"]',
      'extra_hosts: { a: 1.1.1.1, b: [2.2.2.2, 3.3.3.3] }',
      { extra_hosts: ['a=1.1.1.1', 'b=2.2.2.2', 'b=3.3.3.3'] },
    ],
    [
      'expose, cap_add once each',
      'expose: ["80"]\ncap_add: [A]',
      'expose: [80, 81]\ncap_add: [A, B]',
      { expose: [80, 81], cap_add: ['A', 'B'] },
    ],
    [
      'a ulimit of another form',
      'ulimits: { nofile: 5, nproc: { soft: 1, hard: 2 } }',
      'ulimits: { nofile: { soft: 1, hard: 2 }, nproc: { hard: 3 } }',
      { ulimits: { nofile: { soft: 1, hard: 2 }, nproc: { soft: 1, hard: 3 } } },
    ],
    [
      'logging of one driver',
      'logging: { driver: local, options: { max-size: 1m, x: 1 } }',
      'logging: { options: { x: 2 } }',
      { logging: { driver: 'local', options: { 'max-size': '1m', x: 2 } } },
    ],
    [
      'logging of another driver',
      'logging: { driver: local, options: { x: 1 } }',
      'logging: { driver: none }',
      { logging: { driver: 'none' } },
    ],
    ['!reset removes', 'image: a\nports: ["1:1"]', 'ports: !reset []', { image: 'a' }],
    [
      '!reset in a map',
      'environment: { A: 1, B: 2 }',
      'environment: { A: !reset null }',
      { environment: { B: 2 } },
    ],
    ['!override replaces a list', 'ports: ["1:1"]', 'ports: !override ["2:2"]', { ports: ['2:2'] }],
    [
      '!override replaces a map',
      'deploy: { replicas: 3, mode: global }',
      'deploy: !override { replicas: 1 }',
      { deploy: { replicas: 1 } },
    ],
    [
      '!reset and !override of a file alone',
      'ports: !reset ["1:1"]\ncap_add: !override [A]\nimage: !override 5',
      'restart: "no"',
      { cap_add: ['A'], image: '5', restart: 'no' },
    ],
  ])('%s', (_what, first, second, result) => {
    expect(merged(first, second)).toEqual(result);
  });

  test('of three, and of one', () => {
    const files = ['ports: ["1:1"]', 'ports: !reset null', 'ports: ["3:3"]'] as const;
    expect(merged(...files)).toEqual({ ports: ['3:3'] });
    expect(merged(files[0])).toEqual({ ports: ['1:1'] });
  });

  test('what has no form in common is refused by both places', () => {
    expect(merged('volumes: [a:/a]', 'volumes: { a: /b }')).toEqual([
      'HM-COMPOSE-TYPE f2.yaml:3: services.a.volumes: a map cannot be merged with the list at f1.yaml:3',
    ]);
  });

  test('top-level parts and services of either file', () => {
    expect(
      treeOf(
        {
          [`${cwd}/a.yaml`]: 'name: one\nservices: { a: { image: i } }\nvolumes: { v: { labels: [a=1] } }',
          [`${cwd}/b.yaml`]:
            'name: two\nservices: { b: { image: i } }\nvolumes: { v: { labels: { a: 2 } }, w: }',
        },
        { files: ['a.yaml', 'b.yaml'] },
      ),
    ).toEqual({
      name: 'two',
      services: { a: { image: 'i' }, b: { image: 'i' } },
      volumes: { v: { labels: { a: 2 } }, w: null },
    });
  });

  test('every value keeps the file and line it was written at', () => {
    const { loaded } = loadFrom(
      {
        [`${cwd}/a.yaml`]: 'services:\n  a:\n    image: i\n    ports:\n      - "1:1"\n',
        [`${cwd}/b.yaml`]: '\nservices:\n  a:\n    ports:\n      - "2:2"\n',
      },
      { files: ['a.yaml', 'b.yaml'] },
    );
    expect(JSON.stringify(loaded?.root)).toContain(
      '{"kind":"scalar","at":{"file":"a.yaml","line":5,"column":9},"value":"1:1"',
    );
    expect(JSON.stringify(loaded?.root)).toContain(
      '{"kind":"scalar","at":{"file":"b.yaml","line":5,"column":9},"value":"2:2"',
    );
  });
});
