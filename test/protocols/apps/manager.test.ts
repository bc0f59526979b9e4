/** The app manager's steps around the decisions: lost races, doubts, what is looked at again and what is not. */
import { describe, expect, it } from 'vitest';
import {
  appsGuards,
  appsSteps,
  freshApps,
  nextRound,
  type AppsValue,
} from '../../../protocols/apps/manager.ts';
import type { Effect } from '../../../protocols/effects.ts';
import { reason } from '../../../protocols/errors.ts';
import type { Mirror } from '../../../protocols/state/mirror.ts';
import { appOf, serviceOf, Town } from './town.ts';

const shop = appOf('shop', [serviceOf('web', { replicas: 2 })]);
const follow = (mirror: Mirror, value: AppsValue = freshApps('n1')): AppsValue => {
  const [listed] = appsSteps.listed(value, {
    value: { kvs: Object.values(mirror.rows), position: mirror.position },
  });
  return appsSteps.confirmed(listed)[0];
};
const deployed = (): Town => {
  const town = new Town();
  town.deploy(shop);
  return town;
};
const writes = (effects: readonly Effect[]) => effects.filter((effect) => effect.do === 'write');
const replies = (effects: readonly Effect[]) => effects.filter((effect) => effect.do === 'reply');
const scale = { type: 'app.scale', app: 'shop', service: 'web', replicas: 3, replyTo: 'r1' } as const;
const lost = (id: string, revision: number) => ({
  id,
  value: { succeeded: false, position: { epoch: 1, revision } },
});

describe('rounds', () => {
  it('one after the other: what was written must be seen before the next', () => {
    const town = deployed();
    const value = follow(town.mirror);
    expect(appsGuards.hasRound(value)).toBe(true);
    const [writing, effects] = appsSteps.writeRound(value);
    expect(writes(effects)).toHaveLength(1);
    const position = { epoch: 1, revision: town.mirror.position.revision + 1 };
    const [written] = appsSteps.roundWritten(writing, { value: { succeeded: true, position } });
    expect(appsGuards.hasRound(written)).toBe(false);
    town.round();
    const [seen] = appsSteps.changed(written, { events: [], position: town.mirror.position });
    // It was never told of the rows: it compares again, and the guard would not hold.
    expect(appsGuards.hasRound(seen)).toBe(true);
    expect(appsGuards.hasRound(follow(town.mirror, seen))).toBe(false);
  });

  it('are looked for anew when a slot stands elsewhere, and only then', () => {
    const town = deployed();
    town.deploy(
      appOf('shop', [
        serviceOf('web', { dependsOn: [{ service: 'db', condition: 'healthy' }] }),
        serviceOf('db'),
      ]),
    );
    town.settle();
    town.report('shop/db.1', { phase: 'starting', readiness: 'none' });
    const [starting] = appsSteps.noteSlots(follow(town.mirror), {
      slots: Object.values(town.observed),
      gone: [],
    });
    expect(nextRound(starting)).toBeUndefined();
    town.report('shop/db.1', { phase: 'starting', readiness: 'none', since: 99, restarts: 4 });
    const [same] = appsSteps.noteSlots(starting, { slots: Object.values(town.observed), gone: [] });
    expect(nextRound(same)).toBeUndefined();
    town.report('shop/db.1');
    const [ready] = appsSteps.noteSlots(same, { slots: Object.values(town.observed), gone: [] });
    expect(nextRound(ready)?.then).toHaveLength(2);
  });

  it('begin anew with a store whose position is lower', () => {
    const town = deployed();
    const far = { succeeded: true, position: { epoch: 1, revision: 1_000 } };
    const [waiting] = appsSteps.roundWritten(follow(town.mirror), { value: far });
    expect(appsGuards.hasRound(waiting)).toBe(false);
    expect(appsGuards.hasRound(follow(town.mirror, waiting))).toBe(true);
  });
});

describe('commands', () => {
  it('are answered when they are durable', () => {
    const value = follow(deployed().mirror);
    const [asked, effects] = appsSteps.command(value, scale);
    expect(replies(effects)).toEqual([]);
    const id = writes(effects)[0]!.id;
    const done = { id, value: { succeeded: true, position: { epoch: 1, revision: 9 } } };
    const [after, told] = appsSteps.commandWritten(asked, done);
    expect(told).toMatchObject([
      { do: 'reply', to: 'r1', value: {} },
      { do: 'emit', event: { type: 'app.scaled' } },
    ]);
    expect(after.commands).toEqual({});
    // The same answer once more meets nobody.
    expect(appsSteps.commandWritten(after, done)).toEqual([after, []]);
  });

  it('that lost a race are decided again once the winner is seen, and given up after five', () => {
    const town = deployed();
    let value = follow(town.mirror);
    let [next, effects] = appsSteps.command(value, scale);
    for (let tries = 1; tries <= 4; tries++) {
      const revision = town.mirror.position.revision + tries;
      [value, effects] = appsSteps.commandWritten(next, lost(writes(effects)[0]!.id, revision));
      expect(effects).toEqual([]);
      [next, effects] = appsSteps.changed(value, { events: [], position: { epoch: 1, revision } });
      expect(writes(effects)).toHaveLength(1);
    }
    [value, effects] = appsSteps.commandWritten(next, lost(writes(effects)[0]!.id, 99));
    expect(effects).toMatchObject([{ do: 'reply', error: { code: 'HM-APP-CONFLICT' } }]);
  });

  it('that lost a race are decided again at once when the winner was seen before the loss was told', () => {
    const town = deployed();
    const [asked, effects] = appsSteps.command(follow(town.mirror), scale);
    const position = { epoch: 1, revision: town.mirror.position.revision + 1 };
    const [seen] = appsSteps.changed(asked, { events: [], position });
    const [, again] = appsSteps.commandWritten(seen, lost(writes(effects)[0]!.id, position.revision));
    expect(writes(again)).toHaveLength(1);
    // Not of a store that is listed anew: that is confirmed first.
    const { mirror } = town;
    const [listed] = appsSteps.listed(seen, {
      value: { kvs: Object.values(mirror.rows), position: mirror.position },
    });
    const [waiting, none] = appsSteps.commandWritten(listed, lost(writes(effects)[0]!.id, position.revision));
    expect([waiting.again.length, none]).toEqual([1, []]);
  });

  it('that wait when the store is doubted are refused, not kept for later', () => {
    const [asked, effects] = appsSteps.command(follow(deployed().mirror), scale);
    const [waiting] = appsSteps.commandWritten(asked, lost(writes(effects)[0]!.id, 99));
    const [doubting, told] = appsSteps.noteDoubt(waiting, { reason: reason('HM-STORE-FOREIGN') });
    expect(told).toMatchObject([{ do: 'reply', to: 'r1', error: { code: 'HM-STORE-FOREIGN' } }]);
    expect(doubting.again).toEqual([]);
  });

  it('whose outcome is not known say so', () => {
    const [asked, effects] = appsSteps.command(follow(deployed().mirror), scale);
    const error = reason('HM-STORE-UNKNOWN-OUTCOME');
    const [, told] = appsSteps.commandWritten(asked, { id: writes(effects)[0]!.id, error });
    expect(told).toMatchObject([{ do: 'reply', error: { code: 'HM-STORE-UNKNOWN-OUTCOME' } }]);
  });
});

it('of a list nothing counts before its store is confirmed', () => {
  const { mirror } = deployed();
  const [listed] = appsSteps.listed(freshApps('n1'), {
    value: { kvs: Object.values(mirror.rows), position: mirror.position },
  });
  expect(appsGuards.hasRound(listed)).toBe(false);
  expect(appsGuards.hasRound(appsSteps.confirmed(listed)[0])).toBe(true);
});
