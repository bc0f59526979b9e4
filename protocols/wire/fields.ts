/** Reading plain values from anywhere. */
import type { Message } from '../effects.ts';

const visible = /^[\x21-\x7e]*$/;

/** Reads an array of values from anywhere, one after the other, remembering whether all were as they should be. */
export class Fields {
  readonly #values: readonly unknown[];
  #at = 0;
  #bad = false;

  private constructor(values: readonly unknown[] | undefined) {
    this.#values = values ?? [];
    this.#bad = values === undefined;
  }

  static of(value: unknown): Fields {
    return new Fields(Array.isArray(value) ? (value as readonly unknown[]) : undefined);
  }

  /** Whether every value was read, and each was good. */
  good(): boolean {
    return !this.#bad && this.#at === this.#values.length;
  }

  /** Whether every value was read. */
  ended(): boolean {
    return this.#at >= this.#values.length;
  }

  /** A whole number from 0 to `greatest`; 0 when it is none. */
  natural(greatest: number = 2 ** 32 - 1): number {
    const value = this.#next();
    if (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= greatest)
      return value as number;
    return this.#refuse(0);
  }

  flag(): boolean {
    const value = this.#next();
    return typeof value === 'boolean' ? value : this.#refuse(false);
  }

  text(longest: number, shortest = 1): string {
    const value = this.#next();
    if (typeof value === 'string' && value.length >= shortest && value.length <= longest) return value;
    return this.#refuse('');
  }

  /** A name for programs: letters, digits and signs of one byte each, nothing that a terminal would obey. */
  word(longest: number, shortest = 1): string {
    const text = this.text(longest, shortest);
    return visible.test(text) ? text : this.#refuse('');
  }

  /** A byte string of `longest` bytes at most, and of exactly as many when `shortest` is not given. */
  bytes(longest: number, shortest = longest): Uint8Array {
    const value = this.#next();
    if (value instanceof Uint8Array && value.length >= shortest && value.length <= longest) return value;
    return this.#refuse(new Uint8Array(0));
  }

  /** One of a list, by its place there. */
  one<Item>(list: readonly Item[]): Item {
    return list[this.natural(list.length - 1)]!;
  }

  /** An array of `longest` values at most. */
  list(longest: number): readonly unknown[] {
    const value = this.#next();
    return Array.isArray(value) && value.length <= longest ? (value as readonly unknown[]) : this.#refuse([]);
  }

  /** A message between actors: plain fields, and a type of at most 128 characters. */
  message(): Message {
    const value = this.#next();
    if (typeof value === 'object' && value !== null && !Array.isArray(value) && 'type' in value) {
      const { type } = value;
      if (typeof type === 'string' && type !== '' && type.length <= 128) return value as Message;
    }
    return this.#refuse({ type: '' });
  }

  /** Whether something is left. */
  more(): boolean {
    return this.#at < this.#values.length;
  }

  /** All that is left. */
  rest(): readonly unknown[] {
    const left = this.#values.slice(this.#at);
    this.#at = this.#values.length;
    return left;
  }

  #next(): unknown {
    return this.#values[this.#at++];
  }

  #refuse<Value>(instead: Value): Value {
    this.#bad = true;
    return instead;
  }
}
