/** What `status` shows of an app: what is wanted beside what is, why not, and whether it is done. */
import { describe, expect, it } from 'vitest';
import type { ServiceSpec } from '../../../protocols/apps/model.ts';
import { viewOf } from '../../../protocols/apps/view.ts';
import { reason as reasonOf } from '../../../protocols/errors.ts';
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

describe('a roll-out', () => {
  const of = (image: string, more: Partial<ServiceSpec> = {}) =>
    appOf('shop', [serviceOf('web', { replicas: 3, image, ...more })]);
  const rolling = (more: Partial<ServiceSpec> = {}): Town => {
    const town = new Town();
    town.deploy(of('web:1', more));
    town.converge();
    town.deploy(of('web:2', more));
    town.settle();
    return town;
  };
  const healthcheck = { test: ['t'], intervalMs: 1, timeoutMs: 1, retries: 1, startPeriodMs: 0 };
  const told = (town: Town) => view(town).slots.map(({ reason }) => reason);

  it.each([
    ['a run to last', {}, {}, 'has run for 2 s'],
    ['its check', { healthcheck }, { readiness: 'starting' }, 'is ready'],
    [
      'its image',
      {},
      { placement: 1, next: { placement: 2, revision: 2, image: 'web:2' } },
      'has its image, web:2',
    ],
  ] as const)('says who waits for whom: for %s', (_, spec, status, text) => {
    const town = rolling(spec);
    town.report('shop/web.1', status, false);
    const [first, ...others] = told(town);
    expect(first).toBeUndefined();
    expect(others.map((because) => because?.message)).toEqual([
      `shop/web.2 is replaced when shop/web.1 ${text}`,
      `shop/web.3 is replaced when shop/web.1 ${text}`,
    ]);
    expect(others[0]).toMatchObject({ code: 'HM-ROLLOUT-WAIT', hint: 'hivemind why shop/web.1' });
  });

  it('says what holds it, while that starts again too, and the ways on', () => {
    const town = rolling();
    const loop = reasonOf('HM-CRASH-LOOP', 'the process exited with code 3, 3 times in a row');
    const lastExit = { code: 3, at: 1, oomKilled: false };
    town.report('shop/web.1', { phase: 'backoff', readiness: 'none', restarts: 3, reason: loop, lastExit });
    const because = { code: 'HM-ROLLOUT-HELD', hint: expect.stringMatching(/: hivemind rollback shop 1$/) };
    expect(told(town)).toMatchObject([
      loop,
      { ...because, message: `shop/web.2 goes on as it is, because shop/web.1 fails: ${loop.message}` },
      because,
    ]);
    town.report('shop/web.1', { restarts: 3, lastExit }, false);
    const text = 'shop/web.2 goes on as it is, because shop/web.1 fails: its process exited with code 3';
    expect(told(town)[1]).toMatchObject({ ...because, message: text });
    // The next revision fails as well: what serves is still the first.
    town.deploy(of('web:3'));
    town.settle();
    town.report('shop/web.1', { phase: 'failed', readiness: 'none' });
    expect(told(town)[2]).toMatchObject(because);
    town.converge();
    expect(told(town)).toEqual([undefined, undefined, undefined]);
  });

  it('counts as ready what serves, also while it waits for the image of what follows', () => {
    const town = rolling();
    town.report('shop/web.1', { placement: 1, next: { placement: 2, revision: 2, image: 'web:2' } });
    expect(view(town)).toMatchObject({ converged: false, services: [{ ready: 3, replicas: 3 }] });
    town.report('shop/web.1', { phase: 'starting', readiness: 'none' });
    expect(view(town).services).toMatchObject([{ ready: 2 }]);
  });
});
