/** The settings of a cluster: which addresses others can be told, and which settings contradict each other. */
import { expect, test } from 'vitest';
import { reasonOf } from '../../../protocols/errors.ts';
import { readNodeConfig } from '../../../runtime/config/node-config.ts';

const machine = { hostname: 'n1', isRoot: true, home: '/root' };
const read = (...argv: string[]) => readNodeConfig(argv, {}, () => undefined, machine).config;

function refusal(...argv: string[]): string {
  try {
    read(...argv);
    return 'taken';
  } catch (thrown) {
    const { code, message, hint } = reasonOf(thrown);
    return `${code} ${message} → ${hint}`;
  }
}

test('without a cluster address a node is alone', () => {
  const config = read();
  expect([config.clusterAddress, config.join, config.tokenFile, config.zone]).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});

test('addresses, with and without a port', () => {
  const config = read('--cluster-address', '10.0.0.2', '--join', '10.0.0.1,n3.example:5000,[fd00::1]:4000');
  expect(config.clusterAddress).toEqual({ host: '10.0.0.2', port: 4484 });
  expect(config.join).toEqual([
    { host: '10.0.0.1', port: 4484 },
    { host: 'n3.example', port: 5000 },
    { host: 'fd00::1', port: 4000 },
  ]);
  expect(read('--cluster-address', '[fd00::2]:4484').clusterAddress).toEqual({ host: 'fd00::2', port: 4484 });
});

test.each(['0.0.0.0:4484', '[::]:4484', 'localhost:4484', '224.0.0.1:1', '10.0.0.1:0', '10.0.0.1:99999', ''])(
  'others cannot be told the address %j',
  (address) => {
    expect(refusal('--cluster-address', address)).toContain('HM-CONFIG --cluster-address');
  },
);

test.each(['', 'a b', 'http://10.0.0.1', '10.0.0.1:0', '[10.0.0.1]:4484'])(
  'nobody is joined at %j',
  (address) => {
    expect(refusal('--cluster-address', '10.0.0.1', '--join', address)).toContain('HM-CONFIG --join');
  },
);

test('single times of probing, of which a probe must leave some to others', () => {
  const times = (text: string) => ['--cluster-address', '10.0.0.1', '--membership-times', text];
  expect(read(...times('{"probeMs":1000}')).membershipTimes).toEqual({ probeMs: 1_000 });
  for (const directMs of [500, 700])
    expect(refusal(...times(`{"directMs":${directMs}}`))).toBe(
      `HM-MEMBERSHIP-TIMES directMs is ${directMs} of a probe's 500 (probeMs): no time is left for others to try → Correct the setting that is named, or leave it out: the network profile has one.`,
    );
  expect(refusal(...times('{"probeMs":150}'), '--membership-profile', 'lan')).toContain(
    'HM-MEMBERSHIP-TIMES directMs',
  );
  for (const text of ['{"probeTimeoutMs":1}', '{"probeMs":"1s"}', '500', 'fast', ''])
    expect(refusal(...times(text))).toContain('HM-CONFIG --membership-times');
});

test('settings that contradict each other say what to add or leave out', () => {
  expect(refusal('--join', '10.0.0.1')).toContain('HM-CONFIG --join needs --cluster-address');
  expect(refusal('--cluster-address', '10.0.0.1', '--token-file', '/t')).toContain('without --join');
  expect(refusal('--cluster-address', '10.0.0.1', '--join', '10.0.0.2', '--role', 'server')).toContain(
    'HM-CLUSTER-ROLE a node that joins cannot be a server yet → Leave --role out',
  );
  expect(refusal('--cluster-address', '10.0.0.1', '--join', '10.0.0.1')).toContain('only this node itself');
  expect(read('--cluster-address', '10.0.0.1', '--join', '10.0.0.1,10.0.0.2').join).toHaveLength(2);
  expect(refusal('--role', 'agent')).toContain('HM-CLUSTER-ROLE');
  expect(refusal('--role', 'boss')).toContain('auto, server or agent');
  expect(read('--cluster-address', '10.0.0.1', '--role', 'server').role).toBe('server');
});
