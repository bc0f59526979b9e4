/**
 * One run: one node, one plan, one seed. Faults and orders for two virtual minutes; then everything is healed and
 * must become as desired within the bound, stay so without another change, survive one more kill −9 with the same
 * containers and the same tree, and stop without leaving anything behind.
 *
 * Time moves from deadline to deadline, and every promise settles in between: nothing here waits for real time.
 */
import type { ActorView, Frame } from '../../protocols/inspection.ts';
import type { WatchNotice } from '../../protocols/state/model.ts';
import { limits } from '../../protocols/limits.ts';
import { transcriptLine } from '../kernel/transcript.ts';
import type { PortCall } from '../world/simulated/gate.ts';
import { turn } from '../world/heap-clock.ts';
import { SimulatedWorld } from '../world/simulated/simulated-world.ts';
import { allCheckers, type Checkers } from './checkers/all.ts';
import { Violation, type Checker, type Sight } from './checkers/checker.ts';
import type { WatchWish } from './checkers/store.ts';
import { Faults } from './faults.ts';
import { entriesOf, JournalView } from './journal-view.ts';
import { Life } from './life.ts';
import { Operator } from './operator.ts';
import { faultyMs, imageName, images, type Plan } from './plans/plan.ts';
import { Settling } from './settling.ts';
import { StoreView } from './store-view.ts';
import { TraceHash } from './trace-hash.ts';
import { scriptOf } from './plans/workload.ts';

export interface SimulationOptions {
  /** Told every line of the transcript. */
  readonly onLine?: (line: string) => void;
  /** Virtual ms of the part with faults, instead of `faultyMs`. */
  readonly forMs?: number;
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
/** Two looks of every level-triggered loop. */
const settledMs = 2 * limits.reconcileMs + 5_000;
const readoptMs = 60_000;
const tickMs = 1_000;
/** Steps without any time passing: nothing of one node takes so many. */
const stepsAtOnce = 20_000;

export function simulate(seed: number, plan: Plan, options: SimulationOptions = {}): Promise<Outcome> {
  return new Simulation(seed, plan, options).run();
}

class Simulation {
  readonly #seed: number;
  readonly #plan: Plan;
  readonly #options: SimulationOptions;
  readonly #world: SimulatedWorld;
  readonly #life: Life;
  readonly #faults: Faults;
  readonly #operator: Operator;
  readonly #view: StoreView;
  readonly #settling: Settling;
  readonly #hash = new TraceHash();
  readonly #journal = new JournalView();
  readonly #checkers: readonly Checker[];
  readonly #named: Checkers;
  #calmSinceMs: number | undefined;
  #violation: Outcome['violation'];

  constructor(seed: number, plan: Plan, options: SimulationOptions) {
    this.#seed = seed;
    this.#plan = plan;
    this.#options = options;
    const names = Array.from({ length: images }, (_, image) => imageName(image));
    this.#world = new SimulatedWorld(seed, { images: names, scriptOf: (create) => scriptOf(create, false) });
    const sight = this.#sight();
    this.#named = allCheckers(sight);
    this.#checkers = Object.values(this.#named);
    this.#view = new StoreView((events, revision) =>
      this.#each((checker) => checker.onRevision(events, revision)),
    );
    this.#life = new Life(this.#world, {
      onBoot: () => this.#booted(),
      onFrame: (frame) => this.#framed(frame),
      onEnd: (remains) => this.#each((checker) => checker.onEnd(remains)),
      onCall: (call) => this.#called(call),
      onAnswer: (call, value) => this.#answered(call, value),
      onWatch: (call) => this.#watched(call),
      onDefect: (error) => this.#broken(error),
    });
    this.#faults = new Faults(this.#world, this.#life, {
      followsStore: () => this.#journal.followsStore,
      onCut: () => {
        this.#journal.cut();
        this.#each((checker) => checker.onCut());
      },
      onFalseStore: (there) => (there ? this.#named.foreignStore.begin() : this.#named.foreignStore.end()),
    });
    this.#operator = new Operator(this.#life, this.#world);
    this.#settling = new Settling({
      ...{ world: this.#world, life: this.#life, operator: this.#operator },
      ...{ view: this.#view, journal: this.#journal, pass: (ms) => this.#pass(ms) },
    });
    this.#world.machine.observe((event) => this.#each((checker) => checker.onMachine(event)));
  }

  #sight(): Sight {
    const here = () => this;
    const { clock, machine, names, network, grants } = this.#world;
    return {
      ...{ machine, names, network, grants, nowMs: () => clock.monotonicMs() },
      get rows() {
        return here().#view.rows;
      },
      records: this.#journal.records,
      calmSinceMs: () => this.#calmSinceMs,
      storeIsFalse: () => this.#faults.storeIsFalse,
      engineTroubledWithin: (ms) => this.#faults.engineTroubledWithin(ms),
    };
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
    const forMs = this.#options.forMs ?? faultyMs;
    this.#view.follow(this.#world.memory);
    this.#world.onMemory = (memory) => this.#view.follow(memory);
    this.#schedule(forMs);
    this.#tick();
    this.#life.start();
    await this.#pass(forMs);
    this.#faults.heal();
    this.#say('everything is healed');
    await this.#converge('healed', convergeMs);
    await this.#staySettled();
    await this.#restart();
    await this.#finish();
  }

  #schedule(forMs: number): void {
    const { clock } = this.#world;
    for (const order of this.#plan.orders) {
      if (order.atMs < forMs)
        clock.setTimer(order.atMs, () => this.#guarded(() => this.#operator.order(order), order));
    }
    for (const fault of this.#plan.faults) {
      if (fault.atMs < forMs)
        clock.setTimer(fault.atMs, () => this.#guarded(() => this.#faults.apply(fault), fault));
    }
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
      if (this.#world.clock.monotonicMs() % 10_000 < tickMs) this.#faults.remember();
      this.#tick();
    });
  }

  #look(): void {
    const { node } = this.#life;
    if (!this.#faults.calm || node === undefined) this.#calmSinceMs = undefined;
    else this.#calmSinceMs ??= this.#world.clock.monotonicMs();
    if (node === undefined) return;
    let tree: readonly ActorView[] | undefined;
    this.#each((checker) =>
      checker.onTick(
        () => (tree ??= node.actors.tree()),
        () => node.actors.counters(),
      ),
    );
  }

  /** Until all is as desired, or the bound is over. */
  async #converge(why: string, boundMs: number): Promise<void> {
    const { clock } = this.#world;
    const until = clock.monotonicMs() + boundMs;
    let calm = 0;
    for (;;) {
      await this.#pass(tickMs);
      const problems = await this.#settling.problems();
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

  /** Two looks of every loop: nothing may change. */
  async #staySettled(): Promise<void> {
    this.#named.idempotent.begin(this.#settling.changes());
    await this.#pass(settledMs);
    this.#named.idempotent.end(this.#settling.changes());
    this.#named.asDesired.judgeStays(this.#settling.differences());
    this.#named.noLeaks.judge();
  }

  /** One more kill −9 in a healthy world: the same containers, the same tree. */
  async #restart(): Promise<void> {
    const tree = this.#life.node?.actors.tree() ?? [];
    const before = this.#running();
    this.#life.kill(0, 500);
    await this.#converge('one more kill', readoptMs);
    const after = this.#running();
    if (before !== after) throw new Violation('O11', `before the restart ran ${before}, after it ${after}`);
    this.#named.sameTree.compare(tree, this.#life.node?.actors.tree() ?? []);
  }

  #running(): string {
    const running = this.#world.machine.list().filter((container) => container.phase === 'running');
    return running.map((container) => `${container.id} ${container.pid}`).join(', ');
  }

  async #finish(): Promise<void> {
    if (this.#plan.removeAll) {
      for (const app of [0, 1]) this.#operator.order({ do: 'remove', app, volumes: false });
      await this.#converge('everything is removed', convergeMs);
      const left = this.#world.machine.list().length + this.#world.network.attachments.size;
      if (left > 0) throw new Violation('S2', `${left} containers and attachments are left of removed apps`);
    }
    this.#named.nothingLeft.beforeStop();
    void this.#life.stop().catch((error: unknown) => this.#broken(error));
    await this.#pass(limits.shutdownMs * 2);
    if (this.#life.node) throw new Violation('S2', 'the node does not stop');
    this.#named.nothingLeft.afterStop();
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
      await turn();
      steps = clock.monotonicMs() === standsAt ? steps + 1 : 0;
      standsAt = clock.monotonicMs();
      if (steps > stepsAtOnce) throw new Violation('livelock', `time stands still at ${standsAt} ms`);
      if (this.#violation) throw new Violation(this.#violation.checker, this.#violation.text);
      clock.step(end - clock.monotonicMs());
    }
    await turn();
  }

  #booted(): void {
    this.#say(`boot ${this.#life.boots}`);
    this.#each((checker) => checker.onBoot());
  }

  #framed(frame: Frame): void {
    this.#hash.addFrame(frame);
    this.#options.onLine?.(transcriptLine(frame));
    this.#each((checker) => checker.onFrame(frame));
  }

  #called(call: PortCall): void {
    if (call.port === 'journal' && call.op === 'append') {
      this.#named.journal.asked(entriesOf(call.args));
      this.#journal.appended(entriesOf(call.args));
    }
    this.#each((checker) => checker.onCall(call));
    this.#faults.strike(`${call.port}.${call.op}`);
  }

  #answered(call: PortCall, value: unknown): void {
    this.#each((checker) => checker.onAnswer(call, value));
    if (call.port !== 'journal') return;
    this.#each(() => {
      if (call.op === 'append') this.#named.journal.answered(entriesOf(call.args));
      else this.#named.journal.read((call.args as { prefix: string }).prefix, entriesOf(value));
    }, [this.#named.journal]);
    if (call.op === 'read') this.#journal.read(entriesOf(value));
  }

  #watched({ port, args }: PortCall): (notice: unknown) => void {
    if (port !== 'store') return () => {};
    const { watchesWhole } = this.#named;
    const seen = watchesWhole.opened(args as WatchWish);
    return (notice) => this.#each(() => seen(notice as WatchNotice), [watchesWhole]);
  }

  #each(tell: (checker: Checker) => void, checkers = this.#checkers): void {
    for (const checker of checkers) {
      try {
        tell(checker);
      } catch (error) {
        this.#broken(error);
      }
    }
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
    const exercised: Record<string, number> = {};
    for (const checker of this.#checkers)
      exercised[checker.name] = (exercised[checker.name] ?? 0) + checker.exercised;
    return {
      seed: this.#seed,
      hash: this.#hash.digest(),
      virtualMs: this.#world.clock.monotonicMs(),
      frames: this.#hash.frames,
      boots: this.#life.boots,
      kills: this.#life.kills,
      orders: this.#operator.taken,
      ...(this.#violation ? { violation: this.#violation } : {}),
      exercised,
    };
  }
}
