/**
 * The door between one life of a simulated node and the world: every call of a port goes through it. It is where a
 * life can be ended exactly between two calls, where a defect can be planted, and where calls are counted. After
 * `shut`, no call goes out and no answer, notice or event comes in.
 */
import { coded } from '../../../protocols/errors.ts';
import type { Call, Ports, Stop } from '../../../protocols/ports.ts';

/** `store.txn`, with its argument. */
export interface PortCall {
  readonly port: keyof Ports;
  readonly op: string;
  readonly args: unknown;
}

type Method = (args: unknown, second: unknown) => unknown;

export class Gate {
  #shut = false;
  #calls = 0;
  readonly #streams = new Set<Stop>();
  readonly #arrive: (run: () => void) => void;
  /** Told before each call goes out; may shut the gate, or throw what the port shall throw. */
  onCall: (call: PortCall, nth: number) => void = () => {};
  /** Told what each call was answered. */
  onAnswer: (call: PortCall, outcome: { readonly value: unknown } | { readonly error: unknown }) => void =
    () => {};

  /** Told what each watch is asked for; then what it brings. */
  onWatch: (call: PortCall) => (notice: unknown) => void = () => () => {};

  /** `arrive`: runs on the thread behind the gate, when that is free. */
  constructor(arrive: (run: () => void) => void = (run) => run()) {
    this.#arrive = arrive;
  }

  get isShut(): boolean {
    return this.#shut;
  }

  get calls(): number {
    return this.#calls;
  }

  /** Watches and event streams that are open. */
  get streams(): number {
    return this.#streams.size;
  }

  shut(): void {
    this.#shut = true;
    for (const stop of this.#streams) stop();
    this.#streams.clear();
  }

  /** The same ports, each behind this gate. */
  guard(ports: Ports): Ports {
    const guarded: Record<string, unknown> = {};
    for (const [port, inner] of Object.entries(ports)) {
      const made = new Map<string, { readonly of: unknown; readonly guarded: unknown }>();
      guarded[port] = new Proxy(inner as object, {
        get: (target, op) => {
          const method = (target as Record<string | symbol, unknown>)[op];
          if (typeof method !== 'function' || typeof op !== 'string') return method;
          const known = made.get(op);
          if (known?.of === method) return known.guarded;
          const own = this.#guardOne(port as keyof Ports, op, (method as Method).bind(target));
          made.set(op, { of: method, guarded: own });
          return own;
        },
      });
    }
    return guarded as unknown as Ports;
  }

  #guardOne(port: keyof Ports, op: string, method: Method): unknown {
    if (op === 'watch') {
      return (args: unknown, notify: Told) => {
        const seen = this.onWatch({ port, op, args });
        const told = (notice: unknown) => {
          seen(notice);
          notify(notice);
        };
        return this.#stream((heard) => method(args, heard), told);
      };
    }
    if (op === 'events') return (notify: Told) => this.#stream((told) => method(told, undefined), notify);
    return (args: unknown, call: Call) => this.#call({ port, op, args }, () => method(args, call));
  }

  #call(call: PortCall, invoke: () => unknown): Promise<unknown> {
    if (this.#shut) return new Promise(() => {});
    this.onCall(call, ++this.#calls);
    if (this.#shut) return new Promise(() => {});
    const answer = Promise.resolve(invoke() as Promise<unknown>);
    return new Promise((resolve, reject) => {
      answer.then(
        (value) =>
          this.#arrive(() => {
            if (this.#shut) return;
            this.onAnswer(call, { value });
            resolve(value);
          }),
        (error: unknown) =>
          this.#arrive(() => {
            if (this.#shut) return;
            this.onAnswer(call, { error });
            reject(error instanceof Error ? error : coded('HM-INTERNAL', String(error)));
          }),
      );
    });
  }

  #stream(open: (told: Told) => unknown, notify: Told): Stop {
    if (this.#shut) return () => {};
    let listening = true;
    const inner = open((notice) =>
      this.#arrive(() => {
        if (listening && !this.#shut) notify(notice);
      }),
    ) as Stop;
    const stop = () => {
      listening = false;
      this.#streams.delete(stop);
      inner();
    };
    this.#streams.add(stop);
    return stop;
  }
}

type Told = (notice: unknown) => void;
