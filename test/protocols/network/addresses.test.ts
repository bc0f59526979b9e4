/** Addresses of one block, with a journal that refuses: none is used before it is there, none has two owners. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Decision, Effect } from '../../../protocols/effects.ts';
import { reason } from '../../../protocols/errors.ts';
import { emptyAllocation } from '../../../protocols/network/giving/ipam.ts';
import { networkSteps as steps, type NetworkValue } from '../../../protocols/network/manager.ts';

const block = '10.42.0.0/26';
const settings = { bridge: 'hive0', tag: 'a', pool: '10.42.0.0/24', mtu: 1_500, dnsPort: 53, upstreams: [] };
const ready: NetworkValue = {
  node: 'n1',
  settings,
  calls: 0,
  blocks: [block],
  claiming: [],
  links: [],
  allocation: emptyAllocation(block),
  pending: {},
  unkept: {},
  waiting: [],
};
const only = <Type extends Effect['do']>(effects: readonly Effect[], type: Type) =>
  effects.filter((effect): effect is Extract<Effect, { do: Type }> => effect.do === type);
const events = (effects: readonly Effect[]) =>
  only(effects, 'send').map(({ to, event }) => ({ to, ...event }));

describe('addresses', () => {
  const ask = (value: NetworkValue, slot: string, to = `/${slot}`) =>
    steps.allocate(value, { slot, id: slot, to });
  const idOf = (effects: readonly Effect[]) => only(effects, 'drive')[0]!.id;

  it('are handed over once they are in the journal, and then at once', () => {
    const [asked, effects] = ask(ready, 'a/b.1');
    expect(events(effects)).toEqual([]);
    const [kept, told] = steps.handOver(asked, { id: idOf(effects) });
    expect(events(told)).toEqual([
      { to: '/a/b.1', type: 'address.claimed', slot: 'a/b.1', address: '10.42.0.2', gateway: '10.42.0.1' },
    ]);
    expect(events(ask(kept, 'a/b.1', '/again')[1])).toMatchObject([{ to: '/again', address: '10.42.0.2' }]);
  });

  it('that could not be written stay the slot’s, and are written again before they are used', () => {
    const [asked, effects] = ask(ready, 'a/b.1');
    const [refused, told] = steps.handOver(asked, { id: idOf(effects), error: reason('HM-DISK-FULL') });
    expect(events(told)).toMatchObject([{ type: 'address.refused', reason: { code: 'HM-DISK-FULL' } }]);
    const [other] = ask(refused, 'a/c.1');
    expect(other.allocation.owners).toEqual({ 'a/b.1': '10.42.0.2', 'a/c.1': '10.42.0.3' });
    const [again, more] = ask(other, 'a/b.1');
    expect(events(more)).toEqual([]);
    expect(events(steps.handOver(again, { id: idOf(more) })[1])).toMatchObject([{ address: '10.42.0.2' }]);
  });

  it('are not handed over when the slot went meanwhile', () => {
    const [asked, effects] = ask(ready, 'a/b.1');
    const [freed] = steps.free(asked, { slot: 'a/b.1' });
    expect(steps.handOver(freed, { id: idOf(effects) })[1]).toEqual([]);
  });

  const act = fc.record({
    do: fc.constantFrom('claim', 'claim', 'answer', 'answer', 'fail', 'free'),
    slot: fc.integer({ min: 1, max: 70 }).map((n) => `a/b.${n}`),
  });
  it('never have two users, whatever is asked, answered or refused in between (N1)', () => {
    fc.assert(
      fc.property(fc.array(act, { maxLength: 250 }), (acts) => {
        let value = ready;
        /** What containers were told, and what the journal holds. */
        const users = new Map<string, string>();
        const writes: { id: string; entries: Record<string, unknown> }[] = [];
        const journal = new Map<string, unknown>();
        const take = ([next, effects]: Decision<NetworkValue>) => {
          value = next;
          for (const { id, call } of only(effects, 'drive'))
            writes.push({ id, entries: (call.args as { entries: Record<string, unknown> }).entries });
          for (const event of events(effects)) {
            if (event.type !== 'address.claimed') continue;
            const { slot, address } = event as unknown as { slot: string; address: string };
            expect(journal.get(`address/${slot}`)).toBe(address);
            for (const [other, held] of users) if (other !== slot) expect(held).not.toBe(address);
            users.set(slot, address);
          }
        };
        for (const { do: what, slot } of acts) {
          if (what === 'claim') take(steps.allocate(value, { slot, id: slot, to: `/${slot}` }));
          else if (what === 'free') {
            users.delete(slot);
            take(steps.free(value, { slot }));
          } else {
            const write = writes.shift();
            if (!write) continue;
            const fails = what === 'fail';
            if (!fails)
              for (const [key, entry] of Object.entries(write.entries))
                if (entry === undefined) journal.delete(key);
                else journal.set(key, entry);
            if (write.id.startsWith('address'))
              take(
                steps.handOver(value, { id: write.id, ...(fails ? { error: reason('HM-DISK-FULL') } : {}) }),
              );
          }
        }
      }),
    );
  });
});
