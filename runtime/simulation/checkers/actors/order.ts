/** S3: messages from one sender arrive in order, and at most once. Sends are seen in the sender's frames, arrivals in the receiver's. */
import type { Effect } from '../../../../protocols/effects.ts';
import type { Frame } from '../../../../protocols/inspection.ts';
import { Checker } from '../checker.ts';

export class MessageOrder extends Checker {
  readonly name = 'S3';
  /** Types sent and not arrived, by sender and receiver. */
  readonly #sent = new Map<string, string[]>();

  override onBoot(): void {
    this.#sent.clear();
  }

  override onFrame(frame: Frame): void {
    if (frame.type === 'actor.transitioned') {
      // What comes from other nodes was sent where it is not seen.
      if (frame.sender?.startsWith(`hive://${frame.node}/`))
        this.#arrived(frame.sender, frame.path, frame.cause);
      this.#note(frame, frame.effects);
    } else if (frame.type === 'actor.started') this.#note(frame, frame.effects);
  }

  #note(frame: Frame, effects: readonly Effect[]): void {
    let from: string | undefined;
    for (const effect of effects) {
      if (effect.do !== 'send') continue;
      from ??= `hive://${frame.node}${frame.path}#${frame.boot}.${frame.incarnation}`;
      const key = `${from} ${pathOf(effect.to)}`;
      const waiting = this.#sent.get(key);
      if (waiting) waiting.push(effect.event.type);
      else this.#sent.set(key, [effect.event.type]);
    }
  }

  /** What was sent before it and has not arrived never will: it went to a mailbox that was full, or to an earlier life. */
  #arrived(from: string, to: string, type: string): void {
    const waiting = this.#sent.get(`${from} ${to}`) ?? [];
    const found = waiting.indexOf(type);
    if (found < 0) this.fail(`${type} from ${from} reached ${to} twice, or out of order`);
    waiting.splice(0, found + 1);
    this.exercised += 1;
  }
}

function pathOf(to: string): string {
  if (to.startsWith('/')) return to;
  return to.replace(/^hive:\/\/[^/]+/, '').replace(/#.*$/, '');
}
