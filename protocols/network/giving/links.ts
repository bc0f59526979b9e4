/**
 * What stands on the machine has its address, whatever the journal says: a damaged one forgets claims, or still holds
 * one that was another's since. Such a link owns its address under its own id until its slot asks, or until it is gone.
 */
import type { SlotName } from '../../apps/model.ts';
import { isOfSlot } from '../../containers/ids.ts';
import { drive, type Decision } from '../../effects.ts';
import { limits } from '../../limits.ts';
import { hold, ownerOf, passOn, release, type Allocation } from './ipam.ts';
import type { Attachment } from '../model.ts';
import type { AddressClaim, NetworkValue } from '../value.ts';

type Value = NetworkValue;
type Listed = { readonly value: { readonly attachments: readonly Attachment[] } };

export const survey = (value: Value): Decision<Value> => {
  const calls = value.calls + 1;
  const call = { port: 'network', op: 'list', args: {} } as const;
  const answer = { done: 'links.listed', failed: 'links.unlisted' };
  return [{ ...value, calls }, [drive(`links:${calls}`, call, answer, limits.runtimeCallMs)]];
};

/** Before anything is handed out: a slot whose address another's container has gets a new one when it asks. */
export const recallLinks = (value: Value, { value: { attachments } }: Listed): Decision<Value> => {
  const allocation = attachments.reduce(seize, value.allocation);
  return [{ ...value, links: attachments, allocation }, []];
};

function seize(allocation: Allocation, { id, address }: Attachment): Allocation {
  const owner = ownerOf(allocation, address);
  if (owner === undefined) return hold(allocation, id, address);
  return isOfSlot(id, owner) ? allocation : passOn(allocation, owner, id);
}

/** Of the blocks that the bridge has by now. */
export const holdLinks = (allocation: Allocation, links: readonly Attachment[]): Allocation =>
  links.reduce((held, { id, address }) => hold(held, id, address), allocation);

/** Now and then: what is gone gives its address back, what no slot owns keeps it. */
export function renewLinks(value: Value, { value: { attachments } }: Listed): Value {
  const stands = new Set(attachments.map(({ id }) => id));
  const gone = value.links.filter(({ id }) => !stands.has(id));
  const freed = gone.reduce((held, { id }) => release(held, id), value.allocation);
  return { ...value, links: attachments, allocation: holdLinks(freed, attachments) };
}

/**
 * What the container that asks has already. What another run of its slot has stays that one's: it may be one that the
 * slot forgot, and that still runs.
 */
export function inherit({ allocation }: Value, { slot, id }: AddressClaim): Allocation {
  return allocation.owners[id] === undefined ? allocation : passOn(allocation, id, slot);
}

/** The slot is gone; a container of an earlier life that it did not know of may not be. */
export function leave({ allocation, links }: Value, slot: SlotName): Allocation {
  const left = links.find(({ id, address }) => allocation.owners[slot] === address && isOfSlot(id, slot));
  return left === undefined ? release(allocation, slot) : passOn(allocation, slot, left.id);
}
