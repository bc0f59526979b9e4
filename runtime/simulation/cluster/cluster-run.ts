/** What a run of several nodes has beside them: their network, what befalls it, and the checkers of their membership. */
import type { SimulatedWorld } from '../../world/simulated/simulated-world.ts';
import { calm } from '../../../transport/memory/datagrams.ts';
import type { ObservedReport } from '../../../protocols/observed/report.ts';
import { worstFactor, type MembershipTimes } from '../../../protocols/membership/profile.ts';
import { paths } from '../../../protocols/wire/paths.ts';
import { memberCheckers, type MemberCheckers } from '../checkers/all.ts';
import type { ClusterChecker, ClusterSight } from '../checkers/checker.ts';

import { agreedWithinMs, deadWithinMs } from '../checkers/membership/verdicts.ts';
import type { NodeRun } from '../node/node-run.ts';
import type { ClusterFault, ClusterPlan } from '../plans/cluster-plan.ts';
import { ClusterFaults, isIn } from './cluster-faults.ts';
import { JoiningRun } from './joining/joining-run.ts';
import { beyond, lacking } from './views.ts';

/** So often every node is asked what it shows of all. */
const askMs = 5_000;

/** Who stood still for long asks for less at a time, and waits for answers up to eight times as long, until it is well. */
const unwellMs = ({ probeMs }: MembershipTimes): number => (worstFactor - 1) * probeMs;

export class ClusterRun {
  readonly checkers: readonly ClusterChecker[];
  readonly named: MemberCheckers;
  readonly #world: SimulatedWorld;
  readonly #nodes: readonly NodeRun[];
  readonly #plan: ClusterPlan;
  readonly #faults: ClusterFaults;
  readonly #joining: JoiningRun | undefined;
  /** Since when agreement is waited for, until it is there. */
  #awaitedSinceMs: number | undefined;
  #quiet: { readonly atMs: number; readonly sent: number } | undefined;

  constructor(world: SimulatedWorld, nodes: readonly NodeRun[], plan: ClusterPlan, sight: ClusterSight) {
    this.#world = world;
    this.#nodes = nodes;
    this.#plan = plan;
    this.named = memberCheckers(sight);
    this.#joining = plan.joining && new JoiningRun(world, nodes, { plan: plan.joining, sight });
    this.checkers = [...Object.values(this.named), ...(this.#joining?.checkers ?? [])];
    this.#faults = new ClusterFaults(world, nodes, {
      joined: plan.joining,
      onStranger: (packet, at) => {
        this.named.keysExchanged.strange();
        this.named.strangersRefused.meet(packet, at);
      },
      onKeys: () => this.named.keysExchanged.exchanged(),
    });
    world.hub.base = plan.network;
    this.#ask();
  }

  get calm(): boolean {
    return this.#faults.calm;
  }

  tick(): void {
    this.#joining?.look();
  }

  stormEndedMs(): number {
    return this.#faults.stormEndedMs(this.#plan.network);
  }

  apply(fault: ClusterFault): void {
    this.#faults.apply(fault);
  }

  /** Those of the core are well with each other; answers who they are. */
  healCore(): readonly NodeRun[] {
    this.#world.hub.base = calm;
    this.#faults.healCore(this.#plan);
    this.#joining?.heal();
    return this.#nodes.filter((_, index) => index === 0 || isIn(this.#plan.core, index));
  }

  heal(): void {
    this.#faults.heal();
    this.#joining?.heal();
  }

  /** From now on those who are well are given the bound to agree. */
  awaitAgreement(): void {
    this.#awaitedSinceMs = this.#nowMs;
  }

  /** In what they do not agree yet: they see each other alive, and after longer none of the others. */
  apart(well: readonly NodeRun[]): readonly string[] {
    const [lacks, rest] = [lacking(well), beyond(well)];
    const since = this.#awaitedSinceMs;
    if (since === undefined) return [...lacks, ...rest];
    // Who was told to stop may be down a while yet; who must join anew may have to wait until it is dead as who it was.
    const arrives = well.some(({ life }) => life.node === undefined);
    if (arrives) this.#awaitedSinceMs = this.#nowMs;
    const waitedMs = arrives ? 0 : this.#nowMs - since;
    if (lacks.length > 0 && waitedMs >= agreedWithinMs) this.named.reunited.judge(lacks, agreedWithinMs);
    if (rest.length > 0 && waitedMs >= this.#deadWithinMs)
      this.named.reunited.judge(rest, this.#deadWithinMs);
    if (lacks.length + rest.length > 0) return [...lacks, ...rest];
    this.#awaitedSinceMs = undefined;
    this.named.reunited.judge([], waitedMs);
    return [];
  }

  /** Of those who are not of the core. */
  get #deadWithinMs(): number {
    const core = this.#nodes.filter((_, index) => index === 0 || isIn(this.#plan.core, index));
    const { times } = this.#world;
    // Only answers make a node well again: who is alone gets none.
    const factor = core.length === 1 ? worstFactor : 1;
    return deadWithinMs(times, this.#nodes.length, core.length, factor) + unwellMs(times);
  }

  #ask(): void {
    const { asWritten, versionsRise, newestShown, packetsFit } = this.named;
    for (const { life, sight, place } of this.#nodes) {
      const asked = life.during((node) =>
        node.ask<ObservedReport>(paths.observed, { type: 'records.report' }),
      );
      // Who stands still or ends meanwhile shows nothing; what a checker says of an answer is heard.
      void asked.then(
        (report) => {
          if (report)
            for (const checker of [asWritten, versionsRise, newestShown]) checker.shown(report, sight);
        },
        () => undefined,
      );
      const counted = life.during(async () => place.membership?.traffic());
      void counted.then(
        (traffic) => traffic && packetsFit.counted(traffic, sight),
        () => undefined,
      );
    }
    this.#world.clock.setTimer(askMs, () => this.#ask());
  }

  beginQuiet(): void {
    this.#quiet = { atMs: this.#nowMs, sent: this.#world.hub.datagrams.counts.sent };
  }

  endQuiet(): void {
    const { atMs, sent } = this.#quiet!;
    const { probeMs } = this.#world.times;
    const packets = this.#world.hub.datagrams.counts.sent - sent;
    this.named.viewsEqual.judge(packets, this.#nowMs - atMs, probeMs);
    this.#joining?.endQuiet();
  }

  get #nowMs(): number {
    return this.#world.clock.monotonicMs();
  }
}
