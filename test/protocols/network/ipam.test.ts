/** Addresses of a block, as a model: whatever is claimed and released, no two owners meet and nothing leaks. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contains, prefixOf } from '../../../protocols/network/cidr.ts';
import {
  addressesLeft,
  claim,
  emptyAllocation,
  firstFreeBlock,
  gatewayOf,
  rebuildAllocation,
  release,
  withBlock,
  type Allocation,
} from '../../../protocols/network/giving/ipam.ts';

const block = '10.42.0.64/28';
const claimed = (allocation: Allocation, owner: string) => {
  const answer = claim(allocation, owner);
  if ('reason' in answer) throw new Error(answer.reason.message);
  return answer;
};

const owner = fc.integer({ min: 0, max: 19 }).map((n) => `app/web.${n}`);
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ op: fc.constant('claim' as const), owner }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('release' as const), owner }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('restart' as const), owner }) },
);

describe('addresses', () => {
  it('has one living owner each, stays with it, and every free one can be had (N1, N2, N3)', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        let allocation = emptyAllocation(block);
        const model = new Map<string, string>();
        for (const { op, owner: who } of steps) {
          if (op === 'release') {
            allocation = release(allocation, who);
            model.delete(who);
          } else if (op === 'restart') {
            allocation = rebuildAllocation([block], allocation.owners);
          } else {
            const answer = claim(allocation, who);
            if ('reason' in answer) {
              expect(answer.reason.code).toBe('HM-NETWORK-ADDRESS');
              expect(model.size).toBe(13);
              continue;
            }
            allocation = answer.allocation;
            if (model.has(who)) expect(answer.address).toBe(model.get(who));
            expect(contains(block, answer.address)).toBe(true);
            expect(['10.42.0.64', '10.42.0.65', '10.42.0.79']).not.toContain(answer.address);
            model.set(who, answer.address);
          }
          expect(allocation.owners).toEqual(Object.fromEntries(model));
          expect(new Set(model.values()).size).toBe(model.size);
        }
        for (let n = model.size; n < 13; n++) ({ allocation } = claimed(allocation, `filler/${n}`));
        expect(new Set(Object.values(allocation.owners)).size).toBe(13);
      }),
    );
  });

  it('has one living owner in all of several blocks, and counts what is left (N1, N3)', () => {
    const pool = ['10.42.0.0/29', '10.42.3.16/29', '10.42.0.8/29', '10.42.9.0/28'];
    const act = fc.oneof(
      { weight: 4, arbitrary: fc.record({ op: fc.constant('claim' as const), who: owner }) },
      { weight: 2, arbitrary: fc.record({ op: fc.constant('release' as const), who: owner }) },
      { weight: 1, arbitrary: fc.record({ op: fc.constant('restart' as const), who: owner }) },
      { weight: 1, arbitrary: fc.record({ op: fc.constant('grow' as const), who: owner }) },
    );
    fc.assert(
      fc.property(fc.array(act, { maxLength: 120 }), (acts) => {
        let allocation = emptyAllocation(pool[0]!);
        const own = (): readonly string[] => allocation.blocks.map(({ block: one }) => one);
        const size = (): number => own().reduce((sum, one) => sum + (one.endsWith('/28') ? 13 : 5), 0);
        for (const { op, who } of acts) {
          const before = allocation.owners;
          if (op === 'release') allocation = release(allocation, who);
          else if (op === 'restart') allocation = rebuildAllocation(own(), before);
          else if (op === 'grow' && own().length < pool.length)
            allocation = withBlock(allocation, pool[own().length]!);
          else if (op === 'claim') {
            const left = addressesLeft(allocation);
            const answer = claim(allocation, who);
            expect('reason' in answer).toBe(left === 0 && before[who] === undefined);
            if (!('reason' in answer)) ({ allocation } = answer);
          }
          if (op === 'restart') expect(allocation.owners).toEqual(before);
          const held = Object.values(allocation.owners);
          expect(new Set(held).size).toBe(held.length);
          expect(addressesLeft(allocation)).toBe(size() - held.length);
          for (const address of held) {
            const home = own().find((one) => contains(one, address))!;
            expect([gatewayOf(home), home.split('/')[0]]).not.toContain(address);
          }
        }
      }),
    );
  });

  it('gives out what was never used in any block before what was freed in another', () => {
    let allocation = emptyAllocation('10.42.0.0/29');
    for (const name of ['a', 'b', 'c', 'd', 'e']) ({ allocation } = claimed(allocation, name));
    allocation = withBlock(release(allocation, 'b'), '10.42.1.0/30');
    const order: string[] = [];
    for (const name of ['x', 'y']) {
      const answer = claimed(allocation, name);
      ({ allocation } = answer);
      order.push(answer.address);
    }
    expect(order).toEqual(['10.42.1.2', '10.42.0.3']);
    expect(claim(allocation, 'z')).toMatchObject({
      reason: { message: 'all 6 addresses of 10.42.0.0/29, 10.42.1.0/30 are in use' },
    });
  });

  it('gives out the address that was free longest', () => {
    let allocation = emptyAllocation('10.42.0.0/29');
    for (const name of ['a', 'b', 'c', 'd', 'e']) ({ allocation } = claimed(allocation, name));
    expect(claim(allocation, 'f')).toMatchObject({ reason: { code: 'HM-NETWORK-ADDRESS' } });
    for (const name of ['d', 'a', 'c']) allocation = release(allocation, name);
    const order: string[] = [];
    for (const name of ['x', 'y', 'z']) {
      const answer = claimed(allocation, name);
      ({ allocation } = answer);
      order.push(answer.address);
    }
    expect(order).toEqual(['10.42.0.5', '10.42.0.2', '10.42.0.4']);
  });

  it('takes nothing foreign over from a table: outside the block, twice, reserved', () => {
    const owners = {
      a: '10.42.0.66',
      b: '10.42.0.66',
      c: '10.42.1.3',
      d: '10.42.0.65',
      e: '10.42.0.70',
      f: 'x',
    };
    const allocation = rebuildAllocation([block], owners);
    expect(allocation.owners).toEqual({ a: '10.42.0.66', e: '10.42.0.70' });
    expect(claimed(allocation, 'new').address).toBe('10.42.0.71');
  });

  it('is not confused by owners named like members of every object', () => {
    const { allocation, address } = claimed(emptyAllocation(block), 'constructor');
    expect(address).toBe('10.42.0.66');
    expect(release(allocation, 'toString')).toBe(allocation);
  });
});

describe('blocks', () => {
  it('are /26, the first that touches no other', () => {
    expect(firstFreeBlock('10.42.0.0/16', [])).toBe('10.42.0.0/26');
    expect(firstFreeBlock('10.42.0.0/16', ['10.42.0.0/26', '10.42.0.128/26'])).toBe('10.42.0.64/26');
    expect(firstFreeBlock('10.42.0.0/16', ['10.42.0.0/24'])).toBe('10.42.1.0/26');
    expect(firstFreeBlock('10.42.0.0/25', ['10.42.0.0/26', '10.42.0.64/26'])).toBeUndefined();
    expect(firstFreeBlock('10.42.0.0/28', [])).toBeUndefined();
  });

  it('know their gateway and prefix', () => {
    expect(gatewayOf('10.42.7.64/26')).toBe('10.42.7.65');
    expect(prefixOf('10.42.7.64/26')).toBe(26);
  });
});
