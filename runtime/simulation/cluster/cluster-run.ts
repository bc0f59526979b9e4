/** What a run of several nodes has beside them: their network, what befalls it, and the checkers of their membership. */
import type { SimulatedWorld } from '../../world/simulated/simulated-world.ts';
import { calm } from '../../../transport/memory/datagrams.ts';
import { memberCheckers, type MemberCheckers } from '../checkers/all.ts';
import type { ClusterChecker, ClusterSight } from '../checkers/checker.ts';
import { agreedWithinMs, deadWithinMs } from '../checkers/membership/verdicts.ts';
import type { NodeRun } from '../node/node-run.ts';
import type { ClusterFault, ClusterPlan } from '../plans/cluster-plan.ts';
import { ClusterFaults, isIn } from './cluster-faults.ts';
import { apart } from './views.ts';

export class ClusterRun {
  readonly checkers: readonly ClusterChecker[];
  readonly named: MemberCheckers;
  readonly #world: SimulatedWorld;
  readonly #nodes: readonly NodeRun[];
  readonly #plan: ClusterPlan;
  readonly #faults: ClusterFaults;
  /** Since when agreement is waited for, until it is there. */
  #awaitedSinceMs: number | undefined;
  #quiet: { readonly atMs: number; readonly sent: number } | undefined;

  constructor(world: SimulatedWorld, nodes: readonly NodeRun[], plan: ClusterPlan, sight: ClusterSight) {
    this.#world = world;
    this.#nodes = nodes;
    this.#plan = plan;
    this.named = memberCheckers(sight);
    this.checkers = Object.values(this.named);
    this.#faults = new ClusterFaults(world, nodes, (packets) => this.named.strangersRefused.sent(packets));
    world.hub.base = plan.network;
  }

  get calm(): boolean {
    return this.#faults.calm;
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
    return this.#nodes.filter((_, index) => index === 0 || isIn(this.#plan.core, index));
  }

  /** How long those who are down must be dead for the others before they are healed as well. */
  get mourningMs(): number {
    return this.#plan.apart === 'down' ? deadWithinMs(this.#world.times, this.#nodes.length) + 2_000 : 0;
  }

  heal(): void {
    this.#faults.heal();
  }

  /** From now on those who are well are given the bound to agree. */
  awaitAgreement(): void {
    this.#awaitedSinceMs = this.#nowMs;
  }

  /** In what they do not agree yet. */
  apart(well: readonly NodeRun[]): readonly string[] {
    const lacks = apart(well);
    const since = this.#awaitedSinceMs;
    if (since === undefined || (lacks.length > 0 && this.#nowMs - since < agreedWithinMs)) return lacks;
    this.#awaitedSinceMs = undefined;
    this.named.reunited.judge(lacks);
    return lacks;
  }

  beginQuiet(): void {
    this.#quiet = { atMs: this.#nowMs, sent: this.#world.hub.datagrams.counts.sent };
  }

  endQuiet(): void {
    const { atMs, sent } = this.#quiet!;
    const { probeMs } = this.#world.times;
    const packets = this.#world.hub.datagrams.counts.sent - sent;
    this.named.viewsEqual.judge(packets, this.#nowMs - atMs, probeMs);
  }

  get #nowMs(): number {
    return this.#world.clock.monotonicMs();
  }
}
