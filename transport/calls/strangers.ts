/** Nodes of which only an address is known, as of a seed: who answers there is asked, once for all who want to know. */
import { coded } from '../../protocols/errors.ts';
import { limits } from '../../protocols/limits.ts';
import type { MemberAddress, NodeId } from '../../protocols/membership/model.ts';
import type { Clock } from '../../protocols/ports.ts';
import type { CallOptions } from '../../protocols/wire/calls.ts';
import type { StreamConnection, StreamLink } from '../stream-link.ts';

export interface StrangersOwner {
  /** Who is connected at that address already. */
  known(address: MemberAddress): NodeId | undefined;
  /** Throws when it is nobody to speak to. */
  met(connection: StreamConnection, address: MemberAddress): void;
}

interface Attempt {
  readonly controller: AbortController;
  readonly id: Promise<NodeId>;
}

export class Strangers {
  readonly #link: StreamLink;
  readonly #clock: Clock;
  readonly #owner: StrangersOwner;
  readonly #attempts = new Map<string, Attempt>();

  constructor({ link, clock }: { readonly link: StreamLink; readonly clock: Clock }, owner: StrangersOwner) {
    this.#link = link;
    this.#clock = clock;
    this.#owner = owner;
  }

  /** Rejects as `StreamLink.dial`, or with HM-PEER-TIMEOUT when it takes longer than the caller waits. */
  identify(address: MemberAddress, { timeoutMs, signal }: CallOptions): Promise<NodeId> {
    const known = this.#owner.known(address);
    if (known !== undefined) return Promise.resolve(known);
    const where = `${address.host} ${address.port}`;
    const { id } = this.#attempts.get(where) ?? this.#attempt(where, address);
    return new Promise((resolve, reject) => {
      const over = (): void => {
        this.#clock.clearTimer(timer);
        signal?.removeEventListener('abort', late);
      };
      const late = (): void => {
        over();
        reject(coded('HM-PEER-TIMEOUT', `Nobody answered at ${where} in time.`));
      };
      const timer = timeoutMs === Infinity ? undefined : this.#clock.setTimer(timeoutMs, late);
      signal?.addEventListener('abort', late, { once: true });
      id.then(resolve, reject).finally(over);
    });
  }

  close(): void {
    for (const { controller } of this.#attempts.values()) controller.abort();
  }

  #attempt(where: string, address: MemberAddress): Attempt {
    const controller = new AbortController();
    const timer = this.#clock.setTimer(limits.peerConnectMs, () => controller.abort());
    const dial = async (): Promise<NodeId> => {
      try {
        const connection = await this.#link.dial({ id: '', address }, controller.signal);
        this.#owner.met(connection, address);
        return connection.peer.id;
      } finally {
        this.#clock.clearTimer(timer);
        this.#attempts.delete(where);
      }
    };
    const attempt = { controller, id: dial() };
    this.#attempts.set(where, attempt);
    return attempt;
  }
}
