/**
 * One connection in use: it begins with a greeting, is kept alive by heartbeats, and ends once. What the frames between
 * mean is its owner's (`channel.ts`).
 */
import { clockReason } from '../../protocols/cluster/clocks.ts';
import { coded, reason, type Reason } from '../../protocols/errors.ts';
import { limits } from '../../protocols/limits.ts';
import type { Clock } from '../../protocols/ports.ts';
import type { Caller } from '../../protocols/wire/calls.ts';
import {
  commonVersion,
  decodeFrame,
  encodeFrame,
  type Bye,
  type Frame,
  type Hello,
  type Versions,
  type Welcome,
} from '../../protocols/wire/frames.ts';
import { streamFrameBytes, streamWaitingBytes, type StreamConnection } from '../stream-link.ts';

/** A frame that is neither greeting nor heartbeat nor farewell. */
export type SpokenFrame = Exclude<Frame, Hello | Welcome | Bye | { kind: 'ping' | 'pong' }>;

/** This end, as it presents itself. */
export interface Self {
  readonly versions: Versions;
  readonly boot: number;
  /** Drawn anew in each life of the process: what was counted in another one does not count in this. */
  readonly life: string;
}

export interface SessionOwner {
  /** The other end dialled and presents itself: the number of this end's latest dial, or why it is sent away. */
  greeted(session: Session, hello: Hello): number | Omit<Bye, 'kind'>;
  opened(session: Session, welcome: { readonly life: string; readonly dial: number }): void;
  spoken(frame: SpokenFrame): void;
  /** Bytes came that are no frame, or not in their turn. */
  unreadable(): void;
  /** It may send on. */
  drained(): void;
  ended(session: Session, bye: Omit<Bye, 'kind'>): void;
}

/** The end that was dialled waits so much longer: the other's question shows it what its own would. */
const patienceMs = limits.peerHeartbeatMs / 2;
/** How far away the other is, and what it has read, is not known anew as long as others' frames keep heartbeats away. */
const measuredMs = 10 * limits.peerQuietMs;

export class Session {
  readonly connection: StreamConnection;
  /** Undefined until the greeting is over. */
  peer: Caller | undefined = undefined;
  readonly dialled: boolean;
  rttMs: number | undefined = undefined;
  /** What was sent until then has been read at the other end: it answered a later heartbeat. Monotonic. */
  readUntilMs = -Infinity;
  /** Frames that came, heartbeats too. */
  heard = 0;
  readonly #clock: Clock;
  readonly #self: Self;
  readonly #owner: SessionOwner;
  #ended = false;
  #paused = false;
  #timer: unknown;
  #heardMs: number;
  /** Heartbeats since anything came. */
  #unanswered = 0;
  /** The newest heartbeat, and when it was asked. */
  #asked = 0;
  #askedMs = 0;

  /** `dial`: the number of the attempt, when this end dialled. */
  constructor(
    connection: StreamConnection,
    owner: SessionOwner,
    { clock, self, dial }: { clock: Clock; self: Self; dial?: number },
  ) {
    this.connection = connection;
    this.dialled = dial !== undefined;
    this.#clock = clock;
    this.#self = self;
    this.#owner = owner;
    this.#heardMs = clock.monotonicMs();
    this.#timer = clock.setTimer(limits.peerConnectMs, () =>
      this.end({ why: 'refused', because: reason('HM-PEER-TIMEOUT', 'The node did not present itself.') }),
    );
    connection.hear({
      frame: (bytes) => this.#heard(bytes),
      drained: () => {
        if (!this.#ended) this.#owner.drained();
      },
      ended: (because) => this.#over({ why: 'closing', because }),
    });
    if (dial !== undefined) {
      const { versions, boot, life } = self;
      this.#askedMs = this.#heardMs;
      this.#write({ kind: 'hello', versions, boot, life, dial, now: wallTime(clock) });
    }
  }

  get roomy(): boolean {
    return this.connection.waiting < streamWaitingBytes;
  }

  send(frame: Uint8Array): void {
    if (!this.#ended) this.connection.send(frame);
  }

  /** Whether the other end's frames are taken. */
  listen(taken: boolean): void {
    if (this.#paused === !taken || this.#ended) return;
    this.#paused = !taken;
    if (taken) {
      this.#noted();
      this.connection.resume();
    } else this.connection.pause();
    if (this.peer !== undefined) this.#beatLater();
  }

  /** Something speaks against the other end: where nothing came of late it is asked now whether it is there. */
  doubt(): void {
    if (this.#ended || this.peer === undefined || this.#paused || this.#unanswered > 0) return;
    this.#beatAt(this.#heardMs + limits.peerHeartbeatMs, limits.peerHeartbeatMs);
  }

  /** The other end is told why, and the owner hears of it. */
  end(bye: Omit<Bye, 'kind'>): void {
    if (this.#ended) return;
    this.#write({ kind: 'bye', ...bye });
    this.connection.close(bye.because);
    this.#over(bye);
  }

  #over(bye: Omit<Bye, 'kind'>): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#clock.clearTimer(this.#timer);
    this.#owner.ended(this, bye);
  }

  #write(frame: Frame): void {
    this.connection.send(encodeFrame(frame));
  }

  #heard(bytes: Uint8Array): void {
    if (this.#ended) return;
    this.#noted();
    this.heard += 1;
    const frame = decodeFrame(bytes, streamFrameBytes);
    if (frame === undefined) return this.#unreadable();
    if (this.peer === undefined) this.#greeting(frame);
    else this.#spoken(frame);
  }

  #unreadable(): void {
    this.#owner.unreadable();
    this.end({ why: 'refused', because: reason('HM-PEER-MESSAGE', 'Bytes came that are no message.') });
  }

  #greeting(frame: Frame): void {
    if (frame.kind === 'bye') {
      this.connection.close(frame.because);
      return this.#over(frame);
    }
    if (frame.kind !== (this.dialled ? 'welcome' : 'hello')) return this.#unreadable();
    const who = this.connection.peer.name;
    const clocks = clockReason({ own: this.#clock.now(), theirs: frame.now, who });
    if (clocks !== undefined) return this.#end(clocks);
    if (frame.kind === 'hello') return this.#welcome(frame);
    if (frame.kind === 'welcome') {
      if (commonVersion(this.#self.versions, [frame.version, frame.version]) === undefined)
        return this.#end(versionsApart(this.#self.versions, [frame.version, frame.version]));
      return this.#open(frame);
    }
  }

  #welcome(hello: Hello): void {
    const { versions, boot, life } = this.#self;
    const version = commonVersion(versions, hello.versions);
    if (version === undefined) return this.#end(versionsApart(versions, hello.versions));
    const dial = this.#owner.greeted(this, hello);
    if (typeof dial !== 'number') return this.end(dial);
    this.#write({ kind: 'welcome', version, boot, life, dial, now: wallTime(this.#clock) });
    this.#open(hello);
  }

  #end(because: Reason): void {
    this.end({ why: 'refused', because });
  }

  #open({ boot, life, dial }: Hello | Welcome): void {
    this.#clock.clearTimer(this.#timer);
    this.peer = { ...this.connection.peer, boot };
    // The greeting has shown the end that dialled how far away the other is; the other one asks once.
    if (this.dialled) {
      this.rttMs = this.#heardMs - this.#askedMs;
      this.#beatLater();
    } else this.#beatAt(this.#heardMs + limits.peerHeartbeatMs, limits.peerHeartbeatMs);
    this.#owner.opened(this, { life, dial });
  }

  #spoken(frame: Frame): void {
    switch (frame.kind) {
      case 'ping':
        // Who asks again and again without reading the answers gets none.
        if (!this.roomy) return;
        return this.#write({ kind: 'pong', count: frame.count });
      case 'pong':
        if (frame.count !== this.#asked) return;
        this.readUntilMs = this.#askedMs;
        this.rttMs = this.#clock.monotonicMs() - this.#askedMs;
        return;
      case 'bye':
        this.connection.close(frame.because);
        return this.#over(frame);
      case 'hello':
      case 'welcome':
        return this.#unreadable();
      default:
        this.#owner.spoken(frame);
    }
  }

  #noted(): void {
    this.#heardMs = this.#clock.monotonicMs();
    this.#unanswered = 0;
  }

  /** Who waits for an answer asks again and again; who does not listen would not answer, and so speaks itself. */
  #beatLater(): void {
    if (this.#paused || this.#unanswered > 0)
      return this.#beatAt(this.#clock.monotonicMs() + limits.peerHeartbeatMs, limits.peerHeartbeatMs);
    const quietMs = limits.peerQuietMs + (this.dialled ? 0 : patienceMs);
    this.#beatAt(this.#heardMs + quietMs, quietMs);
  }

  #beatAt(atMs: number, quietMs: number): void {
    const nowMs = this.#clock.monotonicMs();
    const dueMs = Math.max(atMs, nowMs);
    this.#clock.clearTimer(this.#timer);
    this.#timer = this.#clock.setTimer(dueMs - nowMs, () => this.#beat(dueMs, quietMs));
  }

  /** Asks when nothing came for `quietMs`. A cluster is mostly idle, and what shows that it is there is most of what it sends. */
  #beat(dueMs: number, quietMs: number): void {
    const nowMs = this.#clock.monotonicMs();
    // Who stood still itself, or does not listen, has heard nothing either.
    if (this.#paused || nowMs - dueMs > limits.peerHeartbeatMs) this.#noted();
    if (this.#unanswered * limits.peerHeartbeatMs >= limits.peerSilenceMs) {
      const text = `The node said nothing for ${limits.peerSilenceMs / 1_000} s.`;
      return this.#end(reason('HM-PEER-UNREACHABLE', text, { silenceMs: limits.peerSilenceMs }));
    }
    const isQuiet = this.#heardMs + quietMs <= dueMs;
    const isMeasured = this.rttMs !== undefined && nowMs - this.#askedMs < measuredMs;
    if (this.#paused || isQuiet || !isMeasured) {
      this.#asked += 1;
      this.#askedMs = nowMs;
      this.#unanswered += 1;
      this.#write({ kind: 'ping', count: this.#asked });
    }
    this.#beatLater();
  }
}

function versionsApart(ours: Versions, theirs: Versions): Reason {
  const text = `One speaks the versions ${ours.join(' to ')}, the other ${theirs.join(' to ')}.`;
  return coded('HM-PEER-VERSION', text).reason;
}

function wallTime(clock: Clock): number {
  return Math.max(0, Math.round(clock.now()));
}
