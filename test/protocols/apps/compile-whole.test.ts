/** What services say of each other, of the file's own parts, and of the ports they publish. */
import { expect, test } from 'vitest';
import { compileText, problemsOf, service, specOf } from './compile-text.ts';

test('links become start order and a name of the other service', () => {
  const { services } = specOf(`services:
  web: { image: i, links: ["db:database", cache] }
  db: { image: i }
  cache: { image: i }
`);
  expect(services['web']!.dependsOn.map((one) => one.service)).toEqual(['db', 'cache']);
  expect(services['db']!.networks).toEqual({ default: { aliases: ['database'] } });
  expect(services['cache']!.networks).toBeUndefined();
});

test('an alias that would mean two services is refused', () => {
  const problems = problemsOf(`services:
  one: { image: i, links: ["a:db"] }
  two: { image: i, links: ["b:db"] }
  a: { image: i }
  b: { image: i }
`);
  expect(problems).toEqual([
    'HM-COMPOSE-REFERENCE compose.yaml:3: services.two links to b as db, which already means a',
  ]);
});

test('a borrowed volume without a name is the one of the other service’s first replica', () => {
  const { services } = specOf(`services:
  a: { image: i, volumes_from: [b] }
  b: { image: i, volumes: [/x] }
`);
  const own = { type: 'anonymous', target: '/x', readOnly: false };
  expect([services['a']!.mounts, services['b']!.mounts]).toEqual([[{ ...own, service: 'b' }], [own]]);
});

test('borrowed volumes come with their targets, also those that were borrowed', () => {
  const { services } = specOf(`services:
  a: { image: i, volumes_from: ["b:ro"], volumes: ["own:/x"] }
  b: { image: i, volumes_from: [c], volumes: ["data:/x", "data:/y"], tmpfs: /run }
  c: { image: i, volumes: ["./z:/z"] }
volumes: { data: , own: }
`);
  const at = (name: string) =>
    services[name]!.mounts.map((mount) => `${mount.target} ${'readOnly' in mount && mount.readOnly}`);
  expect(at('a')).toEqual(['/x false', '/y true', '/z true']);
  expect(at('b')).toEqual(
    ['/x false', '/y false', '/run undefined', '/z false'].map((one) => one.replace('undefined', 'false')),
  );
  expect(services['a']!.dependsOn).toEqual([{ service: 'b', condition: 'started' }]);
});

test('a volume that is a folder of the machine is mounted as one', () => {
  const spec = specOf(`services:
  a: { image: i, volumes: [{ type: volume, source: v, target: /t, volume: { subpath: in } }] }
volumes: { v: { driver: local, driver_opts: { type: none, o: "bind", device: /srv/x } } }
`);
  expect(spec.services['a']!.mounts).toEqual([
    { type: 'bind', source: '/srv/x/in', target: '/t', readOnly: false, createSource: false },
  ]);
  expect(spec.volumes).toEqual({});
});

test('configs and secrets: content in base64, places and modes as in Compose', () => {
  const spec = specOf(`services:
  a:
    image: i
    configs: [c, { source: e, target: /etc/e.conf, uid: "7", gid: "8", mode: 0400 }]
    secrets: [s, { source: s, target: again }, { source: s, target: /abs }]
configs: { c: { content: "hi $OUTER" }, e: { environment: OUTER } }
secrets: { s: { file: ./key.txt }, x: { external: true, name: prod_key } }
`);
  const text = (base64: string | undefined): string => Buffer.from(base64 ?? '', 'base64').toString();
  expect(text(spec.configs?.['c']?.content)).toBe('hi outside');
  expect(text(spec.configs?.['e']?.content)).toBe('outside');
  expect(text(spec.secrets?.['s']?.content)).toBe('open sesame');
  expect(spec.secrets?.['x']).toEqual({ name: 'x', externalName: 'prod_key' });
  expect(spec.services['a']!.files).toEqual([
    { kind: 'config', source: 'c', target: '/c', mode: 0o444 },
    { kind: 'config', source: 'e', target: '/etc/e.conf', uid: 7, gid: 8, mode: 0o400 },
    { kind: 'secret', source: 's', target: '/run/secrets/s' },
    { kind: 'secret', source: 's', target: '/run/secrets/again' },
    { kind: 'secret', source: 's', target: '/abs' },
  ]);
});

test.each([
  ['{}', 'secrets.s: needs exactly one of file, environment or external'],
  ['{ file: a, environment: b }', 'secrets.s: needs exactly one of file, environment or external'],
  ['{ environment: NOPE }', 'secrets.s: variable NOPE is not set'],
  ['{ content: x }', 'secrets.s.content is not a known key'],
  ['{ external: true, file: x }', 'secrets.s: an external one has no file'],
  ['{ file: ./gone }', 'secrets.s: /srv/shop/gone was not read'],
])('secrets: { s: %s }', (source, problem) => {
  const problems = problemsOf(`services: { a: { image: i } }\nsecrets: { s: ${source} }`);
  expect(problems.map((line) => line.replace(/^\S+ compose\.yaml:\d+: /, ''))).toContain(problem);
});

test('ports in every form', () => {
  const ports = (yaml: string): string[] =>
    service(`ports: ${yaml}`).ports.map(
      (port) => `${port.hostAddress}|${port.hostPort}|${port.containerPort}/${port.protocol}`,
    );
  expect(ports('["[::1]:80:81/udp"]')).toEqual(['::1|80|81/udp']);
  expect(ports('["[::]:80-81:90-91"]')).toEqual(['::|80|90/tcp', '::|81|91/tcp']);
  expect(ports('[{ target: 80, published: "8080", host_ip: "::1", mode: host }]')).toEqual([
    '::1|8080|80/tcp',
  ]);
  expect(ports('["80", "127.0.0.1::80", { target: 80 }, "6-7/udp"]')).toEqual([
    '0.0.0.0|0|80/tcp',
    '127.0.0.1|0|80/tcp',
    '0.0.0.0|0|80/tcp',
    '0.0.0.0|0|6/udp',
    '0.0.0.0|0|7/udp',
  ]);
  const ranged = { hostPort: 0, range: { first: 8000, last: 8009 }, containerPort: 80, protocol: 'tcp' };
  expect(
    service('ports: ["8000-8009:80", { target: 80, published: "8000-8009", host_ip: "::1" }]').ports,
  ).toEqual([
    { hostAddress: '0.0.0.0', ...ranged },
    { hostAddress: '::1', ...ranged },
  ]);
  const both = (second: string): string[] =>
    problemsOf(`services: { a: { image: i, ports: ["80:80", "${second}"] } }`);
  expect(['[::]:80:80', '[::1]:80:80'].flatMap(both)).toEqual([]);
  expect(['80:80', '127.0.0.1:80:80', '[::]:80:81'].map((second) => both(second).length)).toEqual([1, 1, 1]);
  expect(problemsOf('services: { a: { image: i, ports: ["80"] }, b: { image: i, ports: ["80"] } }')).toEqual(
    [],
  );
});

test('dependencies: required and restart are kept; one that is not there and not required is left out with a warning', () => {
  const compiled = compileText(`services:
  a:
    image: i
    depends_on:
      b: { condition: service_completed_successfully, required: false, restart: true }
      gone: { condition: service_started, required: false }
  b: { image: i }
`);
  expect('spec' in compiled && compiled.spec.services['a']!.dependsOn).toEqual([
    { service: 'b', condition: 'completed', restart: true, required: false },
  ]);
  expect(compiled.warnings.map(({ message }) => message)).toEqual([
    'compose.yaml:6: services.a does not wait for gone, which is not in the file',
  ]);
});

test('networks of the file and of its services', () => {
  const spec = specOf(`services:
  a: { image: i, networks: { front: , back: { ipv4_address: 10.9.0.7, aliases: [db], priority: 5 } }, mac_address: "02:00:00:00:00:01" }
networks:
  front:
  back: { internal: true, name: shared_back, ipam: { config: [{ subnet: 10.9.0.0/24 }] } }
`);
  expect(spec.networks).toEqual({
    front: { name: 'front' },
    back: { name: 'back', internal: true, externalName: 'shared_back', subnets: ['10.9.0.0/24'] },
  });
  expect(spec.services['a']!.networks).toEqual({
    front: {},
    back: { ipv4Address: '10.9.0.7', aliases: ['db'], priority: 5, macAddress: '02:00:00:00:00:01' },
  });
});

test('a volume of another app is mounted under its name, and is none of ours', () => {
  const spec = specOf(`services:
  a: { image: i, volumes: ["v:/d:ro"] }
volumes: { v: { external: true, name: other/data } }
`);
  expect(spec.services['a']!.mounts).toEqual([
    { type: 'volume', volume: 'data', app: 'other', target: '/d', readOnly: true },
  ]);
  expect(spec.volumes).toEqual({});
  expect(problemsOf('services: { a: { image: i } }\nvolumes: { v: { external: true } }')).toEqual([
    'HM-COMPOSE-TYPE compose.yaml:2: volumes.v: an external volume is the one of another app',
  ]);
});

test('who has the network of another service starts after it, and anew when it does', () => {
  const lent = (vpn: string, web: string): string =>
    `services: { vpn: { image: i, ${vpn} }, web: { image: i, network_mode: "service:vpn", ${web} } }`;
  const { web } = specOf(lent('', '')).services;
  expect(web).toMatchObject({
    networkMode: 'service:vpn',
    dependsOn: [{ service: 'vpn', condition: 'started', restart: true }],
  });
  const awaited = specOf(
    lent('healthcheck: { test: x }', 'depends_on: { vpn: { condition: service_healthy } }'),
  );
  expect(awaited.services['web']!.dependsOn).toEqual([
    { service: 'vpn', condition: 'healthy', restart: true },
  ]);
  const refused = (vpn: string, more: string): string =>
    problemsOf(lent(vpn, more))
      .map((problem) => problem.replace(/^\S+ compose\.yaml:1: services\./, ''))
      .join();
  expect(refused('', 'ports: ["80:80"]')).toBe(
    'web: ports cannot be published with network_mode service:vpn',
  );
  expect(refused('', 'networks: [default]')).toBe('web: network_mode and networks exclude each other');
  expect(refused('network_mode: host', '')).toBe('web has the network of vpn, which has none of its own');
  expect(refused('', 'deploy: { replicas: 2 }')).toBe(
    "web has the network of vpn, which has 1 replicas: 2 cannot each have one's",
  );
  expect(refused('depends_on: [web]', '')).toContain('circle');
});
