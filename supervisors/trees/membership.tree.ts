/**
 * What looks after the members, as data: the tree of the membership subtree's own kernel. The core stands beside it; an
 * actor that fails here loses nothing that it cannot read there again.
 */
import type { ProberInput } from '../../protocols/membership/actors/prober.ts';
import type { MemberAddress } from '../../protocols/membership/model.ts';
import type { ChildSpec } from '../../protocols/supervision/child-spec.ts';
import { supervisor, worker } from '../child-spec.ts';

export interface MembershipTreeSettings {
  readonly node: string;
  readonly seeds: readonly MemberAddress[];
  readonly probing: ProberInput;
}

export function membershipTree({ node, seeds, probing }: MembershipTreeSettings): ChildSpec {
  const { id: _, input: __, ...member } = worker('member', 'member');
  return supervisor('membership-thread', 'one_for_one', [
    supervisor('membership', 'one_for_one', [
      supervisor('members', 'dynamic'),
      worker('prober', 'prober', { ...probing }),
      worker('joiner', 'joiner', { node, seeds, member }),
    ]),
  ]);
}
