/**
 * The actors of the subtree and what they may reach: a kernel of their own, whose one port is the core beside it. Changes
 * go to them, what they tell goes to the node's event log; what was told is kept, so that no later life tells it again.
 */
import type { NodeEvent } from '../../../protocols/effects.ts';
import { reasonOf } from '../../../protocols/errors.ts';
import type { Frame } from '../../../protocols/inspection.ts';
import { memberChild } from '../../../protocols/membership/actors/joiner.ts';
import { toldBy } from '../../../protocols/membership/actors/telling.ts';
import { isLiving, type MemberAddress, type NodeId } from '../../../protocols/membership/model.ts';
import type { Swim } from '../../../protocols/membership/swim.ts';
import type { Standing } from '../../../protocols/membership/views/news.ts';
import type { Roster } from '../../../protocols/membership/views/port.ts';
import type { MemberView } from '../../../protocols/membership/views/view.ts';
import type { Clock, Random, Stop } from '../../../protocols/ports.ts';
import { childPath } from '../../../protocols/wire/address.ts';
import { paths } from '../../../protocols/wire/paths.ts';
import { membershipTree } from '../../../supervisors/trees/membership.tree.ts';
import { createKernel, type Kernel } from '../../kernel/kernel.ts';
import { transcriptLine } from '../../kernel/transcript.ts';
import { membershipMachines } from './machines.ts';
import type { FromHost, Inspection, LifeStart } from '../messages.ts';
import type { Views } from './views.ts';

export interface HostActorsOptions {
  readonly start: LifeStart;
  readonly told: Readonly<Record<NodeId, Standing>>;
  readonly clock: Clock;
  readonly random: Random;
  readonly views: Views;
  readonly swim: Swim;
  /** Over a stream: answers the round trip, ms. */
  ask(id: NodeId, timeoutMs: number): Promise<number>;
  out(message: FromHost): void;
  /** The tree gave up. */
  ended(why: string): void;
  readonly onFrame: ((frame: Frame) => void) | undefined;
}

/** Members that are gone and keep an actor: identities that come and go for years must not fill the memory. */
export const mostGone = 1_000;

/**
 * By the core's probes: in `lan` one member over streams a minute, because each may be a connection that nobody else has a
 * use for; and as long as the longest of the core's for an answer.
 */
const roundsOfProbes = 120;
const probesOfAnswer = 8;

export class HostActors {
  readonly #options: HostActorsOptions;
  readonly #kernel: Kernel;
  readonly #told: Map<NodeId, Standing>;
  readonly #known = new Map<NodeId, MemberView>();
  #living = 0;
  #unfollow: Stop | undefined;

  constructor(options: HostActorsOptions) {
    this.#options = options;
    const { start, told, clock, random, onFrame, ended } = options;
    this.#told = new Map(Object.entries(told));
    this.#kernel = createKernel({
      node: start.self.name,
      boot: start.boot,
      clock,
      random,
      ports: { roster: this.#roster() },
      machines: membershipMachines,
      emit: (event) => this.#emit(event),
      ...(onFrame ? { onFrame } : {}),
    });
    void this.#kernel.exited.then((exit) => {
      if (exit.kind === 'error') ended(exit.message);
    });
  }

  start(): void {
    const { self, seeds, times } = this.#options.start;
    const probing = { everyMs: roundsOfProbes * times.probeMs, timeoutMs: probesOfAnswer * times.probeMs };
    this.#kernel.start(membershipTree({ node: self.name, seeds, probing }));
  }

  /** A member has a new standing, or new words. */
  heard(view: MemberView): void {
    const before = this.#known.get(view.id);
    this.#known.set(view.id, view);
    this.#options.out({ kind: 'viewed', view });
    if (before)
      this.#kernel.send(childPath(paths.members, memberChild(view)), { type: 'member.heard', view });
    else this.#kernel.send(paths.joiner, { type: 'member.met', member: { id: view.id, name: view.name } });
    const living = this.#living + Number(isLiving(view)) - Number(before !== undefined && isLiving(before));
    const turned = (living === 0) !== (this.#living === 0);
    this.#living = living;
    if (turned) this.#kernel.send(paths.joiner, { type: 'members.counted', living });
    if (this.#known.size - living > mostGone) this.#forget();
  }

  /** The longest gone; when it speaks again it is met anew. */
  #forget(): void {
    let oldest: MemberView | undefined;
    for (const view of this.#known.values())
      if (!isLiving(view) && (!oldest || view.since < oldest.since)) oldest = view;
    if (!oldest) return;
    this.#known.delete(oldest.id);
    this.#told.delete(oldest.id);
    this.#options.views.streams.delete(oldest.id);
    this.#kernel.send(paths.members, { type: 'child.stop', id: memberChild(oldest) });
    this.#options.out({ kind: 'forgotten', id: oldest.id });
  }

  /** Alive or suspected. */
  get living(): number {
    return this.#living;
  }

  askWanted(member: NodeId): void {
    this.#kernel.send(paths.prober, { type: 'ask.wanted', member });
  }

  exchanged(address: MemberAddress, id: NodeId): void {
    this.#kernel.send(paths.joiner, { type: 'exchange.answered', address, id });
  }

  exchangeFailed(address: MemberAddress, thrown: unknown): void {
    this.#kernel.send(paths.joiner, { type: 'exchange.failed', address, error: reasonOf(thrown) });
  }

  inspect(question: Inspection): unknown {
    const { directory } = this.#kernel;
    switch (question.of) {
      case 'tree':
        return directory.tree();
      case 'actor':
        return directory.show(question.path);
      case 'transcript':
        return directory.transcript(question);
    }
  }

  /** While somebody wants it, every step as a line. */
  follow(on: boolean): void {
    this.#unfollow?.();
    this.#unfollow = on
      ? this.#kernel.directory.watch((frame) => {
          const { seq, at, path } = frame;
          this.#options.out({ kind: 'line', line: { seq, at, path, text: transcriptLine(frame) } });
        })
      : undefined;
  }

  close(): void {
    this.#unfollow?.();
    this.#kernel.halt();
  }

  #emit(event: NodeEvent): void {
    const told = toldBy(event);
    if (told) this.#told.set(told.id, told.standing);
    this.#options.out({ kind: 'event', event });
  }

  #roster(): Roster {
    const { views, swim, clock, ask } = this.#options;
    return {
      list: async () => ({
        members: views.all().map(({ id, name, address, status }) => {
          const streamTriedAt = views.streams.get(id)?.triedAt ?? 0;
          return { id, name, address, status, streamTriedAt };
        }),
      }),
      recall: async ({ id }) => {
        const member = swim.member(id);
        const view = member && views.of(member);
        const told = this.#told.get(id);
        return { ...(view ? { view } : {}), ...(told ? { told } : {}) };
      },
      ask: async ({ id }) => {
        const { probeMs } = this.#options.start.times;
        const triedAt = clock.now();
        const before = views.streams.get(id);
        views.streams.set(id, { ...before, triedAt });
        try {
          const rttMs = await ask(id, probesOfAnswer * probeMs);
          views.streams.set(id, { triedAt, rttMs });
          return { rttMs };
        } catch (thrown) {
          views.streams.set(id, { ...before, triedAt, failingSince: before?.failingSince ?? triedAt });
          throw thrown;
        }
      },
    };
  }
}
