/**
 * How the one connection to a peer comes about: dialled when it is wanted, with growing pauses after failures, or made by
 * the peer. What is said over it is its owner's (`channel.ts`).
 *
 * Both ends may dial at once. Who sees the other's greeting while its own attempt is under way lets the attempt of the
 * smaller id be the one. A greeting that was overtaken by another connection is known by the number of its attempt.
 */
import { reason, reasonOf, type Reason } from '../../protocols/errors.ts';
import { limits } from '../../protocols/limits.ts';
import type { MemberAddress, NodeId } from '../../protocols/membership/model.ts';
import type { Clock, Random } from '../../protocols/ports.ts';
import type { Bye, Hello } from '../../protocols/wire/frames.ts';
import type { StreamConnection, StreamLink } from '../stream-link.ts';
import { Session, type Self, type SessionOwner, type SpokenFrame } from './session.ts';

export interface ConnectorOptions {
  /** The peer's. */
  readonly id: NodeId;
  readonly self: Self & { readonly id: NodeId };
  readonly link: StreamLink;
  readonly clock: Clock;
  readonly random: Random;
}

export interface ConnectorOwner {
  /** Whether there is anything to connect for. */
  readonly wants: boolean;
  opened(session: Session): void;
  /** The connection is over; `wants` was true or false. */
  lost(session: Session, because: Reason): void;
  /** An attempt came to nothing. */
  failed(because: Reason): void;
  spoken(frame: SpokenFrame): void;
  unreadable(): void;
  drained(): void;
}

/** An attempt of this end: first the link dials, then the other end is greeted. */
interface Dialling {
  readonly controller: AbortController;
  readonly timer: unknown;
  session: Session | undefined;
}

const duplicate: Omit<Bye, 'kind'> = {
  why: 'duplicate',
  because: reason('HM-PEER-UNREACHABLE', 'Another connection between the two is the one.'),
};

export class Connector implements SessionOwner {
  readonly #options: ConnectorOptions;
  readonly #owner: ConnectorOwner;
  address: MemberAddress | undefined = undefined;
  /** The connection, once both ends have greeted. */
  session: Session | undefined = undefined;
  /** When the present session opened, or the last one was lost. */
  sinceMs: number;
  #dialling: Dialling | undefined = undefined;
  /** Made by the peer, which has not presented itself yet: one at a time. */
  #arriving: Session | undefined = undefined;
  #retry: unknown = undefined;
  #retryAtMs = 0;
  #failures = 0;
  #dials = 0;
  /** The peer's latest attempt that is over, in its life. */
  #settled = { life: '', dial: 0 };
  #closed = false;

  constructor(options: ConnectorOptions, owner: ConnectorOwner) {
    this.#options = options;
    this.#owner = owner;
    this.sinceMs = options.clock.monotonicMs();
  }

  /** One may come about soon. */
  get meeting(): boolean {
    return this.#dialling !== undefined || this.#arriving !== undefined;
  }

  /** There is something to say. */
  want(): void {
    if (this.session || this.#dialling || this.#retry !== undefined || this.#closed) return;
    const { clock } = this.#options;
    const waitMs = this.#retryAtMs - clock.monotonicMs();
    if (waitMs <= 0) return this.#dial();
    this.#retry = clock.setTimer(waitMs, () => {
      this.#retry = undefined;
      if (this.#owner.wants) this.want();
    });
  }

  /** A connection that the peer made. */
  accept(connection: StreamConnection): void {
    const { clock, self } = this.#options;
    this.#arriving?.end(duplicate);
    this.#arriving = new Session(connection, this, { clock, self });
  }

  /** A connection that this end made before it knew to whom. */
  adopt(connection: StreamConnection): void {
    if (this.session || this.#dialling || this.#closed) return connection.close(duplicate.because);
    const dialling = this.#attempt();
    this.#greet(dialling, connection);
  }

  close(because: Reason): void {
    this.#closed = true;
    this.#options.clock.clearTimer(this.#retry);
    this.#abandon(because);
    this.#arriving?.end({ why: 'closing', because });
    this.session?.end({ why: 'closing', because });
  }

  greeted(_: Session, { life, dial }: Hello): number | Omit<Bye, 'kind'> {
    const { self, id } = this.#options;
    const overtaken = life === this.#settled.life && dial <= this.#settled.dial;
    if (overtaken || this.#closed || (this.#dialling !== undefined && self.id < id)) return duplicate;
    this.#settled = { life, dial };
    this.#abandon(duplicate.because);
    const anew = reason('HM-PEER-UNREACHABLE', 'The node connected anew.');
    this.session?.end({ why: 'duplicate', because: anew });
    return this.#dials;
  }

  opened(session: Session, settled: { readonly life: string; readonly dial: number }): void {
    const { clock } = this.#options;
    if (session.dialled) {
      this.#settled = { life: settled.life, dial: settled.dial };
      clock.clearTimer(this.#dialling?.timer);
      this.#dialling = undefined;
    }
    if (session === this.#arriving) this.#arriving = undefined;
    clock.clearTimer(this.#retry);
    this.#retry = undefined;
    this.session = session;
    this.sinceMs = clock.monotonicMs();
    this.#owner.opened(session);
  }

  spoken(frame: SpokenFrame): void {
    this.#owner.spoken(frame);
  }

  unreadable(): void {
    this.#owner.unreadable();
  }

  drained(): void {
    this.#owner.drained();
  }

  ended(session: Session, { why, because }: Omit<Bye, 'kind'>): void {
    if (session === this.session) return this.#lost(session, because);
    if (session === this.#arriving) this.#arriving = undefined;
    const dialling = this.#dialling;
    if (dialling === undefined || session !== dialling.session) return;
    if (why !== 'duplicate') return this.#failed(dialling, because);
    // The peer's own attempt is the one, or was: what waits here waits for it a little.
    this.#abandon(because);
    this.#later();
    if (this.#owner.wants) this.want();
  }

  #dial(): void {
    const { link, id } = this.#options;
    if (this.address === undefined) return;
    const dialling = this.#attempt();
    link.dial({ id, address: this.address }, dialling.controller.signal).then(
      (connection) => {
        if (this.#dialling === dialling) this.#greet(dialling, connection);
        else connection.close(duplicate.because);
      },
      (thrown: unknown) => this.#failed(dialling, reasonOf(thrown)),
    );
  }

  #attempt(): Dialling {
    const overdue = (): void => {
      const text = `There was no connection within ${limits.peerConnectMs / 1_000} s.`;
      this.#failed(dialling, reason('HM-PEER-UNREACHABLE', text));
    };
    const dialling: Dialling = {
      controller: new AbortController(),
      timer: this.#options.clock.setTimer(limits.peerConnectMs, overdue),
      session: undefined,
    };
    this.#dialling = dialling;
    this.#dials += 1;
    return dialling;
  }

  #greet(dialling: Dialling, connection: StreamConnection): void {
    const { clock, self } = this.#options;
    dialling.session = new Session(connection, this, { clock, self, dial: this.#dials });
  }

  #failed(dialling: Dialling, because: Reason): void {
    if (this.#dialling !== dialling) return;
    this.#abandon(because);
    this.#later();
    this.#owner.failed(because);
    if (this.#owner.wants) this.want();
  }

  #lost(session: Session, because: Reason): void {
    const nowMs = this.#options.clock.monotonicMs();
    // Who takes connections and lets go of them at once is not asked again at once.
    if (nowMs - this.sinceMs >= limits.peerBackoffMaxMs) this.#failures = 0;
    this.session = undefined;
    this.sinceMs = nowMs;
    this.#later();
    this.#owner.lost(session, because);
    if (this.#owner.wants) this.want();
  }

  #abandon(because: Reason): void {
    const dialling = this.#dialling;
    if (dialling === undefined) return;
    this.#dialling = undefined;
    this.#options.clock.clearTimer(dialling.timer);
    dialling.controller.abort();
    dialling.session?.end({ why: 'duplicate', because });
  }

  /** Not before a pause that grows with each failure. */
  #later(): void {
    const { clock, random } = this.#options;
    const grown = Math.min(limits.peerBackoffMs * 2 ** this.#failures, limits.peerBackoffMaxMs);
    this.#failures = Math.min(this.#failures + 1, 16);
    this.#retryAtMs = clock.monotonicMs() + grown * (0.5 + random.next());
  }
}
