/**
 * Many observed values without kernels, clocks or bytes: their steps alone, their effects carried out in any order that a
 * property likes, lost and late as it likes. What took a promise elsewhere is at hand here.
 */
import type { Effect } from '../../../protocols/effects.ts';
import { reason } from '../../../protocols/errors.ts';
import { hashValue } from '../../../protocols/hash.ts';
import type { MemberView } from '../../../protocols/membership/views/view.ts';
import { faultOf } from '../../../protocols/observed/read.ts';
import { answerSteps } from '../../../protocols/observed/steps/answers.ts';
import { ownSteps } from '../../../protocols/observed/steps/own.ts';
import { peerSteps } from '../../../protocols/observed/steps/peers.ts';
import { freshObserved, type ObservedValue } from '../../../protocols/observed/steps/value.ts';
import type { Records } from '../../../protocols/observed/model.ts';
import type { DriveCall } from '../../../protocols/ports.ts';
import { decodePlain, encodePlain } from '../../../protocols/wire/codec.ts';
import { statusOf } from '../../kit/cluster/observed-town.ts';

export interface Replica {
  readonly index: number;
  boot: number;
  up: boolean;
  value: ObservedValue;
  /** It waits for a signature, and asks for no other meanwhile. */
  isSigning?: boolean;
}

interface Event {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** Something under way; dropped, it is a loss. */
interface Waiting {
  readonly to: number;
  readonly boot: number;
  /** The far end, where there is one: what is cut does not arrive. */
  readonly from?: number;
  readonly run: () => void;
  readonly lost: () => void;
}

const steps: Readonly<
  Record<string, (value: ObservedValue, event: never) => readonly [ObservedValue, readonly Effect[]]>
> = {
  'observed.changed': ownSteps.note,
  'records.sealed': ownSteps.sealed,
  'boot.raised': ownSteps.raised,
  'members.listed': peerSteps.met,
  'digest.heard': peerSteps.told,
  'peers.compared': peerSteps.compared,
  'peers.uncompared': peerSteps.uncompared,
  'records.pulled': peerSteps.pulled,
  'records.unpulled': peerSteps.unpulled,
  'records.judged': peerSteps.judged,
  'records.unjudged': peerSteps.unjudged,
  'pull.due': peerSteps.retry,
  'compare.due': peerSteps.compare,
  seal: ownSteps.seal,
};

export const idOf = (index: number): string => `id${index}`;

export class Replicas {
  readonly all: Replica[] = [];
  waiting: Waiting[] = [];
  now = 1_000;
  readonly #cut = new Set<string>();

  constructor(count: number) {
    for (let index = 0; index < count; index++)
      this.all.push({ index, boot: 1, up: true, value: this.#fresh(index, 1) });
    for (const { index } of this.all) this.meet(index);
  }

  #fresh(index: number, boot: number): ObservedValue {
    const words = { role: 'server', version: '1', startedAt: 0 } as const;
    return freshObserved({ id: idOf(index), node: `n${index}`, boot, words });
  }

  /** All are alive as far as membership knows: what is down or cut off does not answer. */
  meet(index: number): void {
    const members = this.all.map(
      (other) =>
        ({
          id: idOf(other.index),
          name: `n${other.index}`,
          self: other.index === index,
          address: { host: String(other.index), port: 1 },
          status: 'alive',
          condition: 'ready',
          since: 0,
        }) as unknown as MemberView,
    );
    this.tell(index, { type: 'members.listed', value: { members } });
  }

  tell(index: number, event: Event): void {
    const replica = this.all[index]!;
    if (!replica.up || (event.type === 'seal' && replica.isSigning)) return;
    const step = steps[event.type]!;
    const [value, effects] = step(replica.value, { ...event, at: this.now } as never);
    replica.value = value;
    for (const effect of effects) this.#perform(replica, effect);
  }

  /** One slot of a node says something; its signature is asked for at once. */
  change(index: number, number: number, run: number): void {
    const slot = `app${index}/web.${number}`;
    const readiness = run % 2 === 0 ? 'unready' : 'ready';
    const phase = run === 4 ? 'stopping' : 'running';
    const slots = run > 0 ? [statusOf(index, slot, { run, readiness, phase })] : [];
    this.tell(index, { type: 'observed.changed', slots, gone: run > 0 ? [] : [slot] });
    this.tell(index, { type: 'seal' });
  }

  /** `remembered`: as a daemon with its journal; else it counts its boot again. */
  restart(index: number, remembered: boolean): void {
    const replica = this.all[index]!;
    const { slots } = replica.value;
    replica.boot += 1;
    replica.value = this.#fresh(index, remembered ? replica.value.boot + 1 : replica.value.boot);
    replica.up = true;
    replica.isSigning = false;
    this.meet(index);
    this.tell(index, { type: 'observed.changed', slots: Object.values(slots), gone: [], whole: true });
    this.tell(index, { type: 'seal' });
  }

  cut(a: number, b: number): void {
    this.#cut.add(`${a} ${b}`).add(`${b} ${a}`);
  }

  mend(): void {
    this.#cut.clear();
  }

  /** Lets one waiting thing happen, or be lost. */
  step(which: number, lose: boolean): void {
    const at = which % Math.max(1, this.waiting.length);
    const [one] = this.waiting.splice(at, 1);
    if (!one) return;
    this.now += 1;
    const replica = this.all[one.to]!;
    if (!replica.up || replica.boot !== one.boot) return;
    const isCut =
      one.from !== undefined && (this.#cut.has(`${one.from} ${one.to}`) || !this.all[one.from]!.up);
    if (lose || isCut) one.lost();
    else one.run();
  }

  /** Nothing is lost any more: all that waits happens, and everybody compares with the others in turn. */
  settle(rounds: number): void {
    for (let round = 0; round < rounds; round++) {
      for (const { index } of this.all) {
        this.meet(index);
        this.tell(index, { type: 'compare.due' });
        this.tell(index, { type: 'seal' });
      }
      for (let left = 20_000; this.waiting.length > 0 && left > 0; left--) this.step(0, false);
    }
  }

  /** What a node has of each. */
  view(index: number): Record<string, unknown> {
    const { held } = this.all[index]!.value;
    return Object.fromEntries(
      Object.entries(held).map(([id, { boot, sequence, hash, records }]) => [
        id,
        { boot, sequence, hash, records },
      ]),
    );
  }

  #perform(replica: Replica, effect: Effect): void {
    const { index, boot } = replica;
    if (effect.do === 'schedule')
      this.#wait({
        to: index,
        boot,
        run: () => this.tell(index, effect.event),
        lost: () => this.tell(index, effect.event),
      });
    if (effect.do !== 'drive') return;
    const { id, call, done, failed } = effect;
    const value = (answer: unknown) => this.tell(index, { type: done, id, value: answer });
    const refuse = () => this.tell(index, { type: failed, id, error: reason('HM-PEER-TIMEOUT') });
    if (call.port === 'peers') return this.#overWire(replica, call, value, refuse);
    if (call.port !== 'seals') return;
    if (call.op === 'seal') {
      const run = () => {
        replica.isSigning = false;
        value(sealed(index, call.args));
      };
      replica.isSigning = true;
      return this.#wait({ to: index, boot, run, lost: run });
    }
    const opened = open(call.args);
    if (opened) value(opened);
    else this.tell(index, { type: failed, id, error: reason('HM-RECORDS-FORGED') });
  }

  #overWire(
    { index, boot }: Replica,
    call: Extract<DriveCall, { port: 'peers' }>,
    value: (answer: unknown) => void,
    lost: () => void,
  ): void {
    if (call.op === 'tell') {
      const { digest } = call.args;
      for (const other of this.all) {
        if (other.index === index) continue;
        const from = { from: idOf(index), address: { host: String(index), port: 1 } };
        const run = () => this.tell(other.index, { type: 'digest.heard', digest, ...from });
        this.#wait({ to: other.index, from: index, boot: other.boot, run, lost: () => {} });
      }
      return;
    }
    if (call.op !== 'ask') return;
    const { to, type, body } = call.args;
    const target = this.all[Number(to.address.host)]!;
    const run = () => {
      if (!target.up) return lost();
      const answering = type === 'records.pull' ? answerSteps.give : answerSteps.say;
      const [, [reply]] = answering(target.value, { body, replyTo: 'x' });
      // As bytes, so that what is told apart afterwards was told apart on the way.
      const answer = reply?.do === 'reply' ? decodePlain(encodePlain(reply.value, 1e7), 1e7) : undefined;
      this.#wait({ to: index, from: target.index, boot, run: () => value(answer), lost });
    };
    this.#wait({ to: index, from: target.index, boot, run, lost });
  }

  #wait(one: Waiting): void {
    this.waiting.push(one);
  }
}

const bytes = new TextEncoder();
const text = new TextDecoder();

function sealed(
  index: number,
  { boot, sequence, records }: { boot: number; sequence: number; records: Records },
) {
  const hash = hashValue(records).repeat(2);
  const head = { id: idOf(index), name: `n${index}`, boot, sequence, hash, at: 1 };
  return { head: bytes.encode(JSON.stringify(head)), hash, at: 1 };
}

function open({ head, records }: { head: Uint8Array; records: Records }): unknown {
  const signed = JSON.parse(text.decode(head)) as { hash: string; name: string };
  const good =
    signed.hash === hashValue(records).repeat(2) && faultOf(records, signed.name, {}) === undefined;
  return good ? signed : undefined;
}
