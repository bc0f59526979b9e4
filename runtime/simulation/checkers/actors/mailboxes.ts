/** S4: mailboxes keep their bound, and every message dropped for it is counted and seen. */
import type { ActorView, Frame, KernelCounters } from '../../../../protocols/inspection.ts';
import { limits } from '../../../../protocols/limits.ts';
import { Checker } from '../checker.ts';

/** The lane of exits and timers is not bounded with the others; no actor of one node has more of them. */
const systemMessages = 128;

export class Mailboxes extends Checker {
  readonly name = 'S4';
  #seenDrops = 0;

  override onBoot(): void {
    this.#seenDrops = 0;
  }

  override onFrame(frame: Frame): void {
    if (frame.type !== 'message.dead' || frame.why !== 'overflow') return;
    this.#seenDrops += 1;
    this.exercised += 1;
  }

  override onTick(actors: () => readonly ActorView[], counters: () => KernelCounters): void {
    for (const actor of actors()) {
      if (actor.mailbox > limits.mailboxMessages + systemMessages)
        this.fail(`${actor.path} holds ${actor.mailbox} messages`);
    }
    const { overflowed } = counters();
    if (overflowed !== this.#seenDrops)
      this.fail(`${overflowed} messages were dropped and ${this.#seenDrops} drops were told`);
  }
}
