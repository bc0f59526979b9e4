/**
 * One run: one node or several, one plan, one seed. Faults and orders for two virtual minutes; then everything is healed
 * and must become as desired within the bound, stay so without another change, survive one more kill −9 with the same
 * containers and the same tree, and stop without leaving anything behind.
 *
 * Time moves from deadline to deadline, and every promise settles in between: nothing here waits for real time.
 */
import type { Frame } from '../../protocols/inspection.ts';
import { limits } from '../../protocols/limits.ts';
import { timesOf } from '../../protocols/membership/profile.ts';
import { library } from '../cluster/certificates/authority.ts';
import { transcriptLine } from '../kernel/transcript.ts';
import { settled, turn } from '../world/heap-clock.ts';
import { SimulatedWorld } from '../world/simulated/simulated-world.ts';
import { clusterCheckers, type ClusterCheckers } from './checkers/all.ts';
import {
  Audience,
  Violation,
  type AnyChecker,
  type ClusterChecker,
  type ClusterSight,
  type Hook,
} from './checkers/checker.ts';
import { ClusterRun } from './cluster/cluster-run.ts';
import { FalseStore } from './cluster/false-store.ts';
import { NodeRun, type NodeEvents } from './node/node-run.ts';
import { Operator } from './operator.ts';
import { isClusterFault, type ClusterFault } from './plans/cluster-plan.ts';
import { faultyMs, imageName, images, type Fault, type Plan } from './plans/plan.ts';
import { clusterSight } from './sights.ts';
import { Settling } from './settling.ts';
import { StoreView } from './store-view.ts';
import { TraceHash } from './trace-hash.ts';
import { Sites, withBounds } from './sites/sites.ts';
import { scriptOf } from './plans/workload.ts';

export interface SimulationOptions {
  /** Told every line of the transcript. */
  readonly onLine?: (line: string) => void;
}

export interface Outcome {
  readonly seed: number;
  readonly hash: string;
  /** Virtual ms that passed. */
  readonly virtualMs: number;
  readonly frames: number;
  readonly boots: number;
  readonly kills: number;
  readonly orders: number;
  readonly violation?: { readonly checker: string; readonly text: string; readonly atMs: number };
  /** By checker. */
  readonly exercised: Readonly<Record<string, number>>;
}

/** The longest backoff stretched by chance, a look at everything, a stop with its kill, and some steps. */
export const convergeMs =
  limits.backoffMaxMs * (1 + limits.backoffJitter) +
  limits.reconcileMs +
  limits.stopGraceMs +
  limits.killMs +
  30_000;
/** One look of every level-triggered loop: those before it had made all as desired. */
const settledMs = limits.reconcileMs + 5_000;
const readoptMs = 60_000;
const tickMs = 1_000;
/** Between two turns of the real event loop. */
const stepsATurn = 64;
/** Steps without any time passing: nothing of one node takes so many. */
const stepsAtOnce = 20_000;

export function simulate(seed: number, plan: Plan, options: SimulationOptions = {}): Promise<Outcome> {
  return withBounds(plan.sites ?? [], () => new Simulation(seed, plan, options).run());
}

class Simulation {
  readonly #seed: number;
  readonly #plan: Plan;
  readonly #options: SimulationOptions;
  readonly #world: SimulatedWorld;
  readonly #nodes: readonly NodeRun[];
  readonly #falseStore: FalseStore;
  readonly #sites: Sites;
  readonly #cluster: ClusterRun | undefined;
  readonly #operator: Operator;
  readonly #view: StoreView;
  readonly #settling: Settling;
  readonly #hash = new TraceHash();
  readonly #checkers: readonly ClusterChecker[];
  readonly #audience: Audience<ClusterChecker>;
  readonly #named: ClusterCheckers;
  #violation: Outcome['violation'];
  #steps = 0;

  constructor(seed: number, plan: Plan, options: SimulationOptions) {
    this.#seed = seed;
    this.#plan = plan;
    this.#options = options;
    const names = Array.from({ length: images }, (_, image) => imageName(image));
    this.#world = new SimulatedWorld(seed, {
      images: names,
      scriptOf: (create) => scriptOf(create, false),
      ...(plan.cluster ? { nodes: plan.cluster.nodes, times: timesOf[plan.cluster.network.kind] } : {}),
      ...(plan.cluster?.joining ? { certificateMs: plan.cluster.joining.certificateMs } : {}),
    });
    this.#sites = new Sites(this.#world, plan.sites ?? []);
    this.#view = new StoreView((events, revision) =>
      this.#all('onRevision', (checker) => checker.onRevision(events, revision)),
    );
    this.#falseStore = new FalseStore(this.#world, (there) => {
      for (const { named } of this.#nodes)
        if (there) named.foreignStore.begin();
        else named.foreignStore.end();
    });
    const around = {
      ...{ world: this.#world, falseStore: this.#falseStore },
      rows: () => this.#view.rows,
      isCalm: () => this.#cluster?.calm ?? true,
    };
    const events: NodeEvents = {
      onFrame: (frame) => this.#framed(frame),
      onMembershipFrame: (frame) => this.#framed(frame),
      onBoot: ({ place, life }) =>
        this.#say(`${place === this.#world.first ? '' : `${place.name} `}boot ${life.boots}`),
      each: (hook, tell) => this.#each(hook, tell),
      onBroken: (error) => this.#broken(error),
    };
    this.#nodes = this.#world.nodes.map((place) => new NodeRun(place, around, events));
    const sight = this.#sight();
    this.#named = clusterCheckers(sight);
    this.#cluster = plan.cluster && new ClusterRun(this.#world, this.#nodes, plan.cluster, sight);
    this.#checkers = [...Object.values(this.#named), ...(this.#cluster?.checkers ?? [])];
    this.#audience = new Audience(this.#checkers);
    this.#operator = new Operator(this.#first.life, this.#world);
    this.#settling = new Settling({
      ...{ sight, nodes: this.#nodes, operator: this.#operator, view: this.#view },
      pass: (ms) => this.#pass(ms),
    });
  }

  /** The first server. */
  get #first(): NodeRun {
    return this.#nodes[0]!;
  }

  #sight(): ClusterSight {
    return clusterSight({
      ...{ world: this.#world, nodes: this.#nodes, view: this.#view },
      storeIsFalse: () => this.#falseStore.there,
      stormEndedMs: () => this.#cluster?.stormEndedMs() ?? 0,
    });
  }

  async run(): Promise<Outcome> {
    const rejected = (error: unknown) => this.#broken(error);
    process.on('unhandledRejection', rejected);
    try {
      await this.#phases();
    } catch (error) {
      this.#broken(error);
    } finally {
      process.off('unhandledRejection', rejected);
    }
    return this.#outcome();
  }

  async #phases(): Promise<void> {
    // Read before time begins: nothing waits for it later.
    if (this.#plan.cluster?.joining) await library();
    const { forMs = faultyMs, lastKill = true } = this.#plan;
    this.#view.follow(this.#world.memory);
    this.#world.onMemory = (memory) => this.#view.follow(memory);
    this.#schedule(forMs);
    this.#tick();
    for (const { life } of this.#nodes) life.start();
    await this.#pass(forMs);
    if (this.#cluster) await this.#healCore(this.#cluster);
    this.#cluster?.heal();
    this.#healNodes(this.#nodes);
    this.#say('everything is healed');
    await this.#converge('healed', convergeMs);
    await this.#staySettled();
    if (lastKill) await this.#restart();
    await this.#finish();
  }

  /** Of several nodes some are well before the others: they must get on without them. */
  async #healCore(cluster: ClusterRun): Promise<void> {
    const core = cluster.healCore();
    this.#healNodes(core);
    const names = core.map(({ place }) => place.name).join(' ');
    this.#say(`${names} are healed, the others are ${this.#plan.cluster?.apart}`);
    await this.#converge('a core is healed', convergeMs, core);
  }

  #healNodes(nodes: readonly NodeRun[]): void {
    this.#sites.heal();
    for (const node of nodes) node.heal(() => this.#falseStore.leave());
  }

  #schedule(forMs: number): void {
    const { clock } = this.#world;
    for (const order of this.#plan.orders) {
      if (order.atMs < forMs)
        clock.setTimer(order.atMs, () => this.#guarded(() => this.#operator.order(order), order));
    }
    for (const fault of this.#plan.faults) {
      if (fault.atMs < forMs)
        clock.setTimer(fault.atMs, () => this.#guarded(() => this.#apply(fault), fault));
    }
  }

  #apply(fault: Fault | ClusterFault): void {
    if (isClusterFault(fault)) this.#cluster?.apply(fault);
    else this.#nodes[(fault.node ?? 0) % this.#nodes.length]!.faults.apply(fault);
  }

  #guarded(run: () => void, what: unknown): void {
    this.#say(JSON.stringify(what));
    try {
      run();
      this.#look();
    } catch (error) {
      this.#broken(error);
    }
  }

  #tick(): void {
    this.#world.clock.setTimer(tickMs, () => {
      this.#look();
      this.#cluster?.tick();
      if (this.#world.clock.monotonicMs() % 10_000 < tickMs) this.#falseStore.remember();
      this.#tick();
    });
  }

  #look(): void {
    for (const node of this.#nodes) node.feel();
    for (const node of this.#nodes) node.look();
  }

  /** Until all is as desired, or the bound is over. */
  async #converge(why: string, boundMs: number, nodes = this.#nodes): Promise<void> {
    const { clock } = this.#world;
    const until = clock.monotonicMs() + boundMs;
    let calm = 0;
    this.#cluster?.awaitAgreement();
    for (;;) {
      await this.#pass(tickMs);
      const apart = this.#cluster?.apart(nodes) ?? [];
      const problems = [...apart, ...(await this.#settling.problems(nodes))];
      calm = problems.length === 0 ? calm + 1 : 0;
      if (calm >= 3) break;
      if (clock.monotonicMs() >= until) {
        this.#named.asDesired.judge(problems, boundMs);
        break;
      }
    }
    this.#named.asDesired.judge([], boundMs);
    this.#say(`as desired after: ${why}`);
  }

  /** One more look of every loop: nothing may change. */
  async #staySettled(): Promise<void> {
    this.#named.idempotent.begin(this.#settling.changes());
    this.#cluster?.beginQuiet();
    await this.#pass(settledMs);
    this.#cluster?.endQuiet();
    this.#named.idempotent.end(this.#settling.changes());
    this.#named.asDesired.judgeStays(this.#settling.differences());
    for (const { named } of this.#nodes) named.noLeaks.judge();
  }

  /** One more kill −9 in a healthy world: the same containers, the same tree. */
  async #restart(): Promise<void> {
    const trees = this.#nodes.map(({ life }) => life.node?.actors.tree() ?? []);
    const before = this.#running();
    for (const { life } of this.#nodes) life.kill(0, 500);
    await this.#converge('one more kill', readoptMs);
    const after = this.#running();
    if (before !== after) throw new Violation('O11', `before the restart ran ${before}, after it ${after}`);
    for (const [index, { life, named }] of this.#nodes.entries())
      named.sameTree.compare(trees[index]!, life.node?.actors.tree() ?? []);
  }

  #running(): string {
    return this.#nodes.map((node) => node.running()).join(' | ');
  }

  async #finish(): Promise<void> {
    if (this.#plan.removeAll) {
      for (const app of [0, 1]) this.#operator.order({ do: 'remove', app, volumes: false });
      await this.#converge('everything is removed', convergeMs);
      const left = this.#world.nodes.reduce(
        (sum, { machine, network }) => sum + machine.list().length + network.attachments.size,
        0,
      );
      if (left > 0) throw new Violation('S2', `${left} containers and attachments are left of removed apps`);
    }
    for (const { life, named } of this.#nodes) {
      named.nothingLeft.beforeStop();
      void life.stop().catch((error: unknown) => this.#broken(error));
    }
    for (let waitedMs = 0; waitedMs < limits.shutdownMs * 2; waitedMs += tickMs) {
      await this.#pass(tickMs);
      if (this.#nodes.every(({ life }) => life.node === undefined)) break;
    }
    for (const { life, named, place } of this.#nodes) {
      if (life.node) throw new Violation('S2', `${place.name} does not stop`);
      named.nothingLeft.afterStop();
    }
  }

  /** Lets virtual time pass; ends at once when an invariant is broken. */
  async #pass(ms: number): Promise<void> {
    const { clock } = this.#world;
    const end = clock.monotonicMs() + ms;
    let ended = false;
    clock.setTimer(ms, () => (ended = true));
    let standsAt = -1;
    let steps = 0;
    while (!ended) {
      // Now and then for real, so that a rejection that nobody handled is noticed.
      await (++this.#steps % stepsATurn === 0 ? turn() : settled());
      steps = clock.monotonicMs() === standsAt ? steps + 1 : 0;
      standsAt = clock.monotonicMs();
      if (steps > stepsAtOnce) throw new Violation('livelock', `time stands still at ${standsAt} ms`);
      if (this.#violation) throw new Violation(this.#violation.checker, this.#violation.text);
      clock.step(end - clock.monotonicMs());
    }
    await turn();
  }

  #framed(frame: Frame): void {
    this.#hash.addFrame(frame);
    // In true time, whatever the clock of that node says: lines of several nodes stand in the order of what happened.
    if (this.#options.onLine) this.#options.onLine(transcriptLine({ ...frame, at: this.#world.clock.now() }));
  }

  /** Those of the whole. */
  #each(hook: Hook, tell: (checker: AnyChecker) => void): void {
    for (const checker of this.#audience.of(hook)) this.#tell(tell, checker);
  }

  #tell(tell: (checker: AnyChecker) => void, checker: AnyChecker): void {
    try {
      tell(checker);
    } catch (error) {
      this.#broken(error);
    }
  }

  #all(hook: Hook, tell: (checker: AnyChecker) => void): void {
    for (const { audience } of this.#nodes)
      for (const checker of audience.of(hook)) this.#tell(tell, checker);
    this.#each(hook, tell);
  }

  #broken(error: unknown): void {
    const checker = error instanceof Violation ? error.checker : 'defect';
    const text =
      error instanceof Error
        ? checker === 'defect'
          ? (error.stack ?? error.message)
          : error.message
        : String(error);
    if (this.#violation) return;
    this.#violation = { checker, text, atMs: this.#world.clock.monotonicMs() };
    this.#say(`VIOLATION ${text}`);
  }

  #say(text: string): void {
    this.#hash.add(text);
    const time = new Date(this.#world.clock.now()).toISOString().slice(11, 23);
    this.#options.onLine?.(`${time}  --  ${text}`);
  }

  #outcome(): Outcome {
    const exercised: Record<string, number> = Object.fromEntries(this.#sites.counts());
    for (const checker of [...this.#nodes.flatMap(({ checkers }) => checkers), ...this.#checkers])
      exercised[checker.name] = (exercised[checker.name] ?? 0) + checker.exercised;
    return {
      seed: this.#seed,
      hash: this.#hash.digest(),
      virtualMs: this.#world.clock.monotonicMs(),
      frames: this.#hash.frames,
      boots: sumOf(this.#nodes, ({ life }) => life.boots),
      kills: sumOf(this.#nodes, ({ life }) => life.kills),
      orders: this.#operator.taken,
      ...(this.#violation ? { violation: this.#violation } : {}),
      exercised,
    };
  }
}

const sumOf = (nodes: readonly NodeRun[], count: (node: NodeRun) => number): number =>
  nodes.reduce((sum, node) => sum + count(node), 0);
