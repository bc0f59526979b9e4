/**
 * The port of membership over a subtree that may be in another thread: keeps the newest views, makes changes of them, and
 * passes everything else through. The same for the real node and for simulation; what differs is how a life begins.
 */
import type { NodeEvent } from '../../protocols/effects.ts';
import { coded, reason } from '../../protocols/errors.ts';
import { toldBy } from '../../protocols/membership/actors/telling.ts';
import { longestAwayMs } from '../../protocols/membership/claims/codec.ts';
import type { NodeId } from '../../protocols/membership/model.ts';
import { newsOf, standingOfView, type Standing } from '../../protocols/membership/views/news.ts';
import type { Membership } from '../../protocols/membership/views/port.ts';
import type {
  Credentials,
  DatagramTraffic,
  GossipKeys,
  HeardDigest,
  MemberChange,
  MemberView,
} from '../../protocols/membership/views/view.ts';
import type { RecordDigest } from '../../protocols/observed/digest.ts';
import type { Clock, Random, Stop } from '../../protocols/ports.ts';
import { publicKeyOf } from '../../transport/secure/credentials.ts';
import { ringKey } from '../../transport/secure/key-ring.ts';
import { Questions } from './questions.ts';
import { Lives } from './lives.ts';
import type { BeginLife, FromHost, LifeStart } from './messages.ts';
import { RemoteActors } from './remote-actors.ts';
import type { MembershipStreams } from './streams.ts';
import { tickMs } from './host/vigil.ts';

export interface DoorOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly start: Omit<LifeStart, 'told'>;
  readonly begin: BeginLife;
  readonly streams: MembershipStreams;
  /** Makes the node's boot one above `boot`, durably; answers it. */
  raiseBoot(boot: number): Promise<number>;
}

/** A boot raised more often within a life of the daemon: two processes chase each other. */
const mostRaises = 3;
/** Events that wait for the first listener. */
const mostEvents = 1_000;

export class MembershipDoor implements Membership {
  readonly #options: DoorOptions;
  readonly #lives: Lives;
  readonly #questions: Questions;
  readonly #views = new Map<NodeId, MemberView>();
  readonly #told = new Map<NodeId, Standing>();
  readonly #changes = new Set<(change: MemberChange) => void>();
  readonly #digests = new Set<(heard: HeardDigest) => void>();
  readonly #unread = new Set<() => void>();
  readonly #boots = new Set<(boot: number) => void>();
  readonly #listeners = new Set<(event: NodeEvent) => void>();
  #events: NodeEvent[] = [];
  #boot: number;
  #raises = 0;
  #raising = false;
  /** Peers that said once that datagrams of this node had come further than it sent any. */
  readonly #believed = new Set<NodeId>();
  #tick: unknown;
  #stopServing: Stop = () => {};
  /** Said again to every new life. */
  readonly #lasting: { keys?: GossipKeys; credentials?: Credentials; described: object } = { described: {} };
  readonly actors: RemoteActors;

  constructor(options: DoorOptions) {
    const { clock, random, start, begin } = options;
    this.#options = options;
    this.#boot = start.boot;
    this.#questions = new Questions(clock);
    this.#lives = new Lives({
      node: start.self.name,
      clock,
      random,
      begin,
      start: (first) => this.#nextStart(first),
      hear: (message) => this.#hear(message),
      emit: (event) => this.#emit(event),
      turned: () => this.#turned(),
    });
    this.actors = new RemoteActors(
      (question) => this.#ask((request) => ({ kind: 'inspect', request, question })),
      (message) => void this.#lives.post(message),
    );
  }

  /** Rejects with HM-CLUSTER-LISTEN or HM-MEMBERSHIP-TIMES. */
  async open(): Promise<this> {
    await this.#lives.open();
    this.#stopServing = this.#options.streams.serve({
      exchange: (from, body) => this.#ask((request) => ({ kind: 'asked', request, from, body })),
      heardOf: (from, furthest) => this.#lives.post({ kind: 'heard-of', from, ...furthest }),
    });
    this.#beat();
    return this;
  }

  members(): readonly MemberView[] {
    return [...this.#views.values()].sort(ownFirst);
  }

  async look(): Promise<readonly MemberView[]> {
    try {
      const views = (await this.#ask((request) => ({ kind: 'look', request }))) as readonly MemberView[];
      const kept = this.members().filter(({ id }) => !views.some((view) => view.id === id));
      return [...views, ...kept].sort(ownFirst);
    } catch {
      return this.members();
    }
  }

  onChange(notify: (change: MemberChange) => void): Stop {
    return listen(this.#changes, notify);
  }

  onDigest(notify: (heard: HeardDigest) => void): Stop {
    return listen(this.#digests, notify);
  }

  onUnread(notify: () => void): Stop {
    return listen(this.#unread, notify);
  }

  onBoot(notify: (boot: number) => void): Stop {
    // Others may have been met before anybody listened.
    if (this.#boot !== this.#options.start.boot) notify(this.#boot);
    return listen(this.#boots, notify);
  }

  onEvent(notify: (event: NodeEvent) => void): Stop {
    const stop = listen(this.#listeners, notify);
    const waiting = this.#events;
    this.#events = [];
    for (const event of waiting) notify(event);
    return stop;
  }

  tellDigest(digest: RecordDigest): void {
    this.#lives.post({ kind: 'tell-digest', digest });
  }

  describe(profile: Parameters<Membership['describe']>[0]): void {
    this.#lasting.described = { ...this.#lasting.described, ...profile };
    this.#lives.post({ kind: 'describe', profile });
  }

  async away(ms: number): Promise<void> {
    await this.#ask((request) => ({ kind: 'away', request, ms: Math.min(Math.max(0, ms), longestAwayMs) }));
  }

  async leave(): Promise<void> {
    await this.#ask((request) => ({ kind: 'leave', request }));
  }

  rotate(keys: GossipKeys): void {
    // Refused here: in the subtree it would end one life after another.
    for (const key of keys) ringKey(key);
    this.#lasting.keys = keys;
    this.#lives.post({ kind: 'rotate', keys });
  }

  renew(credentials: Credentials): void {
    for (const authority of credentials.authorities) publicKeyOf(authority);
    this.#lasting.credentials = credentials;
    this.#lives.post({ kind: 'renew', credentials });
  }

  async traffic(): Promise<DatagramTraffic> {
    return (await this.#ask((request) => ({ kind: 'count', request }))) as DatagramTraffic;
  }

  async close(): Promise<void> {
    this.#options.clock.clearTimer(this.#tick);
    this.#stopServing();
    this.#questions.end();
    await this.#lives.close();
  }

  async #nextStart(first: boolean): Promise<LifeStart> {
    const { start, raiseBoot } = this.#options;
    if (!first) {
      this.#boot = await raiseBoot(this.#boot);
      for (const notify of this.#boots) notify(this.#boot);
    }
    const known = [...this.#views.values()].filter(({ self, status }) => !self && status !== 'left');
    return {
      ...start,
      self: { ...start.self, ...this.#lasting.described },
      boot: this.#boot,
      // Whoever was a member before knows all that this life has to learn again.
      seeds: [...start.seeds, ...known.map(({ address }) => address)],
      told: Object.fromEntries(this.#told),
    };
  }

  #turned(): void {
    this.#questions.end();
    const { keys, credentials } = this.#lasting;
    if (keys) this.#lives.post({ kind: 'rotate', keys });
    if (credentials) this.#lives.post({ kind: 'renew', credentials });
    this.actors.turned();
  }

  #beat(): void {
    this.#tick = this.#options.clock.setTimer(tickMs, () => {
      this.#lives.post({ kind: 'tick' });
      const heard = this.#options.streams.heard();
      if (heard.length > 0) this.#lives.post({ kind: 'stream-heard', heard });
      this.#beat();
    });
  }

  #hear(message: FromHost): void {
    switch (message.kind) {
      case 'opened':
        return;
      case 'viewed':
        return this.#viewed(message.view);
      case 'forgotten':
        this.#views.delete(message.id);
        this.#told.delete(message.id);
        return;
      case 'call':
        void this.#options.streams.call(message).then((called) => this.#lives.post(called));
        return;
      case 'digest':
        for (const notify of this.#digests) notify(message.heard);
        return;
      case 'unread':
        for (const notify of this.#unread) notify();
        return;
      case 'event':
        return this.#emit(message.event);
      case 'line':
        return this.actors.tell(message.line);
      case 'answer':
        return this.#questions.answer(message);
      case 'doubled':
        void this.#doubled(message.boot);
        return;
      case 'outrun':
        void this.#outrun(message.boot, message.from);
    }
  }

  #viewed(view: MemberView): void {
    const before = this.#views.get(view.id);
    this.#views.set(view.id, view);
    if (view.self) return;
    this.#options.streams.viewed(view, before);
    const what = newsOf(before && standingOfView(before), standingOfView(view)) ?? 'described';
    if (before && what === 'described' && sameWords(before, view)) return;
    const change: MemberChange = { what, member: view, ...(before ? { before: before.status } : {}) };
    for (const notify of this.#changes) notify(change);
  }

  #emit(event: NodeEvent): void {
    const told = toldBy(event);
    if (told) this.#told.set(told.id, told.standing);
    if (this.#listeners.size === 0 && this.#events.length < mostEvents) this.#events.push(event);
    for (const notify of this.#listeners) notify(event);
  }

  /** Others know this node by a later boot: its journal was lost, or another process has its identity. */
  async #doubled(boot: number): Promise<void> {
    if (this.#raising || boot < this.#boot) return;
    this.#raises += 1;
    if (this.#raises > mostRaises) {
      const { name } = this.#options.start.self;
      const because = reason('HM-MEMBERSHIP-DOUBLED', undefined, { node: name, boot });
      if (this.#raises === mostRaises + 1)
        this.#emit({
          type: 'membership.doubled',
          subject: name,
          level: 'error',
          message: because.message,
          reason: because,
        });
      return;
    }
    await this.#raise(boot);
  }

  /** A number alone may be made up: each peer is believed once. */
  async #outrun(boot: number, from: NodeId): Promise<void> {
    if (this.#raising || boot < this.#boot || this.#believed.has(from)) return;
    this.#believed.add(from);
    await this.#raise(boot);
  }

  async #raise(boot: number): Promise<void> {
    const { name } = this.#options.start.self;
    this.#raising = true;
    try {
      this.#boot = boot;
      await this.#lives.renew();
      this.#emit({
        type: 'boot.raised',
        subject: name,
        level: 'warning',
        message: `others know this node by boot ${boot}: its boot is ${this.#boot} now`,
      });
    } finally {
      this.#raising = false;
    }
  }

  #ask(message: Parameters<Questions['ask']>[0]): Promise<unknown> {
    return this.#questions.ask(message, (asked) => {
      if (!this.#lives.post(asked)) throw coded('HM-MEMBERSHIP-DOWN');
    });
  }
}

function listen<Told>(listeners: Set<(told: Told) => void>, notify: (told: Told) => void): Stop {
  const own = (told: Told): void => notify(told);
  listeners.add(own);
  return () => void listeners.delete(own);
}

function ownFirst(a: MemberView, b: MemberView): number {
  if (a.self !== b.self) return a.self ? -1 : 1;
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  return a.id < b.id ? -1 : 1;
}

function sameWords(a: MemberView, b: MemberView): boolean {
  return (
    a.condition === b.condition &&
    a.zone === b.zone &&
    a.address.host === b.address.host &&
    a.address.port === b.address.port &&
    a.incarnation.boot === b.incarnation.boot &&
    a.incarnation.counter === b.incarnation.counter
  );
}
