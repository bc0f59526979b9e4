/**
 * One number for everything that happened: two runs with equal hashes took the same steps in the same order. Made
 * while frames pass, from names and numbers only and without a text of its own, so that it costs little.
 */
import type { Effect } from '../../protocols/effects.ts';
import type { Frame } from '../../protocols/inspection.ts';

export class TraceHash {
  #low = 0x811c9dc5;
  #high = 0x01000193;
  #frames = 0;

  get frames(): number {
    return this.#frames;
  }

  /** Where it ends counts: `ab` and `c` are not `a` and `bc`. */
  add(text: string): void {
    let low = this.#low;
    let high = this.#high;
    for (let at = 0; at < text.length; at += 1) {
      const code = text.charCodeAt(at);
      low = Math.imul(low ^ code, 0x01000193);
      high = Math.imul(high + code, 0x85ebca6b) ^ (high >>> 15);
    }
    this.#low = Math.imul(low ^ text.length, 0x01000193);
    this.#high = Math.imul(high + 0x9e3779b9, 0x85ebca6b) ^ (high >>> 15);
  }

  /** Any number, by its halves. */
  #number(value: number): void {
    const below = value | 0;
    const above = Math.floor(value / 0x1_0000_0000) | 0;
    const part = Math.round((value - Math.floor(value)) * 0x1000_0000) | 0;
    this.#low = Math.imul(Math.imul(this.#low ^ below, 0x01000193) ^ above ^ part, 0x01000193);
    this.#high = Math.imul(Math.imul(this.#high + below, 0x85ebca6b) + above + part, 0xc2b2ae35);
    this.#high ^= this.#high >>> 15;
  }

  addFrame(frame: Frame): void {
    this.#frames += 1;
    this.add(frame.node);
    this.#number(frame.at);
    this.#number(frame.boot);
    this.#number(frame.seq);
    this.add(frame.path);
    this.#number(frame.incarnation);
    this.add(frame.type);
    this.#detail(frame);
  }

  #detail(frame: Frame): void {
    switch (frame.type) {
      case 'actor.started':
        this.add(frame.phase);
        return this.#effects(frame.effects);
      case 'actor.transitioned':
        this.add(frame.fromPhase);
        this.add(frame.toPhase);
        this.add(frame.cause);
        this.add(frame.sender ?? '');
        return this.#effects(frame.effects);
      case 'actor.crashed':
        this.add(frame.cause);
        return this.add(frame.error.message);
      case 'supervisor.decided':
        this.add(frame.child);
        this.add(frame.decision);
        return this.#number(frame.delayMs);
      case 'actor.stopped':
        return this.add(frame.exit.kind);
      case 'message.dead':
        this.add(frame.to);
        this.add(frame.message);
        return this.add(frame.why);
      case 'frames.gap':
        return this.#number(frame.dropped);
    }
  }

  #effects(effects: readonly Effect[]): void {
    for (const effect of effects) {
      this.add(effect.do);
      if (effect.do === 'send') {
        this.add(effect.to);
        this.add(effect.event.type);
      } else if (effect.do === 'drive') {
        this.add(effect.call.port);
        this.add(effect.call.op);
        this.add(effect.id);
      } else if (effect.do === 'schedule') {
        this.add(effect.event.type);
        this.#number(effect.delayMs);
      }
    }
  }

  /** 16 hexadecimal digits. */
  digest(): string {
    const hex = (lane: number) => (lane >>> 0).toString(16).padStart(8, '0');
    return hex(this.#high) + hex(this.#low);
  }
}
