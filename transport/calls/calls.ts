/**
 * Calls over any stream link: a channel for each peer, made when it is first spoken to or speaks. What a peer may say is
 * judged by `handlers.ts`, what passes between two by `channel.ts`, connections by `connector.ts` and `session.ts`.
 */
import { coded, reason, reasonOf, type Reason } from '../../protocols/errors.ts';
import { limits } from '../../protocols/limits.ts';
import type { MemberAddress, NodeId } from '../../protocols/membership/model.ts';
import type { Clock, Random, Stop } from '../../protocols/ports.ts';
import type {
  Caller,
  CallHandler,
  CallOptions,
  Calls,
  Peer,
  PeerCondition,
  PeerEvent,
  TypeCounts,
} from '../../protocols/wire/calls.ts';
import { messageTypes } from '../../protocols/wire/catalogue.ts';
import { streamVersions, type Versions } from '../../protocols/wire/frames.ts';
import type { StreamConnection, StreamLink } from '../stream-link.ts';
import { Channel } from './channel.ts';
import { Handlers, type MessageTypes } from './handlers.ts';
import { Strangers } from './strangers.ts';

export interface CallsOptions {
  readonly self: Caller;
  readonly link: StreamLink;
  readonly clock: Clock;
  readonly random: Random;
  /** Of the protocol; this program's own unless a test speaks another one. */
  readonly versions?: Versions;
  /** What may be said; the catalogue unless a test has one of its own. */
  readonly types?: MessageTypes;
}

export function createCalls(options: CallsOptions): Calls {
  return new StreamCalls(options);
}

class StreamCalls implements Calls {
  readonly #options: CallsOptions;
  readonly #life: string;
  readonly #handlers: Handlers;
  readonly #channels = new Map<NodeId, Channel>();
  readonly #strangers: Strangers;
  readonly #listeners = new Set<(event: PeerEvent) => void>();
  #tidy: unknown = undefined;
  #closed: Reason | undefined = undefined;

  constructor(options: CallsOptions) {
    this.#options = options;
    this.#handlers = new Handlers(options.types ?? messageTypes);
    this.#life = options.random.hex(8);
    this.#strangers = new Strangers(options, {
      known: (address) => this.#openAt(address),
      met: (connection, address) => this.#adopt(connection, address),
    });
    options.link.accept((connection) => this.#accept(connection));
  }

  async call(to: Peer, type: string, body: unknown, options: CallOptions): Promise<unknown> {
    this.#maySend(type);
    if (to.id !== '') return await this.#channel(to).call(type, body, options);
    const { clock } = this.#options;
    const sinceMs = clock.monotonicMs();
    const id = await this.#strangers.identify(to.address, options).catch((thrown: unknown) => {
      const counts = this.#handlers.counted(type);
      counts.sent += 1;
      counts[reasonOf(thrown).code === 'HM-PEER-TIMEOUT' ? 'timedOut' : 'failed'] += 1;
      throw thrown;
    });
    const timeoutMs = Math.max(0, options.timeoutMs - (clock.monotonicMs() - sinceMs));
    return await this.#channel({ ...to, id }).call(type, body, { ...options, timeoutMs });
  }

  tell(to: Peer, type: string, body: unknown): 'taken' | 'full' | 'closed' {
    if (this.#closed !== undefined) return 'closed';
    this.#maySend(type);
    return this.#channel(to).told(type, body);
  }

  on(type: string, handler: CallHandler): Stop {
    return this.#handlers.on(type, handler);
  }

  onPeer(notify: (event: PeerEvent) => void): Stop {
    const own = (event: PeerEvent): void => notify(event);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  keep(to: Peer): Stop {
    return this.#channel(to).keep();
  }

  doubt(id: NodeId): void {
    this.#channels.get(id)?.doubt();
  }

  conditions(): readonly PeerCondition[] {
    return [...this.#channels.values()].map((channel) => channel.condition());
  }

  eachHeard(tell: Parameters<Calls['eachHeard']>[0]): void {
    for (const channel of this.#channels.values()) channel.tellHeard(tell);
  }

  traffic(): Readonly<Record<string, TypeCounts>> {
    return this.#handlers.traffic();
  }

  async close(): Promise<void> {
    if (this.#closed !== undefined) return;
    this.#closed = reason('HM-PEER-UNREACHABLE', 'The node is stopping.');
    this.#options.clock.clearTimer(this.#tidy);
    this.#strangers.close();
    for (const channel of this.#channels.values()) channel.close(this.#closed);
    await this.#options.link.close();
  }

  #maySend(type: string): void {
    const { role } = this.#options.self;
    if (this.#handlers.row(type).from.includes(role)) return;
    throw coded('HM-PEER-REFUSED', `No ${role} may send ${type}.`, { message: type, role });
  }

  #channel({ id, address }: Peer): Channel {
    if (this.#closed !== undefined) throw coded('HM-PEER-UNREACHABLE', this.#closed.message);
    if (id === '') throw coded('HM-PEER-UNREACHABLE', 'Only a call finds out who is at an address.');
    if (id === this.#options.self.id)
      throw coded('HM-PEER-UNREACHABLE', 'A node does not call itself.', { peer: id });
    const channel = this.#channelOf(id);
    channel.address = address;
    return channel;
  }

  #channelOf(id: NodeId): Channel {
    const known = this.#channels.get(id);
    if (known !== undefined) return known;
    if (this.#channels.size >= limits.peersRemembered) this.#forgetOne();
    const { self, versions = streamVersions, link, clock, random } = this.#options;
    const channel: Channel = new Channel({
      id,
      self: { id: self.id, boot: self.boot, versions, life: this.#life },
      link,
      clock,
      random,
      handlers: this.#handlers,
      tell: (event) => this.#tell(event),
    });
    this.#channels.set(id, channel);
    return channel;
  }

  /** Peers come and go for as long as the node lives; the one that was not used for the longest time goes. */
  #forgetOne(): void {
    let oldest: readonly [NodeId, Channel] | undefined;
    for (const entry of this.#channels)
      if (entry[1].forgettable && (oldest === undefined || entry[1].usedMs < oldest[1].usedMs))
        oldest = entry;
    if (oldest === undefined)
      throw coded('HM-PEER-BUSY', `${this.#channels.size} nodes are spoken to at once.`);
    this.#channels.delete(oldest[0]);
  }

  #accept(connection: StreamConnection): void {
    const self = connection.peer.id === this.#options.self.id;
    const refusal = self ? reason('HM-PEER-IDENTITY', 'This is the node itself.') : this.#closed;
    if (refusal === undefined) return this.#channelOf(connection.peer.id).accept(connection);
    connection.hear({ frame: () => {}, drained: () => {}, ended: () => {} });
    connection.close(refusal);
  }

  #openAt({ host, port }: MemberAddress): NodeId | undefined {
    for (const [id, { open, address }] of this.#channels)
      if (open && address?.host === host && address.port === port) return id;
    return undefined;
  }

  #adopt(connection: StreamConnection, address: MemberAddress): void {
    try {
      this.#channel({ id: connection.peer.id, address }).adopt(connection);
    } catch (thrown) {
      connection.close(reasonOf(thrown));
      throw thrown;
    }
  }

  #tell(event: PeerEvent): void {
    for (const notify of this.#listeners) {
      try {
        notify(event);
      } catch (defect) {
        // A listener's defect is none of the connection: it surfaces at the top.
        this.#options.clock.defer(() => {
          throw defect;
        });
      }
    }
    if (event.what === 'made') this.#tidyLater();
  }

  /** Looks again while there are some that this end made: those in use become idle later. */
  #tidyLater(): void {
    if (this.#tidy !== undefined || this.#closed !== undefined) return;
    if (![...this.#channels.values()].some((channel) => channel.dialled)) return;
    this.#tidy = this.#options.clock.setTimer(limits.peerTidyMs, () => {
      this.#tidy = undefined;
      this.#closeIdle();
      this.#tidyLater();
    });
  }

  /** Those of which it is not known yet whether all was read are asked, and closed the next time. */
  #closeIdle(): void {
    const spare = [...this.#channels.values()].filter((channel) => channel.spare);
    spare.sort((a, b) => a.usedMs - b.usedMs);
    const untilMs = this.#options.clock.monotonicMs() - limits.peerRestMs;
    for (const [at, channel] of spare.entries())
      if (spare.length - at > limits.peerIdle || channel.usedMs <= untilMs) channel.rest(notNeeded);
  }
}

const notNeeded = reason('HM-PEER-UNREACHABLE', 'The connection was not needed.');
