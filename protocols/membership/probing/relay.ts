/**
 * Asks for others: a member that could not reach a third asks this node to try, and hears whether it answered.
 */
import type { Desk } from '../desk.ts';
import type { MemberAddress, NodeId } from '../model.ts';
import { nackAfterMs } from '../profile.ts';

interface Errand {
  readonly origin: MemberAddress;
  readonly originId: NodeId;
  readonly sequence: number;
  readonly target: NodeId;
}

/** Errands of others at work at once: of a cluster of hundreds, half of which is dead, a fair share. */
const mostErrands = 256;

const errandKey = (sequence: number): string => `errand ${sequence}`;

export class Relay {
  readonly #desk: Desk;
  readonly #errands = new Map<number, Errand>();
  readonly #nextSequence: () => number;

  constructor(desk: Desk, nextSequence: () => number) {
    this.#desk = desk;
    this.#nextSequence = nextSequence;
  }

  ask(errand: Errand, target: MemberAddress, remainingMs: number): void {
    if (this.#errands.size >= mostErrands) return;
    const sequence = this.#nextSequence();
    this.#errands.set(sequence, errand);
    // Early enough for the word to arrive before the probe ends: otherwise every crash would look like our fault.
    this.#desk.deadlines.set(errandKey(sequence), this.#desk.now + nackAfterMs(remainingMs));
    this.#desk.send(target, { kind: 'ping', sequence, target: errand.target }, errand.target);
  }

  /** `false` when the answer is not one to an errand. */
  answered(sequence: number, from: NodeId): boolean {
    const errand = this.#errands.get(sequence);
    if (!errand || errand.target !== from) return errand !== undefined;
    this.#end(sequence);
    this.#desk.send(errand.origin, { kind: 'ack', sequence: errand.sequence }, errand.originId);
    return true;
  }

  due(key: string): boolean {
    const [kind, text] = key.split(' ');
    if (kind !== 'errand') return false;
    const sequence = Number(text);
    const { origin, originId, sequence: theirs } = this.#errands.get(sequence)!;
    this.#end(sequence);
    this.#desk.send(origin, { kind: 'nack', sequence: theirs }, originId);
    return true;
  }

  #end(sequence: number): void {
    this.#errands.delete(sequence);
    this.#desk.deadlines.delete(errandKey(sequence));
  }
}
