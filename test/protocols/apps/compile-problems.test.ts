/** What is refused, with which code, at which line, and in which words. */
import { expect, test } from 'vitest';
import { limits } from '../../../protocols/limits.ts';
import { compileText, problemsOf } from './compile-text.ts';

/** One line in a service, at line 4 of the file. */
const line = (yaml: string): string => `services:\n  a:\n    image: i\n    ${yaml}\n`;

test.each([
  ['imagee: x', 'HM-COMPOSE-KEY compose.yaml:4: services.a.imagee is not a known key'],
  [
    'build: .',
    'HM-COMPOSE-KEY compose.yaml:4: services.a.build is refused: Hivemind runs images and does not build them',
  ],
  [
    'x-hivemind: { probe: {} }',
    'HM-COMPOSE-KEY compose.yaml:4: services.a.x-hivemind.probe is not a known key',
  ],
  ['command: { a: b }', 'HM-COMPOSE-TYPE compose.yaml:4: services.a.command must be a text, not a map'],
  [
    'command: "say \'hi"',
    'HM-COMPOSE-TYPE compose.yaml:4: services.a.command: a quotation mark is left open',
  ],
  ['command: [[a]]', 'HM-COMPOSE-TYPE compose.yaml:4: services.a.command[0] must be a text, not a list'],
  [
    'environment: 3',
    'HM-COMPOSE-TYPE compose.yaml:4: services.a.environment must be a map or a list of NAME=value, not the number 3',
  ],
  [
    'environment: { A: [1] }',
    'HM-COMPOSE-TYPE compose.yaml:4: services.a.environment.A must be a text, not a list',
  ],
  [
    'environment: ["=x"]',
    'HM-COMPOSE-TYPE compose.yaml:4: services.a.environment: "" is not a variable\'s name',
  ],
  [
    'environment: [A=1, A=1]',
    'HM-COMPOSE-TYPE compose.yaml:4: services.a.environment: A=1 stands in the list twice',
  ],
  ['ports: 80', 'HM-COMPOSE-TYPE compose.yaml:4: services.a.ports must be a list, not the number 80'],
  [
    'ports: ["0:80"]',
    'HM-COMPOSE-TYPE compose.yaml:4: services.a.ports[0] must be ports between 1 and 65535 like 8080:80, not "0:80"',
  ],
  [
    'ports: ["99999:80"]',
    'HM-COMPOSE-TYPE compose.yaml:4: services.a.ports[0] must be ports between 1 and 65535 like 8080:80, not "99999:80"',
  ],
  [
    'ports: ["80:80/sctp"]',
    'HM-COMPOSE-TYPE compose.yaml:4: services.a.ports[0]: sctp is neither tcp nor udp',
  ],
  [
    'ports: ["1-3:1-2"]',
    'HM-COMPOSE-TYPE compose.yaml:4: services.a.ports[0]: both ranges must have the same length',
  ],
  [
    'ports: ["[::zz]:80:80"]',
    'HM-COMPOSE-TYPE compose.yaml:4: services.a.ports[0]: ::zz is not an IP address',
  ],
  [
    'ports: ["300.0.0.1:80:80"]',
    'HM-COMPOSE-TYPE compose.yaml:4: services.a.ports[0]: 300.0.0.1 is not an IP address',
  ],
  ['ports: [{ published: 80 }]', 'HM-COMPOSE-TYPE compose.yaml:4: services.a.ports[0]: target is missing'],
  [
    'ports: ["80:80", "80:81"]',
    'HM-COMPOSE-TYPE compose.yaml:4: services.a publishes port 80/tcp, which services.a publishes already',
  ],
  ['volumes: [data]', 'HM-COMPOSE-TYPE compose.yaml:4: services.a.volumes[0]: data is not an absolute path'],
  [
    'volumes: [{ type: volume, target: /d, volume: { subpath: x } }]',
    'HM-COMPOSE-TYPE compose.yaml:4: services.a.volumes[0]: a subpath needs the name of a volume as its source',
  ],
  [
    'volumes: ["./x:data"]',
    'HM-COMPOSE-TYPE compose.yaml:4: services.a.volumes[0]: the target data is not an absolute path',
  ],
  [
    'volumes: ["./x:/y:nocopy"]',
    'HM-COMPOSE-TYPE compose.yaml:4: services.a.volumes[0]: nocopy is for volumes',
  ],
  [
    'volumes: ["data:/d"]',
    'HM-COMPOSE-REFERENCE compose.yaml:4: services.a uses the volume data, which is not declared',
  ],
  [
    'volumes: [{ type: npipe, target: /x }]',
    'HM-COMPOSE-KEY compose.yaml:4: services.a.volumes[0].type is refused: mounts of type npipe are not made here',
  ],
  ['volumes: ["./x:/y", "./z:/y/"]', 'HM-COMPOSE-TYPE compose.yaml:4: services.a mounts two things at /y'],
  [
    'tmpfs: "/run:uid=1"',
    'HM-COMPOSE-TYPE compose.yaml:4: services.a.tmpfs: the option uid is not supported',
  ],
  ['depends_on: [b]', 'HM-COMPOSE-REFERENCE compose.yaml:4: services.a depends on b, which is not declared'],
  ['depends_on: [a]', 'HM-COMPOSE-CYCLE compose.yaml:4: services depend on each other in a circle: a → a'],
  [
    'restart: sometimes',
    'HM-COMPOSE-TYPE compose.yaml:4: services.a.restart must be no, always, on-failure, on-failure:N or unless-stopped, not "sometimes"',
  ],
  [
    'deploy: { replicas: two }',
    'HM-COMPOSE-TYPE compose.yaml:4: services.a.deploy.replicas must be a whole number, not "two"',
  ],
  [
    'deploy: { replicas: 5000 }',
    'HM-COMPOSE-TYPE compose.yaml:4: services.a.deploy.replicas must be between 0 and 1000, not the number 5000',
  ],
  [
    'healthcheck: { test: [curl] }',
    'HM-COMPOSE-TYPE compose.yaml:4: services.a.healthcheck.test: a list must begin with CMD, CMD-SHELL or NONE',
  ],
  [
    'healthcheck: { test: x, interval: soon }',
    'HM-COMPOSE-TYPE compose.yaml:4: services.a.healthcheck.interval must be a duration like 10s or 1m30s, not "soon"',
  ],
  [
    'network_mode: "container:b"',
    'HM-COMPOSE-TYPE compose.yaml:4: services.a.network_mode: a container is no part of the app',
  ],
  [
    'network_mode: "service:b"',
    'HM-COMPOSE-REFERENCE compose.yaml:3: services.a has the network of b, which is no other service',
  ],
  [
    'network_mode: "service:"',
    'HM-COMPOSE-TYPE compose.yaml:4: services.a.network_mode: must be host, none, bridge or service:NAME',
  ],
  ...['01:00:5e:00:00:01', '00:00:00:00:00:00', '02:42:ac:11:00', '02:42:ac:11:00:0g'].map((mac) => [
    `mac_address: "${mac}"`,
    `HM-COMPOSE-TYPE compose.yaml:4: services.a.mac_address must be the MAC address of one machine, as in 02:42:ac:11:00:02, not "${mac}"`,
  ]),
  [
    'mac_address: "02:68:0a:2a:00:02"',
    'HM-COMPOSE-TYPE compose.yaml:4: services.a.mac_address: 02:68:… are the MAC addresses that Hivemind gives out',
  ],
  [
    'stop_grace_period: 48h',
    'HM-COMPOSE-TYPE compose.yaml:4: services.a.stop_grace_period must be at most 24h, not "48h"',
  ],
  ['stop_signal: SIGNOPE', 'HM-COMPOSE-TYPE compose.yaml:4: services.a.stop_signal: SIGNOPE is not a signal'],
  ['command: "${NOPE:?}"', 'HM-COMPOSE-REFERENCE compose.yaml:4: variable NOPE is not set'],
  ['command: "${NOPE:?give it}"', 'HM-COMPOSE-REFERENCE compose.yaml:4: variable NOPE: give it'],
  ['command: "a $ b"', 'HM-COMPOSE-TYPE compose.yaml:4: "a $ b" is not a valid variable form'],
  ['command: "${OUTER"', 'HM-COMPOSE-TYPE compose.yaml:4: "${OUTER" is not a valid variable form'],
  ['image: j', 'HM-COMPOSE-SYNTAX compose.yaml:4: the key image stands here twice, first in line 3'],
])('%s', (yaml, problem) => {
  expect(problemsOf(line(yaml))).toEqual([problem]);
});

test.each([
  ['', 'HM-COMPOSE-TYPE compose.yaml:1: the file must be a map with services, not nothing'],
  ['[]', 'HM-COMPOSE-TYPE compose.yaml:1: the file must be a map with services, not a list'],
  ['name: x', 'HM-COMPOSE-TYPE compose.yaml:1: services is missing'],
  [
    'services: {}',
    'HM-COMPOSE-TYPE compose.yaml:1: services must be a map with at least one service, not a map',
  ],
  ['services: { a: }', 'HM-COMPOSE-TYPE compose.yaml:1: services.a must be a map, not nothing'],
  ['services: { a: {} }', 'HM-COMPOSE-TYPE compose.yaml:1: services.a: image is missing'],
  [
    'services: { a: { image: "Not An Image" } }',
    'HM-COMPOSE-TYPE compose.yaml:1: services.a.image: "Not An Image" is not an image name',
  ],
  [
    'services: { Web: { image: i } }',
    'HM-COMPOSE-NAME compose.yaml:1: "Web" cannot be the name of a service',
  ],
  [
    'name: a/b\nservices: { a: { image: i } }',
    'HM-COMPOSE-NAME compose.yaml:1: "a/b" cannot be the name of the app',
  ],
  [
    'services: { a: { image: i } }\nnetworks: { n: { driver: macvlan } }',
    'HM-COMPOSE-KEY compose.yaml:2: networks.n.driver is refused: macvlan does more than a bridge',
  ],
  [
    'services: { a: { image: i } }\nnetworks: { n: { driver_opts: { com.docker.network.bridge.enable_icc: false } } }',
    'HM-COMPOSE-KEY compose.yaml:2: networks.n.driver_opts.com.docker.network.bridge.enable_icc is refused: services of one network reach each other',
  ],
  [
    'services: { a: { image: i } }\nnetworks: { n: { driver_opts: { com.docker.network.bridge.host_binding_ipv4: 127.0.0.1 } } }',
    'HM-COMPOSE-KEY compose.yaml:2: networks.n.driver_opts.com.docker.network.bridge.host_binding_ipv4 is refused: ports without an address are published at every address of the node',
  ],
  [
    'services: { a: { image: i } }\nservises: {}',
    'HM-COMPOSE-KEY compose.yaml:2: servises is not a known key',
  ],
  [
    'services: { a: { image: i } }\nvolumes: { d: { driver: x } }',
    'HM-COMPOSE-KEY compose.yaml:2: volumes.d.driver is refused: there is no driver x',
  ],
  ['a: *nope', 'HM-COMPOSE-SYNTAX compose.yaml:1: no anchor &nope stands before its alias'],
  ['a: &a [*a]', 'HM-COMPOSE-SYNTAX compose.yaml:1: an alias stands inside its own anchor'],
  ['a: !rest 1', 'HM-COMPOSE-SYNTAX compose.yaml:1: Unresolved tag: !rest'],
  ['? [a]\n: b', 'HM-COMPOSE-SYNTAX compose.yaml:1: a key must be a plain word'],
])('%s', (yaml, problem) => {
  expect(problemsOf(yaml)).toEqual([problem]);
});

test('all problems at once, in the order of the file, with a hint where one is near', () => {
  const text = `services:
  web:
    imagee: nginx
    ports: [http]
    depends_on: [bd]
  db:
    image: redis
    volumes: ["dat:/data"]
    depends_on: [web]
volumes: { data: }
`;
  const compiled = compileText(text);
  expect(
    'problems' in compiled && compiled.problems.map(({ evidence, hint }) => [evidence['line'], hint]),
  ).toEqual([
    [3, 'Did you mean image?'],
    [3, 'Write the value in the form that is named.'],
    [4, 'Write the value in the form that is named.'],
    [5, 'Did you mean db?'],
    [8, 'Did you mean data?'],
  ]);
});

test('a circle is written out once', () => {
  const of = (name: string, next: string): string => `  ${name}: { image: i, depends_on: [${next}] }\n`;
  expect(problemsOf(`services:\n${of('a', 'b')}${of('b', 'c')}${of('c', 'a')}`)).toEqual([
    'HM-COMPOSE-CYCLE compose.yaml:4: services depend on each other in a circle: a → b → c → a',
  ]);
});

test.each([
  ['a file', `#${'x'.repeat(limits.composeFileBytes)}`],
  ['services', `services:\n${Array.from({ length: 501 }, (_, i) => `  s${i}: { image: i }`).join('\n')}`],
  [
    'replicas',
    'services: { a: { image: i, deploy: { replicas: 600 } }, b: { image: i, deploy: { replicas: 600 } } }',
  ],
  ['ports', line('ports: ["1-2000:1-2000"]')],
  ['nesting', `a: ${'['.repeat(100)}${']'.repeat(100)}`],
  ['nesting beyond the stack', `a: ${'['.repeat(100_000)}${']'.repeat(100_000)}`],
  ['aliases', `a: &a 1\nb: [${'*a,'.repeat(1_001)}]`],
  ['laughs', `a: &a [${'x,'.repeat(999)}]\nb: [${'*a,'.repeat(200)}]`],
])('too many or too much of %s', (_what, text) => {
  const problems = problemsOf(text);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toMatch(/^HM-COMPOSE-LIMIT compose\.yaml:\d+: /);
});

test('more problems than anybody reads are counted', () => {
  const problems = problemsOf(line(Array.from({ length: 60 }, (_, i) => `zz${i}: 1`).join('\n    ')));
  expect(problems).toHaveLength(limits.composeProblems + 1);
  expect(problems.at(-1)).toBe('HM-COMPOSE-LIMIT 10 more problems are not listed');
});
