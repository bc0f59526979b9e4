/**
 * Is it there? Each interval one member is asked; when it does not answer, others ask for us and a stream is tried; when
 * nobody hears it by the end of the interval, it is suspected — unless it spoke on a stream meanwhile, which proves that
 * it lives and that only datagrams fail. Probes overlap, so that a dead member does not keep others from being asked.
 */
import type { Desk } from '../desk.ts';
import { accuse, chargesAgainst, doubtPrefix } from '../judge.ts';
import type { Entry } from '../members.ts';
import { isLiving, type Member, type NodeId } from '../model.ts';
import { chooseRelays } from './relays.ts';
import { ProbeRing } from './ring.ts';

interface Probe {
  readonly id: NodeId;
  /** Of its deadlines. */
  readonly keys: readonly [direct: string, end: string];
  readonly startedAt: number;
  readonly endsAt: number;
  /** Relays that were asked, less those that said they heard nothing either. */
  silentRelays: number;
  relayed: boolean;
}

/** Probes at work at once: with the worst local health an interval takes eight times as long. */
const mostProbes = 8;

/** Suspects asked themselves in one interval: where half of a large cluster is cut off, all of it is suspected at once. */
const mostAsked = 16;

/** Members that probe a suspect out of turn, for each confirmation that is wanted: some of them miss. */
const verifiers = 3;

export const probeDue = 'probe';

export class Prober {
  readonly #desk: Desk;
  readonly #ring: ProbeRing;
  readonly #probes = new Map<number, Probe>();
  readonly #nextSequence: () => number;
  /** Suspects that were asked in the present interval, and when the next one begins. */
  #asked = 0;
  #askedUntil = 0;

  constructor(desk: Desk, nextSequence: () => number) {
    this.#desk = desk;
    this.#ring = new ProbeRing(desk.random);
    this.#nextSequence = nextSequence;
  }

  /** A member that may be probed from now on. One that others suspect is probed out of turn by some: a true suspicion is soon confirmed. */
  follow({ id, status, suspectedBy }: Member): void {
    if (isLiving({ status })) this.#ring.add(id);
    if (status !== 'suspected' || suspectedBy.includes(this.#desk.self.id)) return;
    const entry = this.#desk.members.get(id);
    if (entry?.suspicion === undefined || !isProbed(entry, this.#desk.now) || this.#isBusy(id)) return;
    const share = (verifiers * entry.suspicion.confirmations) / this.#desk.members.living;
    if (this.#probes.size < mostProbes && this.#desk.random.next() < share) this.#begin(entry);
  }

  #isBusy(id: NodeId): boolean {
    for (const probe of this.#probes.values()) if (probe.id === id) return true;
    return false;
  }

  /** Asks the next one. */
  probe(): void {
    const { deadlines, now, times, health, members } = this.#desk;
    deadlines.set(probeDue, now + times.probeMs);
    if (this.#probes.size >= Math.min(mostProbes, health.factor + 1)) return;
    const id = this.#ring.next(
      (one) => !this.#isBusy(one) && isHeld(members.get(one)),
      (one) => !isLivingId(members.get(one)),
    );
    const entry = id === undefined ? undefined : members.get(id);
    if (isProbed(entry, now)) this.#begin(entry);
    else if (entry) this.#knock(entry);
  }

  /** Who is away may be back and know nobody, as a first server that began anew: then it hears of us. */
  #knock({ id, statement }: Entry): void {
    const ping = { kind: 'ping', sequence: this.#nextSequence(), target: id } as const;
    this.#desk.send(statement!.profile.address, ping, id);
  }

  #begin(entry: Entry): void {
    const { deadlines, now, times, health, counts } = this.#desk;
    const sequence = this.#nextSequence();
    const endsAt = now + times.probeMs * health.factor;
    const keys = [`direct ${sequence}`, `end ${sequence}`] as const;
    const { id } = entry;
    this.#probes.set(sequence, { id, keys, startedAt: now, endsAt, silentRelays: 0, relayed: false });
    deadlines.set(keys[0], now + times.directMs);
    deadlines.set(keys[1], endsAt);
    counts.probes += 1;
    const { address } = entry.statement!.profile;
    this.#desk.send(address, { kind: 'ping', sequence, target: id }, id, chargesAgainst(this.#desk, entry));
  }

  /** Does it know what is said of it? A word to a suspect itself, again and again: it answers with its own. */
  ask(id: NodeId): void {
    const desk = this.#desk;
    const entry = desk.members.get(id);
    if (entry?.status !== 'suspected') return;
    desk.deadlines.set(doubtPrefix + id, desk.now + desk.times.probeMs);
    if (!isProbed(entry, desk.now) || !this.#mayAsk()) return;
    const ping = { kind: 'ping', sequence: this.#nextSequence(), target: id } as const;
    desk.send(entry.statement!.profile.address, ping, id, chargesAgainst(desk, entry));
  }

  #mayAsk(): boolean {
    const { now, times } = this.#desk;
    if (now >= this.#askedUntil) {
      this.#askedUntil = now + times.probeMs;
      this.#asked = 0;
    }
    this.#asked += 1;
    return this.#asked <= mostAsked;
  }

  /** No direct answer yet: others are asked, and a stream. */
  #askOthers(sequence: number): void {
    const probe = this.#probes.get(sequence);
    const entry = probe && this.#desk.members.get(probe.id);
    if (!probe || !entry?.statement) return;
    const { address } = entry.statement.profile;
    probe.relayed = true;
    const { members, random, self, times } = this.#desk;
    const candidates = [...members.all()]
      .filter((one) => one.status === 'alive' && one.id !== probe.id && isProbed(one, this.#desk.now))
      .map(({ id, statement }) => ({ id, zone: statement!.profile.zone }));
    for (const id of chooseRelays(random, candidates, self.statement.profile.zone, times.relays)) {
      probe.silentRelays += 1;
      const remainingMs = Math.max(1, Math.round(probe.endsAt - this.#desk.now));
      const request = { kind: 'ping-request', sequence, target: probe.id, address, remainingMs } as const;
      this.#desk.send(members.get(id)!.statement!.profile.address, request, id);
    }
    this.#desk.effect({ kind: 'ask-stream', to: address, id: probe.id });
  }

  /** An answer to a probe of this node: from the member itself, or from a relay that heard it. `false` when it is not ours. */
  answered(sequence: number, from: NodeId): boolean {
    const probe = this.#probes.get(sequence);
    if (!probe) return false;
    this.#end(sequence);
    const planes = this.#desk.members.get(probe.id)?.planes;
    if (planes) {
      delete planes.datagramFailingSince;
      planes.datagramAt = this.#desk.now;
      if (from === probe.id) delete planes.datagramIndirectSince;
      else planes.datagramIndirectSince ??= probe.startedAt;
      if (from === probe.id && !probe.relayed) planes.roundTripMs = this.#desk.now - probe.startedAt;
    }
    this.#desk.health.note(-1);
    return true;
  }

  /** A relay is well, but the target did not answer it. */
  denied(sequence: number): void {
    const probe = this.#probes.get(sequence);
    if (probe && probe.silentRelays > 0) probe.silentRelays -= 1;
  }

  /** `false` when the deadline is not one of a probe. */
  due(key: string): boolean {
    const [kind, sequence] = key.split(' ');
    if (kind === 'direct') this.#askOthers(Number(sequence));
    else if (kind === 'end') this.#failed(Number(sequence));
    else return false;
    return true;
  }

  #failed(sequence: number): void {
    const probe = this.#probes.get(sequence)!;
    this.#end(sequence);
    const { members, health, counts } = this.#desk;
    const entry = members.get(probe.id);
    if (!entry || !isLiving(entry)) return;
    entry.planes.datagramFailingSince ??= probe.startedAt;
    if ((entry.planes.streamAt ?? -1) >= probe.startedAt) return;
    counts.failedProbes += 1;
    // Relays that are silent too make it likelier that this node hears badly.
    health.note(probe.silentRelays);
    if (isProbed(entry, this.#desk.now)) accuse(this.#desk, entry, 'suspected');
  }

  #end(sequence: number): void {
    const { keys } = this.#probes.get(sequence)!;
    this.#probes.delete(sequence);
    for (const key of keys) this.#desk.deadlines.delete(key);
  }
}

/** Alive or suspected, with a known address. */
const isHeld = (entry: Entry | undefined): entry is Entry =>
  entry?.statement !== undefined && isLiving(entry);

/** … and not announced to be away. */
const isProbed = (entry: Entry | undefined, now: number): entry is Entry =>
  isHeld(entry) && entry.awayUntil <= now;

const isLivingId = (entry: Entry | undefined): boolean => entry !== undefined && isLiving(entry);
