/** Where another node's API is, as the next step that a person types. */
import { expect, test } from 'vitest';
import { apiAddressPattern, apiText, reachApi } from '../../../protocols/cluster/api-place.ts';
import { faultOf } from '../../../protocols/observed/read.ts';

const n2 = { name: 'n2', host: '10.0.0.2' };

test.each([
  [
    '127.0.0.1:4483',
    'ssh -fNL 14483:127.0.0.1:4483 10.0.0.2 and the same command with --address 127.0.0.1:14483 and the token of n2.',
    'API at 127.0.0.1:4483 of its machine; from elsewhere: ssh -fNL 14483:127.0.0.1:4483 10.0.0.2',
  ],
  [
    '[::1]:4483',
    'ssh -fNL 14483:[::1]:4483 10.0.0.2 and the same command with --address 127.0.0.1:14483 and the token of n2.',
    'API at [::1]:4483 of its machine; from elsewhere: ssh -fNL 14483:[::1]:4483 10.0.0.2',
  ],
  [
    '10.0.0.2:4483',
    'The same command with --address 10.0.0.2:4483 and the token of n2.',
    'API at 10.0.0.2:4483',
  ],
  [
    undefined,
    'The same command on n2 (10.0.0.2), which told of no API address.',
    'API at an address that it has not told',
  ],
])('an API at %s', (apiAddress, reach, text) => {
  const place = { ...n2, ...(apiAddress === undefined ? {} : { apiAddress }) };
  expect([reachApi(place), apiText(place)]).toEqual([reach, text]);
  if (apiAddress !== undefined) expect(apiAddress).toMatch(apiAddressPattern);
});

const facts = {
  ...{ hostname: 'h', os: 'o', kernel: 'k', architecture: 'a', cpus: 1, labels: {} },
  ...{ role: 'agent', version: '1', startedAt: 0 },
};

test.each([
  ['127.0.0.1:4483', true],
  ['127.0.0.1:4483; rm -rf /', false],
  ['$(reboot):1', false],
  ['-oProxyCommand=x:1', false],
  ['127.0.0.1', false],
])('another node tells of its API at %s: an address and nothing else is taken', (apiAddress, good) => {
  const fault = faultOf({ facts: { sequence: 1, value: { ...facts, apiAddress } } }, 'n2', {});
  expect(fault === undefined).toBe(good);
});
