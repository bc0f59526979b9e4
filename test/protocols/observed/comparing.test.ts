/** Whom a node compares its records with, and when again. */
import { expect, test } from 'vitest';
import { peerSteps } from '../../../protocols/observed/steps/peers.ts';
import type { ObservedValue } from '../../../protocols/observed/steps/value.ts';
import { Replicas } from './replicas.ts';

/** Compares in vain as often as it wants to at once. */
function vainly(from: ObservedValue): { readonly asked: string[]; readonly value: ObservedValue } {
  const asked: string[] = [];
  let value = from;
  for (let again = true; again && asked.length < 20;) {
    const [comparing] = peerSteps.compare(value);
    asked.push(comparing.comparing!);
    const [next, effects] = peerSteps.uncompared(comparing);
    value = next;
    again = effects.some((effect) => effect.do === 'schedule' && effect.event.type === 'compare.due');
  }
  return { asked, value };
}

test('who cannot be reached is not waited for: each other one is asked at once, and once, until one answers', () => {
  const { value } = new Replicas(4).all[0]!;
  const first = vainly({ ...value, meet: [] });
  expect(first.asked.toSorted()).toEqual(['id1', 'id2', 'id3']);
  // The next usual time begins anew.
  expect(vainly(first.value).asked.toSorted()).toEqual(['id1', 'id2', 'id3']);
});
