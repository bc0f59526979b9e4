/**
 * The subtree's share of the connections between nodes, on the side of the main thread that has them: questions of the
 * subtree go out, those of peers come in, and whoever was heard of by a stream is told of.
 */
import { coded, reasonOf } from '../../protocols/errors.ts';
import type { NodeId } from '../../protocols/membership/model.ts';
import type { MemberView } from '../../protocols/membership/views/view.ts';
import type { Clock, Stop } from '../../protocols/ports.ts';
import type { Calls } from '../../protocols/wire/calls.ts';
import { Fields } from '../../protocols/wire/fields.ts';
import type { Furthest } from '../../transport/secure/sealed-datagrams.ts';
import type { FromHost, HeardPeer, ToHost } from './messages.ts';

type Call = Extract<FromHost, { kind: 'call' }>;

interface Served {
  exchange(from: NodeId, body: unknown): Promise<unknown>;
  heardOf(from: NodeId, furthest: Furthest): void;
}

export class MembershipStreams {
  readonly #calls: Calls;
  readonly #clock: Clock;
  readonly #self: NodeId;
  /** By peer, the frames that had come when it was last looked. */
  #frames = new Map<NodeId, number>();

  constructor(calls: Calls, clock: Clock, self: NodeId) {
    this.#calls = calls;
    this.#clock = clock;
    this.#self = self;
  }

  /**
   * An exchange's answer says whose it is: a seed is asked before anybody knows who is there. Who asks whether this node is
   * there says how far its datagrams have come.
   */
  serve({ exchange, heardOf }: Served): Stop {
    const stops = [
      this.#calls.on('membership.exchange', async (from, body) => [
        this.#self,
        await exchange(from.id, body),
      ]),
      this.#calls.on('membership.ask', (from, body) => {
        const furthest = furthestIn(body);
        if (furthest) heardOf(from.id, furthest);
        return [this.#self];
      }),
    ];
    return () => {
      for (const stop of stops) stop();
    };
  }

  /** Answers what the subtree is told of the outcome. */
  async call({ request, type, to, body, timeoutMs }: Call): Promise<ToHost> {
    const startedAt = this.#clock.monotonicMs();
    try {
      const peer = { id: to.id ?? '', address: to.address };
      const answer = await this.#calls.call(peer, type, body, { timeoutMs });
      const [id, said] = Array.isArray(answer) ? (answer as unknown[]) : [];
      if (typeof id !== 'string' || (to.id !== undefined && id !== to.id))
        throw coded('HM-PEER-MESSAGE', `the answer to ${type} is not in form`);
      const rttMs = this.#clock.monotonicMs() - startedAt;
      return { kind: 'called', request, answer: { id, body: said, rttMs } };
    } catch (thrown) {
      return { kind: 'called', request, error: reasonOf(thrown) };
    }
  }

  /** Gossip finds first who is gone: a connection with it must not be trusted for as long as an idle one is. */
  viewed({ id, status, incarnation }: MemberView, before: MemberView | undefined): void {
    const anew = before !== undefined && before.incarnation.boot !== incarnation.boot;
    if (status !== 'alive' || anew) this.#calls.doubt(id);
  }

  /** Peers from whom anything came since the last look, heartbeats too. */
  heard(): readonly HeardPeer[] {
    const before = this.#frames;
    const peers: HeardPeer[] = [];
    this.#frames = new Map();
    this.#calls.eachHeard((id, frames, rttMs) => {
      this.#frames.set(id, frames);
      if (frames !== before.get(id)) peers.push(rttMs === undefined ? { id } : { id, rttMs });
    });
    return peers;
  }
}

/** `undefined` of who has heard nothing, and where it is not in form. */
function furthestIn(body: unknown): Furthest | undefined {
  const fields = Fields.of(body);
  const furthest = { boot: fields.natural(), counter: fields.natural(Number.MAX_SAFE_INTEGER) };
  return fields.good() ? furthest : undefined;
}
