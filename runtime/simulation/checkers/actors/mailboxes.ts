/** S4: mailboxes keep their bound, and every message dropped for it is counted and seen. */
import type { Frame, KernelCounters } from '../../../../protocols/inspection.ts';
import { limits } from '../../../../protocols/limits.ts';
import { Checker } from '../checker.ts';

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

  override onTick({ overflowed, fullest }: KernelCounters): void {
    if (fullest > limits.mailboxMessages) this.fail(`a mailbox held ${fullest} messages`);
    if (overflowed !== this.#seenDrops)
      this.fail(`${overflowed} messages were dropped and ${this.#seenDrops} drops were told`);
  }
}
