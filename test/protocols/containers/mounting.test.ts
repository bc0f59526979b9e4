/** Volumes without a name: one a replica and place, of the service's file and of its image. */
import { expect, test } from 'vitest';
import type { MountSpec } from '../../../protocols/apps/model.ts';
import type { FileGrant } from '../../../protocols/apps/service-model.ts';
import { containerValue, type ContainerValue } from '../../../protocols/containers/life/value.ts';
import {
  allMounted,
  mounted,
  mountNext,
  noteDeclared,
} from '../../../protocols/containers/making/mounting.ts';
import { anonymousVolume, ownerOf } from '../../../protocols/storage/anonymous.ts';
import { assignment, keyOf } from '../../actors/containers/bench.ts';

const data: MountSpec = { type: 'anonymous', target: '/data', readOnly: false };

function asked(mounts: readonly MountSpec[], declared?: readonly string[], files: readonly FileGrant[] = []) {
  const image = { name: 'i', digest: '', platform: '', sizeBytes: 0, createdAt: 0 };
  const fresh = containerValue({
    ...{ self: '/c', node: 'n1', owner: '/s', key: keyOf(1), intent: 'run', started: false, hooked: false },
    assignment: { ...assignment(1, { mounts, files }), index: 2 },
  });
  let value: ContainerValue = noteDeclared(fresh, { ...image, ...(declared ? { volumes: declared } : {}) });
  const wishes: unknown[] = [];
  while (!allMounted(value)) {
    const [next, effects] = mountNext(value);
    const drive = effects.find((effect) => effect.do === 'drive');
    if (drive) wishes.push(drive.call.args);
    [value] = mounted(next, { value: { path: `/v/${wishes.length}` } });
  }
  return { wishes, mounts: value.mounts };
}

const volume = (service: string, index: number, target: string) => ({
  app: 'shop',
  volume: anonymousVolume(service, index, target),
});

test('the replica’s own, filled from the image', () => {
  expect(asked([data])).toEqual({
    wishes: [volume('web', 2, '/data')],
    mounts: [{ type: 'bind', source: '/v/1', target: '/data', readOnly: false, fill: true }],
  });
  expect(volume('web', 2, '/data').volume).not.toBe(volume('web', 2, '/other').volume);
});

test('borrowed: of the other’s first replica', () => {
  expect(asked([{ ...data, service: 'db', noCopy: true }])).toEqual({
    wishes: [volume('db', 1, '/data')],
    mounts: [{ type: 'bind', source: '/v/1', target: '/data', readOnly: false }],
  });
});

test('where the image declares one and nothing else is', () => {
  const files: FileGrant[] = [{ kind: 'config', source: 'c', target: '/etc/c' }];
  const named: MountSpec = { type: 'volume', volume: 'db', target: '/data', readOnly: false };
  const { wishes, mounts } = asked([named], ['/data/', '/etc/c', '/', '/a/../own', 'own'], files);
  expect(wishes).toEqual([{ app: 'shop', volume: 'db' }, volume('web', 2, '/own')]);
  expect(mounts.map(({ target }) => target)).toEqual(['/data', '/own']);
});

test.each([
  ['db', undefined],
  ['db.1', undefined],
  ['db.0.3f9a1c2bd0e1', undefined],
  ['a.b.1.3f9a1c2bd0e1', undefined],
  [`${'x'.repeat(64)}.1.3f9a1c2bd0e1`, undefined],
  [anonymousVolume('my-db', 12, '/x'), { service: 'my-db', index: 12 }],
])('%s is whose: %j', (name, owner) => expect(ownerOf(name)).toEqual(owner));
