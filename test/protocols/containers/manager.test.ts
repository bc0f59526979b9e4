/** The container manager's decisions: wish against journal, endings across restarts, what is nobody's. */
import { describe, expect, it } from 'vitest';
import type { Assignment } from '../../../protocols/apps/model.ts';
import type { SlotStatus } from '../../../protocols/apps/status.ts';
import {
  difference,
  managerGuards,
  managerSteps as steps,
  type ManagerValue,
} from '../../../protocols/containers/manager.ts';
import type { ManagerEventOf } from '../../../protocols/containers/manager-events.ts';
import type { Decision, Effect } from '../../../protocols/effects.ts';
import { keys } from '../../../protocols/state/keys.ts';
import { paths, slotPath } from '../../../protocols/wire/paths.ts';

const fresh: ManagerValue = { node: 'n1', held: {}, ending: {}, observed: {}, calls: 0 };
const assignment = (n: number, placement = 1, more: Partial<Assignment> = {}): Assignment =>
  ({ slot: `shop/web.${n}`, app: 'shop', placement, revision: 1, specHash: 'h', ...more }) as Assignment;
const slot = (n: number) => `shop/web.${n}`;
const at = 1;

/** A node in miniature: its journal is written as the manager asks for it. */
class Node {
  value: ManagerValue = fresh;
  readonly journal = new Map<string, unknown>();
  sent: string[] = [];
  #revision = 0;

  take([value, effects]: Decision<ManagerValue>): readonly Effect[] {
    this.value = value;
    for (const effect of effects) {
      if (effect.do === 'send') {
        const about = effect.event['spec'] as { id: string } | undefined;
        this.sent.push(`${effect.to} ${effect.event.type}${about ? ` ${about.id}` : ''}`);
      }
      if (effect.do !== 'drive' || effect.call.port !== 'journal' || effect.call.op !== 'append') continue;
      for (const [key, entry] of Object.entries(effect.call.args.entries))
        if (entry === undefined) this.journal.delete(key);
        else this.journal.set(key, entry);
    }
    return effects;
  }

  /** The store holds just these, and is trusted. */
  store(...rows: Assignment[]): void {
    this.#revision += 1;
    const kvs = rows.map((value) => ({
      ...{ key: keys.assignment('n1', value.slot), value },
      ...{ createRevision: 1, modRevision: this.#revision, version: 1 },
    }));
    const position = { epoch: 1, revision: this.#revision };
    this.take(steps.listed(this.value, { type: 'assignments.listed', at, value: { kvs, position } }));
    this.take(steps.confirmed(this.value, { type: 'store.trusted', at, store: { id: 'A' } }));
  }

  write(): void {
    if (!managerGuards.differs(this.value)) throw new Error('nothing differs');
    this.take(steps.write(this.value));
  }

  /** Journal and wish are made equal. */
  settle(): void {
    this.sent = [];
    this.write();
    this.take(steps.apply(this.value));
  }

  reboot(): void {
    this.value = fresh;
    this.sent = [];
    const entries = Object.fromEntries(this.journal);
    this.take(steps.recovered(this.value, { type: 'journal.read', at, value: { entries } }));
    this.take(steps.ensureSlots(this.value));
    this.take(steps.endAgain(this.value));
  }

  gone(n: number): void {
    // What the slot's own forgetting takes out of the journal.
    this.journal.delete(`slots/${slot(n)}|assignment`);
    this.journal.delete(`slots/${slot(n)}|run`);
    this.take(steps.forget(this.value, { slot: slot(n) }));
  }

  entries(): string[] {
    return [...this.journal.keys()].filter((key) => key !== 'store/seen').sort();
  }
}

describe('wish against journal', () => {
  it.each<[string, Assignment | undefined, Assignment | undefined, Assignment | null | undefined]>([
    ['nothing to do', assignment(1), assignment(1), undefined],
    ['new', undefined, assignment(1), assignment(1)],
    ['a later placement', assignment(1, 1), assignment(1, 2), assignment(1, 2)],
    ['an earlier placement', assignment(1, 2), assignment(1, 1), undefined],
    [
      'another revision of the same',
      assignment(1),
      assignment(1, 1, { revision: 2 }),
      assignment(1, 1, { revision: 2 }),
    ],
    ['not wanted any more', assignment(1), undefined, null],
  ])('%s', (_, held, wanted, expected) => {
    const node = new Node();
    node.store(...(wanted ? [wanted] : []));
    node.value = { ...node.value, held: held ? { [held.slot]: held } : {} };
    expect(difference(node.value)).toEqual(expected === undefined ? {} : { [slot(1)]: expected });
  });

  it('is not looked for before the store was confirmed', () => {
    const [listed] = steps.listed(fresh, {
      ...{ type: 'assignments.listed', at },
      value: { kvs: [], position: { epoch: 1, revision: 1 } },
    });
    const held = { ...listed, held: { [slot(1)]: assignment(1) } };
    expect(managerGuards.differs(held)).toBe(false);
    const [confirmed] = steps.confirmed(held, { type: 'store.trusted', at, store: { id: 'A' } });
    expect(difference(confirmed)).toEqual({ [slot(1)]: null });
  });

  it('is in the journal before a slot hears of it', () => {
    const node = new Node();
    node.store(assignment(1), assignment(2));
    node.write();
    expect(node.sent.filter((text) => text.startsWith(paths.slots))).toEqual([]);
    expect(node.entries()).toEqual(['slots/shop/web.1|assignment', 'slots/shop/web.2|assignment']);
    node.take(steps.apply(node.value));
    expect(node.sent.slice(-2)).toEqual([
      `${paths.slots} child.start shop/web.1`,
      `${paths.slots} child.start shop/web.2`,
    ]);
    expect(managerGuards.differs(node.value)).toBe(false);
  });

  it('a slot that lives is told; one that is new reads it', () => {
    const node = new Node();
    node.store(assignment(1));
    node.settle();
    node.store(assignment(1, 2));
    node.settle();
    expect(node.sent).toContain(`${slotPath(slot(1))} slot.assigned`);
  });
});

describe('an ending', () => {
  const ended = (): Node => {
    const node = new Node();
    node.store(assignment(1), assignment(2));
    node.settle();
    node.store(assignment(2));
    node.settle();
    return node;
  };

  it('keeps its entry until the slot says it is gone, and then frees what it held', () => {
    const node = ended();
    expect(node.sent).toEqual([`${slotPath(slot(1))} slot.terminate`]);
    expect(node.entries()).toContain('slots/shop/web.1|ending');
    node.gone(1);
    expect(node.sent).toContain(`${paths.network} address.release`);
    expect(node.entries()).toEqual(['slots/shop/web.2|assignment']);
    expect(node.value).toMatchObject({ ending: {} });
  });

  it('is told again after a restart, and never held', () => {
    const node = ended();
    node.reboot();
    expect(Object.keys(node.value.held)).toEqual([slot(2)]);
    expect(node.sent).toContain(`${slotPath(slot(1))} slot.terminate`);
  });

  it('whose slot was gone just before a restart is finished', () => {
    const node = ended();
    node.journal.delete('slots/shop/web.1|assignment');
    node.reboot();
    expect(Object.keys(node.value.ending)).toEqual([slot(1)]);
    expect(node.sent).toContain(`${paths.slots} child.start shop/web.1`);
    node.gone(1);
    expect(node.entries()).toEqual(['slots/shop/web.2|assignment']);
    expect(node.sent).toContain(`${paths.network} address.release`);
  });

  it.each(['before the slot is gone', 'while the slot goes', 'as the slot goes'])(
    'that is taken back %s ends with a slot and an assignment in the journal',
    (when) => {
      const node = ended();
      node.store(assignment(1, 2), assignment(2));
      if (when.startsWith('before')) {
        node.settle();
        expect(node.sent).toContain(`${slotPath(slot(1))} slot.assigned`);
        return;
      }
      node.write();
      if (when.startsWith('while')) node.gone(1);
      node.take(steps.apply(node.value));
      if (when.startsWith('as')) node.gone(1);
      // The slot's own forgetting may have come after the manager's write.
      node.journal.delete('slots/shop/web.1|assignment');
      for (
        let turns = 0;
        turns < 3 && node.journal.get('slots/shop/web.1|assignment') === undefined;
        turns++
      ) {
        if (node.value.held[slot(1)]) node.gone(1);
        if (managerGuards.differs(node.value)) node.settle();
      }
      expect(node.journal.get('slots/shop/web.1|assignment')).toEqual(assignment(1, 2));
      expect(node.sent).toContain(`${paths.slots} child.start shop/web.1`);
      expect(node.sent).not.toContain(`${paths.network} address.release`);
    },
  );
});

describe('what is reported', () => {
  const status = (n: number, more: Partial<SlotStatus> = {}) =>
    ({ slot: slot(n), phase: 'running', ...more }) as SlotStatus;
  const published = (effects: readonly Effect[]) => effects.filter(({ do: what }) => what === 'send');

  it('goes to all who follow, once', () => {
    const [value, effects] = steps.note(fresh, { status: status(1) });
    expect(published(effects)).toHaveLength(3);
    expect(published(steps.note(value, { status: status(1) })[1])).toEqual([]);
    expect(published(steps.note(value, { status: status(1, { phase: 'backoff' }) })[1])).toHaveLength(3);
  });

  it('is complete once every slot has spoken, and only then repeated by itself', () => {
    const node = new Node();
    node.journal.set('slots/shop/web.1|assignment', assignment(1));
    node.reboot();
    expect(published(steps.publishAll(node.value)[1])).toEqual([]);
    node.take(steps.note(node.value, { status: status(1) }));
    expect(published(steps.publishAll(node.value)[1])).toHaveLength(3);
    expect(steps.repeat(node.value, { to: '/x' })[1]).toMatchObject([
      { event: { whole: true, complete: true } },
    ]);
  });
});

describe('a container that is found', () => {
  const found = (n: number): ManagerEventOf<'container.found'> => ({
    type: 'container.found',
    at,
    id: `c${n}`,
    found: 'running',
    key: { slot: slot(n), placement: 1, run: 1, attempt: 1 },
  });
  const outcome = (value: ManagerValue, n: number) => {
    const [next, effects] = steps.found(value, found(n));
    const [first] = effects;
    if (first?.do === 'send') return `shown to ${first.to}`;
    return first?.do === 'drive' ? `${first.call.op} c${n}` : next.shown?.[slot(n)] ? 'kept' : 'nothing';
  };

  it('goes to its slot; what is nobody’s goes, once a store is trusted', () => {
    const node = new Node();
    expect(outcome(node.value, 9)).toBe('kept');
    node.store(assignment(1), assignment(2));
    expect(outcome(node.value, 1)).toBe('kept');
    node.settle();
    expect(outcome(node.value, 1)).toBe(`shown to ${slotPath(slot(1))}`);
    expect(outcome(node.value, 9)).toBe('remove c9');
    node.store(assignment(2));
    node.settle();
    expect(outcome(node.value, 1)).toBe(`shown to ${slotPath(slot(1))}`);
  });
});

it('slots whose supervisor is lost are started again a little later, not at once', () => {
  const [, effects] = steps.ensureSoon(fresh);
  expect(effects).toMatchObject([{ do: 'schedule', event: { type: 'slots.due' } }]);
});
