/** What is concluded from the runtime's lists and events: what is lost, and what was only not there yet. */
import { expect, it } from 'vitest';
import type { ContainerStatus, RuntimePhase } from '../../../protocols/containers/model.ts';
import {
  runtimeWatchSteps as steps,
  type RuntimeWatchValue,
} from '../../../protocols/containers/runtime-watch.ts';
import type { Effect } from '../../../protocols/effects.ts';
import { reason } from '../../../protocols/errors.ts';

const fresh: RuntimeWatchValue = { known: {}, calls: 0 };
const key = (n: number) => ({ slot: `shop/web.${n}`, placement: 1, run: 1, attempt: 1 });
const exit = { code: 3, at: 7, oomKilled: false };
const status = (n: number, phase: RuntimePhase = 'running'): ContainerStatus => ({
  ...{ id: `c${n}`, key: key(n), specHash: '', phase, createdAt: 1 },
  ...(phase === 'stopped' ? { exit } : {}),
});
const listed = (...containers: ContainerStatus[]) => ({ value: { containers } });
/** `c1 exited 3`, `c2 lost`, `c3 found running`. */
const told = (effects: readonly Effect[]) =>
  effects.flatMap((effect) => {
    if (effect.do !== 'send') return effect.do === 'drive' && effect.id.startsWith('list:') ? ['list'] : [];
    const { event } = effect;
    if (event.type === 'container.found') return [`${String(event['id'])} found ${String(event['found'])}`];
    const code = (event['exit'] as { code: number } | undefined)?.code;
    return [`${/web\.(\d)/.exec(effect.to)![1]} ${code === undefined ? 'lost' : `exited ${code}`}`];
  });

it('shows what is there, says what has ended, misses what is gone', () => {
  let [value] = steps.list(fresh);
  let effects: readonly Effect[];
  [value, effects] = steps.compare(value, listed(status(1), status(2)));
  expect(told(effects)).toEqual(['c1 found running', 'c2 found running']);
  [value] = steps.list(value);
  [value, effects] = steps.compare(value, listed(status(2, 'stopped')));
  expect(told(effects)).toEqual(['2 exited 3', 'c2 found stopped', '1 lost']);
  expect(Object.keys(value.known)).toEqual(['c2']);
});

it('what was launched after a list was asked for is not lost because it is not in it', () => {
  let [value] = steps.list(fresh);
  [value] = steps.learn(value, { id: 'c1', key: key(1) });
  let effects: readonly Effect[];
  [value, effects] = steps.compare(value, listed());
  expect(told(effects)).toEqual([]);
  // In a list asked for later it must be.
  [value] = steps.list(value);
  [value, effects] = steps.compare(value, listed());
  expect(told(effects)).toEqual(['1 lost']);
});

it('a list that is asked for anew lets go of the one before, whose answer would be older', () => {
  const [first] = steps.list(fresh);
  const [launched] = steps.learn(first, { id: 'c1', key: key(1) });
  const [, effects] = steps.pass(launched, { event: { type: 'resync' } });
  expect(effects).toMatchObject([
    { do: 'cancel', token: 'list:1' },
    { do: 'drive', id: 'list:2' },
  ]);
});

it('an exit goes to whom it concerns; one of something never seen is looked up', () => {
  const [value] = steps.learn(fresh, { id: 'c1', key: key(1) });
  expect(told(steps.pass(value, { event: { type: 'exited', id: 'c1', exit } })[1])).toEqual(['1 exited 3']);
  expect(told(steps.pass(value, { event: { type: 'exited', id: 'c9', exit } })[1])).toEqual(['list']);
  expect(steps.pass(value, { event: { type: 'oom', id: 'c1' } })[1]).toMatchObject([
    { do: 'emit', event: { type: 'container.oom' } },
  ]);
});

it('what said itself that it is gone is not missed', () => {
  let [value] = steps.learn(fresh, { id: 'c1', key: key(1) });
  [value] = steps.unlearn(value, { id: 'c1' });
  [value] = steps.list(value);
  expect(told(steps.compare(value, listed())[1])).toEqual([]);
});

it('a silent runtime is told once, and its return once', () => {
  const error = reason('HM-RUNTIME-DOWN');
  const [down, first] = steps.unlisted(fresh, { error });
  expect(first).toMatchObject([{ do: 'emit', event: { type: 'runtime.lost' } }]);
  expect(steps.unlisted(down, { error })[1]).toEqual([]);
  const [up, back] = steps.compare(down, listed());
  expect(back).toMatchObject([{ do: 'emit', event: { type: 'runtime.recovered' } }]);
  expect(steps.compare(up, listed())[1]).toEqual([]);
});

/** `signal c2`, `kill c2`. */
const asked = (effects: readonly Effect[]) =>
  effects.flatMap((effect) =>
    effect.do === 'drive' && effect.id.startsWith('orphan:')
      ? [`${effect.call.op} ${(effect.call.args as { id: string }).id}`]
      : [],
  );
const lender = key(1).slot;

it('what has the network of a container that ended is asked to end, and made to at the next look', () => {
  let [value] = steps.learn(fresh, { id: 'c1', key: key(1) });
  [value] = steps.learn(value, { id: 'c2', key: key(2), lender });
  [value] = steps.learn(value, { id: 'c3', key: key(3) });
  let effects: readonly Effect[];
  [value, effects] = steps.pass(value, { event: { type: 'exited', id: 'c1', exit } });
  expect([told(effects)[0], asked(effects)]).toEqual(['1 exited 3', ['signal c2']]);
  [value, effects] = steps.pass(value, { event: { type: 'exited', id: 'c1', exit } });
  expect(asked(effects)).toEqual([]);
  const later = { ...status(1), id: 'c1b', createdAt: 5 };
  const orphan = { ...status(2), lender };
  [value] = steps.list(value);
  [value, effects] = steps.compare(value, listed(later, orphan, status(3)));
  expect(asked(effects)).toEqual(['kill c2']);
});

it('what has the network of a container that runs is left alone, by a new life too', () => {
  const sharer = { ...status(2), lender, createdAt: 3 };
  const compared = (...containers: ContainerStatus[]) =>
    asked(steps.compare(steps.list(fresh)[0], listed(...containers))[1]);
  expect(compared(status(1), sharer)).toEqual([]);
  expect(compared({ ...status(1, 'paused'), createdAt: 3 }, sharer)).toEqual([]);
  expect(compared(status(1, 'stopped'), sharer)).toEqual(['signal c2']);
  expect(compared({ ...status(1), createdAt: 4 }, sharer)).toEqual(['signal c2']);
  expect(compared(status(1, 'stopped'), { ...sharer, phase: 'created' })).toEqual([]);
});
