/**
 * What this node answers and hears, by message type: the gate that every message of a peer passes. The catalogue says
 * who may send it and how large it may be; nothing of a body is decoded before.
 */
import { CodedError, coded, reason, type Reason } from '../../protocols/errors.ts';
import type { Stop } from '../../protocols/ports.ts';
import type { Caller, CallHandler, TypeCounts } from '../../protocols/wire/calls.ts';
import type { MessageType } from '../../protocols/wire/catalogue.ts';
import { CodecError, decodePlain, encodePlain } from '../../protocols/wire/codec.ts';

export type MessageTypes = Readonly<Record<string, MessageType>>;

export class Handlers {
  readonly #types: MessageTypes;
  readonly #handlers = new Map<string, CallHandler>();
  readonly #counts = new Map<string, TypeCounts>();

  constructor(types: MessageTypes) {
    this.#types = types;
  }

  /** The row of a type that may travel here. Throws an Error: the catalogue is our own. */
  row(type: string): MessageType {
    const row = this.#known(type);
    if (row === undefined) throw new Error(`the catalogue names no ${type} on streams`);
    return row;
  }

  counted(type: string): TypeCounts {
    const named = this.#known(type) === undefined ? 'other' : type;
    let counts = this.#counts.get(named);
    if (counts === undefined) this.#counts.set(named, (counts = noTypeCounts()));
    return counts;
  }

  traffic(): Readonly<Record<string, TypeCounts>> {
    return Object.fromEntries([...this.#counts].map(([type, counts]) => [type, { ...counts }]));
  }

  on(type: string, handler: CallHandler): Stop {
    this.row(type);
    if (this.#handlers.has(type)) throw new Error(`${type} has a handler already`);
    this.#handlers.set(type, handler);
    return () => {
      if (this.#handlers.get(type) === handler) this.#handlers.delete(type);
    };
  }

  /** The handler with its argument, ready to be called; throws a `CodedError` when the message is not let in. */
  admit(
    from: Caller,
    kind: 'request' | 'tell',
    { type, body }: { readonly type: string; readonly body: Uint8Array },
  ): (signal: AbortSignal) => unknown {
    const row = this.#known(type);
    if (row === undefined || (row.answerBytes !== undefined) !== (kind === 'request'))
      throw coded('HM-PEER-REFUSED', `${type} is no message of this version.`, { message: type });
    if (!row.from.includes(from.role))
      throw coded('HM-PEER-REFUSED', `No ${from.role} may send ${type}.`, { message: type, role: from.role });
    const handler = this.#handlers.get(type);
    if (handler === undefined)
      throw coded('HM-PEER-REFUSED', `This node does not take ${type}.`, { message: type });
    const value = decoded(type, body, row.bytes);
    return (signal) => handler(from, value, signal);
  }

  #known(type: string): MessageType | undefined {
    const row = Object.hasOwn(this.#types, type) ? this.#types[type] : undefined;
    return row?.plane === 'stream' ? row : undefined;
  }
}

function noTypeCounts(): TypeCounts {
  return {
    ...{ sent: 0, answered: 0, refused: 0, timedOut: 0, letGo: 0, failed: 0 },
    ...{ received: 0, given: 0, denied: 0, bytesSent: 0, bytesReceived: 0 },
  };
}

/** Throws HM-PEER-MESSAGE. */
export function encoded(type: string, body: unknown, bytes: number): Uint8Array {
  try {
    return encodePlain(body ?? null, bytes);
  } catch (thrown) {
    throw unfit(type, thrown);
  }
}

/** Throws HM-PEER-MESSAGE. */
export function decoded(type: string, body: Uint8Array, bytes: number): unknown {
  try {
    return decodePlain(body, bytes);
  } catch (thrown) {
    throw unfit(type, thrown);
  }
}

function unfit(type: string, thrown: unknown): Error {
  if (!(thrown instanceof CodecError)) return thrown as Error;
  return coded('HM-PEER-MESSAGE', `The body of ${type}: ${thrown.message}.`, { message: type });
}

/** What the caller may know of what a handler threw. */
export function toldOf(
  type: string,
  thrown: unknown,
): { readonly because: Reason; readonly defect: boolean } {
  if (thrown instanceof CodedError) return { because: thrown.reason, defect: false };
  return { because: reason('HM-INTERNAL', `The node failed at ${type}.`, { message: type }), defect: true };
}
