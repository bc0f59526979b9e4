/** Settings: flag over variable over file over default, each with its origin; everything wrong is named with its place. */
import { describe, expect, test } from 'vitest';
import { reasonOf } from '../../../protocols/errors.ts';
import { nodeHelp, nodeNameOf, readNodeConfig, type Machine } from '../../../runtime/config/node-config.ts';
import { flagOf, settingNames } from '../../../runtime/config/settings.ts';

const server: Machine = { hostname: 'Box_1.example.org', isRoot: true, home: '/root' };
const laptop: Machine = { hostname: 'lap', isRoot: false, home: '/home/ada' };

interface Given {
  readonly argv?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
  readonly machine?: Machine;
}

const read = ({ argv = [], environment = {}, files = {}, machine = server }: Given) =>
  readNodeConfig(argv, environment, (path) => files[path], machine);

function refusal(given: Given): string {
  try {
    read(given);
  } catch (thrown) {
    const { code, message } = reasonOf(thrown);
    expect(code).toBe('HM-CONFIG');
    return message;
  }
  throw new Error('it was taken');
}

test('defaults of root', () => {
  expect(read({}).config).toEqual({
    name: 'box-1',
    dataDir: '/var/lib/hivemind',
    apiAddress: { host: '127.0.0.1', port: 4483 },
    socketPath: '/run/hivemind/box-1.sock',
    runtime: 'containerd',
    containerdAddress: '/run/containerd/containerd.sock',
    containerdNamespace: 'hivemind',
    store: 'embedded',
    containerPool: '10.42.0.0/16',
    bridge: 'hive0',
    mtu: 1500,
    dnsPort: 53,
    dnsUpstreams: [],
    registries: {},
    dockerConfig: '/root/.docker/config.json',
    imagesUnusedHours: 336,
    imagesDiskPercent: 85,
    labels: {},
    role: 'auto',
    membershipProfile: 'lan',
    secretKeyFile: '/var/lib/hivemind/keys/secret.key',
    logLevel: 'info',
    acceptStore: false,
  });
});

test('defaults of a person follow the XDG folders', () => {
  const plain = read({ machine: laptop }).config;
  expect([plain.dataDir, plain.socketPath]).toEqual([
    '/home/ada/.local/share/hivemind',
    '/home/ada/.local/share/hivemind/lap.sock',
  ]);
  const environment = { XDG_DATA_HOME: '/data', XDG_RUNTIME_DIR: '/run/user/7' };
  const xdg = read({ machine: laptop, environment }).config;
  expect([xdg.dataDir, xdg.socketPath]).toEqual(['/data/hivemind', '/run/user/7/hivemind/lap.sock']);
});

test('flag over variable over file over default, and each says where it is from', () => {
  const { config, origins } = read({
    argv: ['--name', 'n1'],
    environment: { HIVEMIND_NAME: 'n2', HIVEMIND_DATA_DIR: '/two', HIVEMIND_BRIDGE: '' },
    files: { '/etc/hivemind/config.yaml': 'name: n3\ndataDir: /three\nbridge: br3\n' },
  });
  expect([config.name, config.dataDir, config.bridge, config.mtu]).toEqual(['n1', '/two', 'br3', 1500]);
  expect(config.socketPath).toBe('/run/hivemind/n1.sock');
  expect(origins).toMatchObject({
    name: '--name',
    dataDir: 'HIVEMIND_DATA_DIR',
    bridge: '/etc/hivemind/config.yaml:3',
    mtu: 'default',
  });
});

test('every form of labels, lists and switches', () => {
  const flags = read({
    argv: ['--labels', 'disk=ssd,zone=a=b', '--dns-upstreams', '9.9.9.9,1.1.1.1', '--accept-store'],
  });
  expect(flags.config).toMatchObject({
    labels: { disk: 'ssd', zone: 'a=b' },
    dnsUpstreams: ['9.9.9.9', '1.1.1.1'],
    acceptStore: true,
  });
  const file = 'labels: { disk: ssd, rack: 7 }\ndnsUpstreams: [9.9.9.9]\nacceptStore: true\n';
  expect(read({ argv: ['--config', '/c'], files: { '/c': file } }).config).toMatchObject({
    labels: { disk: 'ssd', rack: '7' },
    dnsUpstreams: ['9.9.9.9'],
    acceptStore: true,
  });
});

describe('refused, with the place and the form it should have', () => {
  test.each<[string, Given, RegExp]>([
    ['an unknown flag', { argv: ['--data-dri', '/x'] }, /--data-dri.*did you mean --data-dir\?/],
    ['a flag without its value', { argv: ['--name'] }, /--name/],
    ['a stray word', { argv: ['start'] }, /start/],
    ['a name', { argv: ['--name', 'Node 1'] }, /^--name: “Node 1” is not lower-case letters/],
    [
      'a relative folder',
      { environment: { HIVEMIND_DATA_DIR: 'x' } },
      /^HIVEMIND_DATA_DIR: “x” is not an absolute path/,
    ],
    ['a public API', { argv: ['--api-address', '0.0.0.0:80'] }, /--api-address.*this machine/],
    ['a port', { argv: ['--api-address', '127.0.0.1:99999'] }, /--api-address/],
    ['a runtime', { argv: ['--runtime', 'docker'] }, /“docker” is not containerd/],
    ['a pool', { argv: ['--container-pool', '10.42.1.0/16'] }, /--container-pool.*an IPv4 network/],
    ['a long socket', { argv: ['--socket', `/${'x'.repeat(107)}`] }, /--socket.*at most 107 bytes/],
    ['a label', { argv: ['--labels', 'ssd'] }, /--labels.*pairs/],
    ['a number', { argv: ['--mtu', 'big'] }, /--mtu.*a number from 1280/],
    ['a missing file', { argv: ['--config', '/none'] }, /no file \/none/],
    ['YAML', { argv: ['--config', '/c'], files: { '/c': 'name: n1\nlabels: {' } }, /^\/c:2: /],
    ['a list', { argv: ['--config', '/c'], files: { '/c': '- name' } }, /^\/c:1: /],
    [
      'an unknown setting',
      { argv: ['--config', '/c'], files: { '/c': 'name: n\ndatadir: /x' } },
      /^\/c:2: .*did you mean dataDir\?/,
    ],
    ['a null', { argv: ['--config', '/c'], files: { '/c': 'name:\n' } }, /^\/c:1: null is not/],
  ])('%s', (_what, given, message) => {
    expect(refusal(given)).toMatch(message);
  });

  test('several at once', () => {
    expect(refusal({ argv: ['--name', 'A', '--mtu', '1'] }).split('; ')).toHaveLength(2);
  });
});

test.each([
  ['Web-7.example.org', 'web-7'],
  ['ubuntu_box', 'ubuntu-box'],
  ['---', 'node'],
  ['x'.repeat(80), 'x'.repeat(63)],
])('host %s is node %s', (host, name) => {
  expect(nodeNameOf(host)).toBe(name);
});

test('the help names every flag', () => {
  const help = nodeHelp();
  for (const name of settingNames) expect(help).toContain(`  ${flagOf(name)}`);
});
