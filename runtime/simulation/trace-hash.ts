/**
 * One number for everything that happened: two runs with equal hashes took the same steps in the same order. Made
 * while frames pass, from names and numbers only, so that it costs little.
 */
import type { Effect } from '../../protocols/effects.ts';
import type { Frame } from '../../protocols/inspection.ts';

/** Its frames carry no name: runs of one node have the traces they always had. */
const firstNode = 'n1';

export class TraceHash {
  #low = 0x811c9dc5;
  #high = 0x01000193;
  #frames = 0;

  get frames(): number {
    return this.#frames;
  }

  add(text: string): void {
    let low = this.#low;
    let high = this.#high;
    for (let at = 0; at < text.length; at += 1) {
      const code = text.charCodeAt(at);
      low = Math.imul(low ^ code, 0x01000193);
      high = Math.imul(high + code, 0x85ebca6b) ^ (high >>> 15);
    }
    this.#low = low;
    this.#high = high;
  }

  addFrame(frame: Frame): void {
    this.#frames += 1;
    if (frame.node !== firstNode) this.add(`${frame.node}|`);
    this.add(`${frame.at}|${frame.boot}.${frame.seq}|${frame.path}#${frame.incarnation}|${frame.type}|`);
    this.add(detail(frame));
  }

  /** 16 hexadecimal digits. */
  digest(): string {
    const hex = (lane: number) => (lane >>> 0).toString(16).padStart(8, '0');
    return hex(this.#high) + hex(this.#low);
  }
}

function detail(frame: Frame): string {
  switch (frame.type) {
    case 'actor.started':
      return frame.phase + effectsText(frame.effects);
    case 'actor.transitioned':
      return `${frame.fromPhase}>${frame.toPhase}|${frame.cause}|${frame.sender ?? ''}${effectsText(frame.effects)}`;
    case 'actor.crashed':
      return `${frame.cause}|${frame.error.message}`;
    case 'supervisor.decided':
      return `${frame.child}|${frame.decision}|${frame.delayMs}`;
    case 'actor.stopped':
      return frame.exit.kind;
    case 'message.dead':
      return `${frame.to}|${frame.message}|${frame.why}`;
    case 'frames.gap':
      return String(frame.dropped);
  }
}

function effectsText(effects: readonly Effect[]): string {
  let text = '';
  for (const effect of effects) {
    if (effect.do === 'send') text += `|send ${effect.to} ${effect.event.type}`;
    else if (effect.do === 'drive') text += `|${effect.call.port}.${effect.call.op} ${effect.id}`;
    else if (effect.do === 'schedule') text += `|${effect.event.type} ${effect.delayMs}`;
    else text += `|${effect.do}`;
  }
  return text;
}
