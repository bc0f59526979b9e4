/**
 * What reaches the observed actor from outside: questions of other nodes, digests of gossip, changes of members and of its
 * own boot.
 */
import type { Message } from '../../protocols/effects.ts';
import { limits } from '../../protocols/limits.ts';
import type { Membership } from '../../protocols/membership/views/port.ts';
import type { Stop } from '../../protocols/ports.ts';
import type { Calls } from '../../protocols/wire/calls.ts';
import { paths } from '../../protocols/wire/paths.ts';
import type { Kernel } from '../kernel/kernel.ts';

export function openRecordDoor(
  kernel: Pick<Kernel, 'ask' | 'send'>,
  { calls, membership }: { readonly calls: Calls; readonly membership: Membership },
): Stop {
  const send = (message: Message): void => kernel.send(paths.observed, message);
  const stops = [
    ...(['records.pull', 'records.compare'] as const).map((type) =>
      calls.on(type, (_from, body) => kernel.ask(paths.observed, { type, body }, limits.recordsPullMs)),
    ),
    membership.onDigest(({ digest, from, address }) => send({ type: 'digest.heard', digest, from, address })),
    membership.onChange((change) => send({ type: 'member.changed', change })),
    membership.onBoot((boot) => send({ type: 'boot.raised', boot })),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}
