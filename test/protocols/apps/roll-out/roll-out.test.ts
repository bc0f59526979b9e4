/** One replica after the other: who gives way when, whom the others wait for, and what is shown of it. */
import { describe, expect, it } from 'vitest';
import type { ServiceSpec } from '../../../../protocols/apps/model.ts';
import { viewOf } from '../../../../protocols/apps/view.ts';
import { reason as reasonOf } from '../../../../protocols/errors.ts';
import { appOf, serviceOf, Town } from '../town.ts';

const slotsOf = (town: Town) =>
  town
    .assignments()
    .map(({ slot, placement }) => `${slot}#${placement}`)
    .sort();

/** Three serve as revision 1, the first of them is being replaced by revision 2. */
function crashing(): Town {
  const town = new Town();
  town.deploy(appOf('shop', [serviceOf('web', { replicas: 3 })]));
  town.converge();
  town.deploy(appOf('shop', [serviceOf('web', { replicas: 3, image: 'web:2' })]));
  town.settle();
  expect(slotsOf(town)).toEqual(['shop/web.1#2', 'shop/web.2#1', 'shop/web.3#1']);
  return town;
}

it('the next gives way when the one before has settled, not when it is ready', () => {
  const town = crashing();
  town.report('shop/web.1', {}, false);
  expect(town.settle()).toBe(0);
  town.report('shop/web.1');
  town.settle();
  expect(slotsOf(town)).toEqual(['shop/web.1#2', 'shop/web.2#2', 'shop/web.3#1']);
});

it.each([
  ['in backoff', { phase: 'backoff', readiness: 'none', restarts: 1 }],
  ['failed for good', { phase: 'failed', readiness: 'none' }],
  ['up for a moment', { phase: 'running', readiness: 'ready', restarts: 4 }],
  ['not healthy', { phase: 'running', readiness: 'unhealthy' }],
  ['stopping', { phase: 'stopping', readiness: 'none' }],
] as const)('one that is %s holds the others back; a mended revision replaces it at once', (_, status) => {
  const town = crashing();
  town.report('shop/web.1', status, false);
  expect(town.settle()).toBe(0);
  town.deploy(appOf('shop', [serviceOf('web', { replicas: 3, image: 'web:3' })]));
  town.settle();
  expect(slotsOf(town)).toEqual(['shop/web.1#3', 'shop/web.2#1', 'shop/web.3#1']);
  for (const slot of ['shop/web.1', 'shop/web.2', 'shop/web.3']) {
    town.report(slot, {}, false);
    expect(town.settle()).toBe(0);
    town.report(slot);
    town.settle();
  }
  expect(slotsOf(town)).toEqual(['shop/web.1#3', 'shop/web.2#2', 'shop/web.3#2']);
});

it('of those that serve, the one that has not settled gives way first', () => {
  const town = new Town();
  town.deploy(appOf('shop', [serviceOf('web', { replicas: 3 })]));
  town.converge();
  town.report('shop/web.3', { restarts: 2 }, false);
  town.deploy(appOf('shop', [serviceOf('web', { replicas: 3, image: 'web:2' })]));
  town.settle();
  expect(slotsOf(town)).toEqual(['shop/web.1#1', 'shop/web.2#1', 'shop/web.3#2']);
});

it('one replica is replaced in its place, whether or not it has settled', () => {
  const town = new Town();
  town.deploy(appOf('shop', [serviceOf('web')]));
  town.settle();
  for (const image of ['web:2', 'web:3', 'web:4']) {
    town.report('shop/web.1', {}, false);
    town.deploy(appOf('shop', [serviceOf('web', { image })]));
    town.settle();
  }
  expect(slotsOf(town)).toEqual(['shop/web.1#4']);
});

it('a first deploy and more replicas wait for nobody', () => {
  const town = new Town();
  town.deploy(appOf('shop', [serviceOf('web', { replicas: 2 })]));
  town.settle();
  for (const slot of ['shop/web.1', 'shop/web.2']) town.report(slot, {}, false);
  town.command({ type: 'app.scale', app: 'shop', service: 'web', replicas: 4 });
  town.settle();
  expect(slotsOf(town)).toEqual(['shop/web.1#1', 'shop/web.2#1', 'shop/web.3#1', 'shop/web.4#1']);
});

it('what nobody has told of yet may serve: a leader that starts in the middle replaces nothing of it', () => {
  const town = crashing();
  const { 'shop/web.1': first, ...others } = town.observed;
  town.observed = {};
  expect(town.settle()).toBe(0);
  town.observed = others;
  expect(town.settle()).toBe(0);
  // Of an earlier placement: it has not heard yet.
  town.observed = { ...others, 'shop/web.1': first! };
  expect(town.settle()).toBe(0);
  town.report('shop/web.1');
  town.settle();
  expect(slotsOf(town)).toEqual(['shop/web.1#2', 'shop/web.2#2', 'shop/web.3#1']);
});

it('completed replicas hold nobody back', () => {
  const town = crashing();
  town.report('shop/web.1', { phase: 'completed', readiness: 'none' });
  town.settle();
  expect(slotsOf(town)).toEqual(['shop/web.1#2', 'shop/web.2#2', 'shop/web.3#1']);
});

describe('what is shown', () => {
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
  const told = (town: Town) => viewOf(town.desk, town.apps()[0]!).slots.map(({ reason }) => reason);

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
      `is replaced when shop/web.1 ${text}`,
      `is replaced when shop/web.1 ${text}`,
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
      { ...because, message: `goes on as it is, because shop/web.1 fails: ${loop.message}` },
      because,
    ]);
    town.report('shop/web.1', { restarts: 3, lastExit }, false);
    const text = 'goes on as it is, because shop/web.1 fails: its process exited with code 3';
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
    expect(viewOf(town.desk, town.apps()[0]!)).toMatchObject({
      converged: false,
      services: [{ ready: 3, replicas: 3 }],
    });
    town.report('shop/web.1', { phase: 'starting', readiness: 'none' });
    expect(viewOf(town.desk, town.apps()[0]!).services).toMatchObject([{ ready: 2 }]);
  });
});
