/** May this store be followed? A table of verdicts, and who is told when. */
import { describe, expect, it } from 'vitest';
import type { Effect } from '../../../protocols/effects.ts';
import { reason } from '../../../protocols/errors.ts';
import { doubt, guardGuards, guardSteps as steps, type GuardValue } from '../../../protocols/state/guard.ts';
import type { StoreStatus } from '../../../protocols/state/model.ts';
import { paths } from '../../../protocols/wire/paths.ts';

const store = (id: string, revision: number, epoch = 1): StoreStatus => ({
  identity: { id, epoch },
  position: { epoch, revision },
  oldest: { epoch, revision: 0 },
});
const seen = { id: 'A', epoch: 1, revision: 100 };
const told = (effects: readonly Effect[]) =>
  effects.flatMap((effect) => (effect.do === 'send' ? [`${effect.to} ${effect.event.type}`] : []));

it.each([
  ['fresh node', undefined, store('B', 5), undefined],
  ['the same', seen, store('A', 100), undefined],
  ['newer', seen, store('A', 101), undefined],
  ['restored, its epoch raised', seen, store('A', 3, 2), undefined],
  ['older', seen, store('A', 99), 'HM-STORE-FOREIGN'],
  ['of an older epoch', { ...seen, epoch: 2 }, store('A', 500), 'HM-STORE-FOREIGN'],
  ['foreign', seen, store('B', 500), 'HM-STORE-FOREIGN'],
  ['empty', seen, store('B', 0), 'HM-STORE-FOREIGN'],
] as const)('%s', (_, before, found, code) => {
  expect(doubt(before, found)?.code).toBe(code);
});

describe('the guard', () => {
  const fresh: GuardValue = { calls: 0, askers: [] };
  const looked = (found: StoreStatus, value = fresh) =>
    steps.recall(steps.look(value)[0], { value: found })[0];
  const entries = (entry?: unknown) => ({
    value: { entries: entry === undefined ? {} : { 'store/seen': entry } },
  });

  it('lets go of a look that is under way: it saw the store before it was asked', () => {
    const value = looked(store('A', 1));
    const [, effects] = steps.look(value);
    expect(effects).toContainEqual({ do: 'cancel', token: `seen:${value.calls}` });
  });

  it('tells everybody when it comes to trust, and afterwards whoever asks', () => {
    const value = looked(store('A', 100));
    expect(guardGuards.isOurStore(value, entries(seen))).toBe(true);
    const [trusting, effects] = steps.trust(value);
    expect(told(effects)).toHaveLength(4);
    const [asked] = steps.noteAsker(trusting, { to: paths.apps });
    const [twice] = steps.noteAsker(asked, { to: paths.apps });
    expect(told(steps.trust(twice)[1])).toEqual([`${paths.apps} store.trusted`]);
    expect(steps.trust(twice)[0].askers).toEqual([]);
  });

  it('tells everybody of a doubt, and the event log once', () => {
    const value = looked(store('B', 1));
    expect(guardGuards.isOurStore(value, entries(seen))).toBe(false);
    const [doubting, effects] = steps.doubted(value, entries(seen));
    expect(told(effects)).toHaveLength(4);
    expect(effects.filter(({ do: what }) => what === 'emit')).toHaveLength(1);
    const [, again] = steps.doubted(doubting, entries(seen));
    expect(again.filter(({ do: what }) => what === 'emit')).toEqual([]);
    expect(told(steps.trust(doubting)[1])).toHaveLength(4);
  });

  it('what an operator confirms is what it looked at, and only what is foreign', () => {
    const [doubting] = steps.doubted(looked(store('B', 7)), entries(seen));
    expect(guardGuards.isForeign(doubting)).toBe(true);
    const [accepting, effects] = steps.accept(doubting, { replyTo: 'r' });
    expect(effects).toMatchObject([
      { call: { args: { entries: { 'store/seen': { id: 'B', epoch: 1, revision: 7 } } } } },
    ]);
    expect(steps.confirmAccept(accepting, {})[1]).toEqual([{ do: 'reply', to: 'r', value: {} }]);
    const error = reason('HM-DISK-FULL');
    expect(steps.confirmAccept(accepting, { error })[1]).toEqual([{ do: 'reply', to: 'r', error }]);

    const [silent] = steps.doubted(doubting, { error: reason('HM-STORE-DOWN') });
    expect(guardGuards.isForeign(silent)).toBe(false);
    expect(steps.refuseAccept(silent, { replyTo: 'r' })[1]).toMatchObject([
      { error: { code: 'HM-STORE-DOWN' } },
    ]);
  });
});
