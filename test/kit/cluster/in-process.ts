/** The membership subtree in the process of its node, on the node's clock: how tests of one node or a few run it. */
import type { Random, Clock } from '../../../protocols/ports.ts';
import type { Calls } from '../../../protocols/wire/calls.ts';
import { MembershipDoor } from '../../../runtime/membership/door.ts';
import { MembershipHost, type HostTools } from '../../../runtime/membership/host/host.ts';
import type { BeginLife, LifeStart } from '../../../runtime/membership/messages.ts';
import { MembershipStreams } from '../../../runtime/membership/streams.ts';

export interface InProcessOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly start: Omit<LifeStart, 'told'>;
  readonly calls: Calls;
  /** Of each life; with a clock of its own where the node's may stand still without it. */
  tools(): Omit<HostTools, 'clock' | 'random'> & Partial<Pick<HostTools, 'clock'>>;
  raiseBoot(boot: number): Promise<number>;
}

/** Rejects with HM-CLUSTER-LISTEN or HM-MEMBERSHIP-TIMES. */
export async function openMembershipInProcess(options: InProcessOptions): Promise<MembershipDoor> {
  const { clock, random, start, calls, tools, raiseBoot } = options;
  const begin: BeginLife = async (from, hear, ended) => {
    const host = new MembershipHost(from, { clock, random, ...tools() }, hear, ended);
    try {
      await host.open();
    } catch (thrown) {
      await host.close();
      throw thrown;
    }
    return { post: (message) => host.receive(message), close: () => host.close() };
  };
  const streams = new MembershipStreams(calls, clock, start.self.id);
  return new MembershipDoor({ clock, random, start, begin, streams, raiseBoot }).open();
}
