/**
 * One life of the membership subtree: the core, its datagrams, its deadlines and its actors, beside each other on one
 * clock. Everything of the outside is given to it, so the same runs in a thread of a real node and in simulation.
 *
 * Packets reach the core alone; actors (`actors.ts`) and the main thread hear of what changed.
 */
import { coded } from '../../../protocols/errors.ts';
import type { Frame } from '../../../protocols/inspection.ts';
import type { MembershipEffect } from '../../../protocols/membership/desk.ts';
import type { MemberAddress, NodeId, Notary } from '../../../protocols/membership/model.ts';
import { checkTimes } from '../../../protocols/membership/profile.ts';
import { protocolVersion } from '../../../protocols/membership/packets.ts';
import { Self } from '../../../protocols/membership/self.ts';
import { lagStepMs, Swim, type MembershipInput } from '../../../protocols/membership/swim.ts';
import type { Credentials, GossipKeys } from '../../../protocols/membership/views/view.ts';
import type { Clock, Random } from '../../../protocols/ports.ts';
import type { DatagramLink, ReceivedDatagram } from '../../../transport/datagram-link.ts';
import { HostActors } from './actors.ts';
import { HostCalls } from './calls.ts';
import type { FromHost, LifeStart, ToHost } from '../messages.ts';
import { trafficOf } from './traffic.ts';
import { Unread } from './unread.ts';
import { tickMs, Vigil } from './vigil.ts';
import { Views } from './views.ts';

/** What a life stands on. */
export interface HostTools {
  readonly clock: Clock;
  readonly random: Random;
  readonly notary: RenewableNotary;
  openLink(boot: number, receive: (datagram: ReceivedDatagram) => void): Promise<DatagramLink>;
  rotate(link: DatagramLink, keys: GossipKeys): void;
  /** Every frame of the subtree's kernel. */
  readonly onFrame?: (frame: Frame) => void;
}

export interface RenewableNotary extends Notary {
  renew(credentials: Credentials): void;
}

type Effect = MembershipEffect;
type Input = {
  readonly input: MembershipInput;
  readonly then: ((effects: readonly Effect[]) => void) | undefined;
};

/** A call that took longer would tell of a time that is over. */
const exchangeTimeoutMs = 10_000;
/** Rounds of gossip between saying that one is away and being gone. */
const awayRounds = 2;

export class MembershipHost {
  readonly #tools: HostTools;
  readonly #start: LifeStart;
  readonly #out: (message: FromHost) => void;
  readonly #self: Self;
  readonly #swim: Swim;
  readonly #views: Views;
  readonly #actors: HostActors;
  readonly #calls: HostCalls;
  readonly #vigil = new Vigil();
  readonly #unread = new Unread();
  #link: DatagramLink | undefined;
  #deadline: unknown;
  /** When it fires. */
  #wakesAt: number | undefined;
  #lookedAt = 0;
  #silent = false;
  #stalled = false;
  #closed = false;
  /** The core takes one input at a time; what comes meanwhile waits. */
  readonly #inputs: Input[] = [];
  #stepping = false;
  #words: Self['statement'] | undefined;
  #gone: (() => void) | undefined;

  /** Throws HM-MEMBERSHIP-TIMES. */
  constructor(
    start: LifeStart,
    tools: HostTools,
    out: (message: FromHost) => void,
    ended: (why: string) => void,
  ) {
    const { self, boot, seeds, times, told } = start;
    const { clock, random, notary } = tools;
    this.#tools = tools;
    this.#start = start;
    this.#out = out;
    const { id, name, address, zone } = self;
    const versions = [protocolVersion, protocolVersion] as const;
    this.#self = new Self(id, boot, { name, address, zone, condition: 'ready', versions }, notary);
    this.#swim = new Swim({ times: checkTimes(times), random, notary, self: this.#self, seeds });
    this.#views = new Views(clock, this.#self, this.#swim);
    this.#calls = new HostCalls(clock, out);
    const ask = (member: NodeId, timeoutMs: number) => this.#ask(member, timeoutMs);
    this.#actors = new HostActors({
      start,
      told,
      clock,
      random,
      views: this.#views,
      swim: this.#swim,
      ask,
      out,
      ended,
      onFrame: tools.onFrame,
    });
  }

  /** Rejects with HM-CLUSTER-LISTEN. */
  async open(): Promise<void> {
    this.#link = await this.#tools.openLink(this.#start.boot, ({ id, address, bytes }) => {
      if (!this.#silent) this.#input({ kind: 'received', from: { id, address }, packet: bytes });
    });
    this.#actors.start();
    this.#lookedAt = this.#tools.clock.monotonicMs();
    this.#out({ kind: 'opened' });
    this.#input({ kind: 'start' });
  }

  receive(message: ToHost): void {
    if (this.#closed) return;
    switch (message.kind) {
      case 'tick':
        return this.#ticked();
      case 'stream-heard':
        for (const { id, rttMs } of message.heard) {
          this.#views.heardOnStream(id, rttMs);
          this.#input({ kind: 'stream-heard', id });
        }
        return;
      case 'asked':
        return this.#asked(message);
      case 'heard-of':
        return this.#heardOf(message);
      case 'called':
        return this.#calls.answered(message);
      case 'tell-digest':
      case 'describe':
        return this.#input(message);
      case 'away':
        return this.#away(message);
      case 'leave':
        return this.#leave(message.request);
      case 'rotate':
        return this.#tools.rotate(this.#link!, message.keys);
      case 'renew':
        this.#tools.notary.renew(message.credentials);
        // The same words under the new credential.
        return this.#input({ kind: 'describe', profile: {} });
      case 'look':
        return this.#answer(message.request, [this.#views.own(), ...this.#views.all()]);
      case 'count':
        return this.#answer(message.request, trafficOf(this.#swim, this.#link?.counts));
      case 'inspect':
        return this.#answer(message.request, this.#actors.inspect(message.question));
      case 'follow':
        return this.#actors.follow(message.on);
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const { clock } = this.#tools;
    clock.clearTimer(this.#deadline);
    this.#calls.close();
    this.#actors.close();
    await this.#link?.close();
  }

  #input(input: MembershipInput, then?: Input['then']): void {
    this.#inputs.push({ input, then });
    if (this.#stepping) return;
    this.#stepping = true;
    try {
      for (let next = this.#inputs.shift(); next; next = this.#inputs.shift()) this.#step(next);
    } finally {
      this.#stepping = false;
    }
    this.#arm();
  }

  /** The core's deadlines, of which there is one in each of a probe's intervals, are when the main thread is looked at too. */
  #nextWake(): number {
    return Math.min(this.#swim.nextDeadline() ?? Number.POSITIVE_INFINITY, this.#lookedAt + 2 * tickMs);
  }

  readonly #due = (): void => {
    const now = this.#tools.clock.monotonicMs();
    const lateMs = now - (this.#wakesAt ?? now);
    this.#wakesAt = undefined;
    this.#look(now);
    if (this.#link && this.#unread.look(this.#link.counts, now)) this.#out({ kind: 'unread' });
    this.#input(lateMs >= lagStepMs ? { kind: 'lagged', ms: lateMs } : { kind: 'tick' });
  };

  /** Silent, it neither hears nor says nor judges: time in which it did nothing counts for nobody afterwards. */
  #step({ input, then }: Input): void {
    if (this.#closed || this.#silent) return then?.([]);
    const effects = this.#swim.step(input, this.#tools.clock.monotonicMs());
    for (const effect of settled(effects)) this.#perform(effect);
    if (this.#words !== this.#self.statement) {
      this.#words = this.#self.statement;
      this.#out({ kind: 'viewed', view: this.#views.own() });
    }
    then?.(effects);
  }

  #arm(): void {
    const { clock } = this.#tools;
    const next = this.#closed || this.#silent ? undefined : this.#nextWake();
    if (next === this.#wakesAt) return;
    this.#wakesAt = next;
    clock.clearTimer(this.#deadline);
    if (next === undefined) return;
    this.#deadline = clock.setTimer(Math.max(0, next - clock.monotonicMs()), this.#due);
  }

  #perform(effect: Effect): void {
    switch (effect.kind) {
      case 'send':
        return this.#link!.send(effect.to, effect.packet);
      case 'exchange':
        return this.#exchange(effect);
      case 'ask-stream':
        return this.#actors.askWanted(effect.id);
      case 'changed': {
        const view = this.#views.of(effect.member);
        if (view) this.#actors.heard(view);
        return;
      }
      case 'digest': {
        const { digest, from } = effect;
        return this.#out({ kind: 'digest', heard: { digest, from: from.id, address: from.address } });
      }
      case 'doubled':
        return this.#out({ kind: 'doubled', boot: effect.boot });
      case 'gone':
        return this.#gone?.();
      // The one is for who asked, the other was answered by the core.
      case 'answer':
      case 'refuted':
        return;
    }
  }

  #exchange({ to, id, exchange, body }: Extract<Effect, { kind: 'exchange' }>): void {
    const peer = { address: to, ...(id === undefined ? {} : { id }) };
    void this.#calls.call('membership.exchange', peer, body, exchangeTimeoutMs).then(
      (answer) => {
        this.#actors.exchanged(to, answer.id);
        this.#input({ kind: 'answered', exchange, from: { id: answer.id, address: to }, body: answer.body });
      },
      (thrown: unknown) => this.#actors.exchangeFailed(to, thrown),
    );
  }

  /** Whether it is there, over a stream. */
  async #ask(member: NodeId, timeoutMs: number): Promise<number> {
    const address: MemberAddress | undefined = this.#views.addressOf(member);
    if (!address) throw coded('HM-PEER-UNREACHABLE', `no address is known of ${member}`);
    const furthest = this.#link?.furthestOf(member);
    const heard = furthest ? [furthest.boot, furthest.counter] : [];
    const { rttMs } = await this.#calls.call('membership.ask', { id: member, address }, heard, timeoutMs);
    this.#input({ kind: 'stream-heard', id: member });
    return rttMs;
  }

  /**
   * Datagrams of this boot came further than this life has sent any: the journal forgot a life, and the clock was set back.
   * What it sends is taken for replays, and so it for dead, until it speaks in a life that nobody has heard of. Later boots
   * are known by their signed words; a number alone might be made up.
   */
  #heardOf({ from, boot, counter }: Extract<ToHost, { kind: 'heard-of' }>): void {
    const own = this.#link!.furthestOf(this.#self.id)!;
    if (boot === own.boot && counter > own.counter) this.#out({ kind: 'outrun', boot, from });
  }

  #asked({ request, from, body }: Extract<ToHost, { kind: 'asked' }>): void {
    if (this.#silent) return this.#refuse(request, 'this node is stalled and says nothing');
    const address = this.#views.addressOf(from) ?? { host: '', port: 0 };
    this.#input({ kind: 'asked', from: { id: from, address }, body }, (effects) => {
      const answer = effects.find((effect) => effect.kind === 'answer');
      if (answer) this.#answer(request, answer.body);
      else this.#refuse(request, 'the request of an exchange is not in form');
    });
  }

  #answer(request: number, value: unknown): void {
    this.#out({ kind: 'answer', request, value });
  }

  #refuse(request: number, why: string): void {
    this.#out({ kind: 'answer', request, error: coded('HM-PEER-MESSAGE', why).reason });
  }

  #away({ request, ms }: Extract<ToHost, { kind: 'away' }>): void {
    this.#input({ kind: 'describe', profile: { condition: 'away', awayMs: ms } });
    if (this.#actors.living === 0) return this.#answer(request, {});
    const saidMs = awayRounds * this.#start.times.gossipMs;
    this.#tools.clock.setTimer(saidMs, () => this.#answer(request, {}));
  }

  #leave(request: number): void {
    this.#gone = () => this.#answer(request, {});
    this.#input({ kind: 'leave' });
  }

  /** A main thread that does not turn is everybody's business. */
  #look(now: number): void {
    const sinceMs = now - this.#lookedAt;
    if (sinceMs < tickMs / 2) return;
    this.#lookedAt = now;
    const main = this.#vigil.look(sinceMs);
    if (main !== 'turning' && !this.#stalled) this.#say('stalled');
    this.#silent = main === 'silent';
  }

  #ticked(): void {
    this.#vigil.tick();
    if (this.#silent) {
      this.#silent = false;
      this.#lookedAt = this.#tools.clock.monotonicMs();
      this.#arm();
    }
    if (this.#stalled) this.#say('ready');
  }

  #say(condition: 'stalled' | 'ready'): void {
    this.#stalled = condition === 'stalled';
    this.#input({ kind: 'describe', profile: { condition, awayMs: 0 } });
  }
}

/** What an exchange says of one member comes claim by claim: that it lived, and then that it died. What it is in the end is news. */
function settled(effects: readonly Effect[]): readonly Effect[] {
  let changes = 0;
  for (const { kind } of effects) if (kind === 'changed') changes += 1;
  if (changes < 2) return effects;
  const last = new Map<NodeId, Effect>();
  for (const effect of effects) if (effect.kind === 'changed') last.set(effect.member.id, effect);
  return effects.filter((effect) => effect.kind !== 'changed' || last.get(effect.member.id) === effect);
}
