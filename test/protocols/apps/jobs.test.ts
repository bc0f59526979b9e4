/** Jobs, services that run on every node, and who waits for or follows whom. */
import { describe, expect, it } from 'vitest';
import type { Dependency } from '../../../protocols/apps/model.ts';
import { specHash } from '../../../protocols/apps/spec-hash.ts';
import { viewOf } from '../../../protocols/apps/view.ts';
import { appOf, serviceOf, Town } from './town.ts';

const slotsOf = (town: Town): string[] =>
  town
    .assignments()
    .map(({ slot, placement }) => `${slot}#${placement}`)
    .sort();
const done = { phase: 'completed', readiness: 'none' } as const;
const failed = { phase: 'failed', readiness: 'none' } as const;
const job = (more: Parameters<typeof serviceOf>[1] = {}) =>
  serviceOf('work', { mode: 'replicated-job', restart: { condition: 'none' }, ...more });
const converged = (town: Town): boolean => viewOf(town.desk, town.apps()[0]!).converged;

describe('a job', () => {
  it('runs as often as it must succeed, so many at once, and is done then', () => {
    const town = new Town();
    town.deploy(appOf('shop', [job({ job: { completions: 5, parallel: 2 } })]));
    const seen: number[] = [];
    for (let ended = 0; ended < 5; ended++) {
      town.settle();
      seen.push(town.assignments().length);
      expect(converged(town)).toBe(false);
      town.report(`shop/work.${ended + 1}`, done);
    }
    expect(town.settle()).toBe(0);
    expect(seen).toEqual([2, 3, 4, 5, 5]);
    expect(converged(town)).toBe(true);
  });

  it('that runs is not done, and one that failed makes room and is not tried again', () => {
    const town = new Town();
    town.deploy(appOf('shop', [job({ job: { completions: 2, parallel: 1 } })]));
    town.settle();
    town.report('shop/work.1');
    expect(town.settle()).toBe(0);
    expect(converged(town)).toBe(false);
    town.report('shop/work.1', failed);
    town.settle();
    expect(slotsOf(town)).toEqual(['shop/work.1#1', 'shop/work.2#1']);
    town.report('shop/work.2', done);
    expect(town.settle()).toBe(0);
    expect(converged(town)).toBe(false);
  });

  it('that is done runs again only for another container, again so many at once', () => {
    const town = new Town();
    const of = (image: string, more = {}) =>
      appOf('shop', [job({ image, replicas: 3, job: { parallel: 1 }, ...more })]);
    town.deploy(of('work:1'));
    for (const index of [1, 2, 3]) {
      town.settle();
      town.report(`shop/work.${index}`, done);
    }
    town.deploy(of('work:1', { serviceLabels: { a: 'b' } }));
    town.settle();
    expect(slotsOf(town)).toEqual(['shop/work.1#1', 'shop/work.2#1', 'shop/work.3#1']);
    town.deploy(of('work:2'));
    town.settle();
    expect(slotsOf(town)).toEqual(['shop/work.1#2', 'shop/work.2#1', 'shop/work.3#1']);
  });

  it('that runs for an earlier wish gives way in its place: never more at once', () => {
    const town = new Town();
    const of = (image: string) => appOf('shop', [job({ image, job: { completions: 3, parallel: 1 } })]);
    town.deploy(of('work:1'));
    town.settle();
    town.report('shop/work.1');
    town.deploy(of('work:2'));
    town.settle();
    expect(slotsOf(town)).toEqual(['shop/work.1#2']);
  });
});

it.each(['global', 'global-job'] as const)(
  '%s is one container on one node, and cannot be scaled',
  (mode) => {
    const town = new Town();
    town.deploy(appOf('shop', [serviceOf('agent', { mode, restart: { condition: 'none' } })]));
    town.settle();
    expect(slotsOf(town)).toEqual(['shop/agent.1#1']);
    const verdict = town.command({ type: 'app.scale', app: 'shop', service: 'agent', replicas: 2 });
    expect('refusal' in verdict && verdict.refusal.message).toBe(
      'shop/agent has one container a node: it cannot be scaled',
    );
  },
);

describe('depends_on', () => {
  const pair = (dependency: Omit<Dependency, 'service'>) =>
    appOf('shop', [
      serviceOf('web', { dependsOn: [{ service: 'db', ...dependency }] }),
      serviceOf('db', { restart: { condition: 'none' } }),
    ]);

  it.each([
    ['completed', undefined, {}, false],
    ['completed', undefined, done, true],
    ['completed', undefined, failed, false],
    ['completed', false, failed, true],
    ['healthy', false, { readiness: 'unhealthy' }, true],
    ['healthy', false, { readiness: 'starting' }, false],
    ['healthy', undefined, { readiness: 'unhealthy' }, false],
    ['started', false, { phase: 'backoff', readiness: 'none' }, true],
    ['started', undefined, { phase: 'backoff', readiness: 'none' }, false],
  ] as const)('%s, required %s, while it is %o: starts %s', (condition, required, status, starts) => {
    const town = new Town();
    town.deploy(pair({ condition, ...(required === undefined ? {} : { required }) }));
    town.settle();
    town.report('shop/db.1', status);
    town.settle();
    expect(slotsOf(town).includes('shop/web.1#1')).toBe(starts);
  });

  const follower = (more = {}) =>
    appOf('shop', [
      serviceOf('web', { dependsOn: [{ service: 'app', condition: 'started', restart: true }] }),
      serviceOf('app', { dependsOn: [{ service: 'db', condition: 'started', restart: true }] }),
      serviceOf('db', more),
      serviceOf('other', { dependsOn: [{ service: 'db', condition: 'started' }] }),
    ]);

  it('with restart: true, a restart of the one restarts the other after it, and who follows that', () => {
    const town = new Town();
    town.deploy(follower());
    town.converge();
    town.command({ type: 'app.restart', app: 'shop', service: 'db' });
    town.settle();
    expect(slotsOf(town)).toEqual(['shop/app.1#1', 'shop/db.1#2', 'shop/other.1#1', 'shop/web.1#1']);
    town.converge();
    expect(slotsOf(town)).toEqual(['shop/app.1#2', 'shop/db.1#2', 'shop/other.1#1', 'shop/web.1#2']);
  });

  it('with restart: true, a deploy that replaces the one restarts the other; one that does not leaves both', () => {
    const town = new Town();
    town.deploy(follower());
    town.converge();
    town.deploy(follower({ serviceLabels: { a: 'b' } }));
    town.converge();
    expect(slotsOf(town)).toEqual(['shop/app.1#1', 'shop/db.1#1', 'shop/other.1#1', 'shop/web.1#1']);
    town.deploy(follower({ image: 'db:2' }));
    town.converge();
    expect(slotsOf(town)).toEqual(['shop/app.1#2', 'shop/db.1#2', 'shop/other.1#1', 'shop/web.1#2']);
  });
});

it.each([
  ['serviceLabels', { a: 'b' }],
  ['cluster', { constraints: ['node.role==manager'] }],
  ['mode', 'global'],
  ['job', { parallel: 2 }],
  ['pullPolicy', { when: 'always' }],
  ['onSecretChange', 'none'],
] as const)('%s makes no other container', (field, value) => {
  expect(specHash(serviceOf('web', { [field]: value }))).toBe(specHash(serviceOf('web')));
});

it.each([
  ['labels', { a: 'b' }],
  ['isolation', { privileged: true }],
  ['process', { user: 'root' }],
] as const)('%s makes another container', (field, value) => {
  expect(specHash(serviceOf('web', { [field]: value }))).not.toBe(specHash(serviceOf('web')));
});
