/** What `status` shows of an app: what is wanted beside what is, why not, and whether it is done. */
import { expect, it } from 'vitest';
import { viewOf } from '../../../protocols/apps/view.ts';
import { appOf, serviceOf, Town } from './town.ts';

const web = serviceOf('web', { replicas: 2, dependsOn: [{ service: 'db', condition: 'healthy' }] });
const view = (town: Town) => viewOf(town.desk, town.apps()[0]!);

it('says what a slot waits for, until it is placed', () => {
  const town = new Town();
  town.deploy(appOf('shop', [serviceOf('db'), web]));
  town.settle();
  expect(view(town).slots.map(({ slot, reason }) => [slot, reason?.code])).toEqual([
    ['shop/db.1', undefined],
    ['shop/web.1', 'HM-DEPENDENCY-WAIT'],
    ['shop/web.2', 'HM-DEPENDENCY-WAIT'],
  ]);
  town.converge();
  expect(view(town).slots.every(({ reason }) => reason === undefined)).toBe(true);
});

it('is converged when everything wanted serves at this revision and nothing else is left', () => {
  const town = new Town();
  town.deploy(appOf('shop', [serviceOf('db'), web]));
  expect(view(town).converged).toBe(false);
  town.converge();
  expect(view(town)).toMatchObject({ converged: true, services: [{ ready: 1 }, { ready: 2, replicas: 2 }] });

  town.report('shop/web.2', { phase: 'backoff', readiness: 'none' });
  expect(view(town)).toMatchObject({ converged: false, services: [{ ready: 1 }, { ready: 1 }] });
  town.converge();

  // Scaled down, and one is still going.
  town.command({ type: 'app.scale', app: 'shop', service: 'web', replicas: 1 });
  expect(view(town).converged).toBe(false);
  town.settle();
  expect(view(town)).toMatchObject({ converged: false });
  expect(view(town).slots.map(({ slot }) => slot)).toContain('shop/web.2');
  town.converge();
  expect(view(town).converged).toBe(true);

  town.command({ type: 'app.remove', app: 'shop', volumes: false });
  expect(view(town)).toMatchObject({ converged: false, removing: true });
});
