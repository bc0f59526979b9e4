/** Which revisions are kept, listed and found again. */
import { expect, test } from 'vitest';
import { findRevision, listRevisions } from '../../../../protocols/apps/plan/revisions.ts';
import { limits } from '../../../../protocols/limits.ts';
import { keys } from '../../../../protocols/state/keys.ts';
import { appOf, serviceOf, Town } from '../town.ts';

const spec = (tag: number) => appOf('shop', [serviceOf('web', { image: `web:${tag}` })]);

test('newest first, the present one marked; the one before is found without a number', () => {
  const town = new Town();
  for (const tag of [1, 2, 3]) town.deploy(spec(tag));
  expect(listRevisions(town.desk, 'shop')).toMatchObject({
    value: {
      revisions: [
        { revision: 3, current: true, services: [{ name: 'web', image: 'web:3', replicas: 1 }] },
        { revision: 2, current: false },
        { revision: 1, current: false },
      ],
    },
  });
  expect(findRevision(town.desk, 'shop', undefined)).toMatchObject({ value: { record: { revision: 2 } } });
  expect(findRevision(town.desk, 'shop', 1)).toMatchObject({ value: { record: { spec: spec(1) } } });
  expect(findRevision(town.desk, 'shop', 9)).toMatchObject({
    error: { code: 'HM-REVISION-UNKNOWN', hint: 'hivemind revisions shop' },
  });
  expect(findRevision(town.desk, 'nope', 1)).toMatchObject({ error: { code: 'HM-APP-UNKNOWN' } });
  expect(listRevisions(town.desk, 'nope')).toMatchObject({ error: { code: 'HM-APP-UNKNOWN' } });
});

test('of a first revision there is none before', () => {
  const town = new Town();
  town.deploy(spec(1));
  expect(findRevision(town.desk, 'shop', undefined)).toMatchObject({
    error: { message: 'shop has no revision before 1' },
  });
});

test('only so many are kept, and no other app loses one', () => {
  const town = new Town();
  town.deploy(appOf('shop2', [serviceOf('web')]));
  for (let tag = 1; tag <= limits.appRevisions + 5; tag++) town.deploy(spec(tag));
  const kept = Object.keys(town.mirror.rows).filter((key) => key.startsWith(keys.revisions('shop')));
  expect(kept).toHaveLength(limits.appRevisions);
  expect(findRevision(town.desk, 'shop', 5)).toMatchObject({ error: { code: 'HM-REVISION-UNKNOWN' } });
  expect(findRevision(town.desk, 'shop', 6)).toMatchObject({ value: {} });
  expect(findRevision(town.desk, 'shop2', 1)).toMatchObject({ value: {} });
});
