/**
 * M7: packets keep their size, and queues their bounds. M8: after quiet all views are equal, and traffic is back at its
 * base line. M9: packets under a wrong key or label, and packets that were changed under way, are refused: they add nobody
 * and accuse nobody. M9k: an exchange of the gossip's key loses no packet.
 */
import { limits } from '../../../../protocols/limits.ts';
import type {
  DatagramTraffic,
  MemberChange,
  MemberView,
} from '../../../../protocols/membership/views/view.ts';
import type { PeerCondition } from '../../../../protocols/wire/calls.ts';
import type { DatagramCounts } from '../../../../transport/datagram-link.ts';
import { streamFrameBytes, streamWaitingBytes } from '../../../../transport/stream-link.ts';
import type { StrangePacket } from '../../cluster/strangers.ts';
import { ClusterChecker, type NodeSight } from '../checker.ts';

/** A probe and its answer, and half as many again: relays, tries of the lost, gossip to the dead. */
const packetsPerProbe = 3;
const piecesPerMember = 2;
/** To one peer: in the queue, and on the connection, which takes one more as long as it has room. */
const mostWaitingBytes = limits.peerQueueBytes + streamWaitingBytes + streamFrameBytes;

export class PacketsFit extends ClusterChecker {
  readonly name = 'M7';
  #seen = 0;

  override onTick(): void {
    const sent = this.sight.packetsSent();
    this.exercised += sent - this.#seen;
    this.#seen = sent;
    for (const node of this.sight.nodes) {
      const { tooLong = 0 } = node.datagrams() ?? {};
      if (tooLong > 0) this.fail(`${node.node} made ${tooLong} packets longer than a packet may be`);
      for (const peer of node.connections()) this.#judge(peer, node.node);
    }
  }

  #judge({ name, id, queuedFrames, queuedBytes, asking, answering }: PeerCondition, node: string): void {
    const counts = {
      'frames that wait': [queuedFrames, limits.peerQueueFrames],
      'bytes that wait': [queuedBytes, mostWaitingBytes],
      questions: [asking, limits.peerQuestions],
      'questions to answer': [answering, limits.peerAnswering],
    } as const;
    for (const [what, [count, most]] of Object.entries(counts))
      if (count > most)
        this.fail(`${node} has ${count} ${what} with ${name ?? id}, at most ${most} are wanted`);
  }

  /** At most one of what each says of itself or is accused of, and one of its records. */
  counted({ news: { waiting, dropped } }: DatagramTraffic, { node }: NodeSight): void {
    const most = piecesPerMember * this.sight.identities();
    if (waiting > most) this.fail(`${node} has ${waiting} pieces of news, at most ${most} are wanted`);
    if (dropped > 0) this.fail(`${node} had no room for ${dropped} pieces of news`);
  }
}

export class ViewsEqual extends ClusterChecker {
  readonly name = 'M8';

  /** All has been quiet for `ms`, in which so many packets were sent; each member probes once in `probeMs`. */
  judge(packets: number, ms: number, probeMs: number): void {
    const views = this.sight.nodes.map((node) => [node, viewOf(node)] as const);
    const all = new Map<string, MemberView>();
    for (const [, view] of views) for (const [id, seen] of view) all.set(id, all.get(id) ?? seen);
    for (const [{ node }, view] of views) {
      for (const [id, seen] of all) {
        this.exercised += 1;
        const own = view.get(id);
        // Who met them no more need not know the dead and those that left.
        if (own === undefined && (seen.status === 'dead' || seen.status === 'left')) continue;
        const line = own === undefined ? 'nobody there' : lineOf(own);
        if (line !== lineOf(seen)) this.fail(`${node} sees "${line}" and another one "${lineOf(seen)}"`);
      }
    }
    const most = (this.sight.nodes.length * packetsPerProbe * ms) / probeMs;
    if (packets > most)
      this.fail(`${packets} packets in ${ms} quiet ms, at most ${Math.round(most)} are wanted`);
  }
}

const viewOf = ({ membership }: NodeSight): ReadonlyMap<string, MemberView> =>
  new Map(
    membership()
      ?.members()
      .map((view) => [view.id, view]),
  );

const lineOf = ({ name, status, incarnation: { boot, counter }, condition }: MemberView): string =>
  `${name} ${status} at ${boot}.${counter}, ${condition}`;

export class StrangersRefused extends ClusterChecker {
  readonly name = 'M9';

  /** What a link refuses reaches nobody: the packet that is the next at the node is to be refused. */
  meet({ what, arrive }: StrangePacket, { node, datagrams }: NodeSight): void {
    const counts = datagrams();
    if (!counts) return arrive();
    const { received } = counts;
    const refused = refusedOf(counts);
    arrive();
    const came = counts.received - received;
    this.exercised += came;
    if (refusedOf(counts) - refused !== came) this.fail(`${node} takes a packet of a stranger, ${what}`);
  }

  override onMember({ member }: MemberChange, { node }: NodeSight): void {
    const { id, name, suspectedBy } = member;
    if (!this.sight.everKnown(id)) this.fail(`${node} hears of ${name} (${id}), who is nobody`);
    const nobody = suspectedBy.find((accuser) => !this.sight.everKnown(accuser.id));
    if (nobody) this.fail(`${node} suspects ${name} by the word of ${nobody.id}, who is nobody`);
  }
}

const refusedOf = ({ refused }: DatagramCounts): number =>
  Object.values(refused).reduce((sum, count) => sum + count, 0);

export class KeysExchanged extends ClusterChecker {
  readonly name = 'M9k';
  #strange = false;

  /** A packet of a stranger comes: from now on some are refused rightly. */
  strange(): void {
    this.#strange = true;
  }

  /** A step of an exchange is over, which was to lose nothing; nothing so far was worse than what M1 allows: else a step may have been missed. */
  exchanged(): void {
    if (this.#strange || this.sight.stormEndedMs() > 0) return;
    for (const { node, datagrams } of this.sight.nodes) {
      const counts = datagrams();
      if (!counts) continue;
      this.exercised += 1;
      const lost = counts.refused['unknown-key'] + counts.refused['not-authentic'];
      if (lost > 0)
        this.fail(`${node} could not open ${lost} packets of members while their key was exchanged`);
    }
  }
}
