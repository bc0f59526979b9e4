/**
 * A supervisor's family as a value: who its children are, how each one's life stands, and what an event changes.
 * Every step is `(family, event) → [family, effects]`. It knows no phase of the supervisor itself: the chart says
 * whether it starts, serves, stops or gives up.
 *
 * Invariants: a restart is always a scheduled event. Children of a group stop right to left, one at a time, and
 * start left to right, each once those before it are ready. One event costs a dynamic family the same at any size.
 */
import type { Decision, Effect, NodeEvent } from '../effects.ts';
import { childPath, type ActorPath } from '../wire/address.ts';
import type { ChildSpec, ExitReason, Strategy } from './child-spec.ts';
import type { Intensity, RestartWindow } from './intensity.ts';
import { isGroup } from './strategy.ts';
import { emptyTable, tableDelete, tableEntries, tableGet, tableSet, type Table } from './table.ts';

/**
 * How a child stands. `queued` waits for its turn to start, `condemned` for its turn to stop, `restarting` for its
 * backoff; `down` has ended and stays known. The kernel holds an actor for `starting | ready | condemned | stopping`.
 */
export type Standing = 'queued' | 'starting' | 'ready' | 'condemned' | 'stopping' | 'restarting' | 'down';

export interface Child {
  readonly spec: ChildSpec;
  readonly standing: Standing;
  /** Failures in a row: they lengthen the backoff. */
  readonly failures: number;
  /** What follows once a stop under way is done. */
  readonly then?: 'queue' | 'rest' | 'forget' | 'restart';
  /** Who asked for the stop and waits for it. */
  readonly asked?: readonly string[];
}

export interface Family {
  readonly self: ActorPath;
  readonly strategy: Strategy;
  readonly intensity: Intensity;
  /** Ids in start order; a dynamic family has none. */
  readonly order: readonly string[];
  readonly children: Table<Child>;
  /** Children that the kernel holds an actor for. */
  readonly alive: number;
  readonly window: RestartWindow;
  /** The reason the supervisor will end with. */
  readonly exit: ExitReason;
}

export interface FamilyInput {
  readonly self: ActorPath;
  readonly strategy: Strategy;
  readonly children: readonly ChildSpec[];
  readonly intensity: Intensity;
}

export function foundFamily({ self, strategy, children, intensity }: FamilyInput): Family {
  let table: Table<Child> = emptyTable;
  for (const spec of children) {
    if (tableGet(table, spec.id) !== undefined) throw new Error(`two children are named "${spec.id}"`);
    table = tableSet(table, spec.id, { spec, standing: 'queued', failures: 0 });
  }
  const order = strategy === 'dynamic' ? [] : children.map((spec) => spec.id);
  return {
    self,
    strategy,
    intensity,
    order,
    children: table,
    alive: 0,
    window: [],
    exit: { kind: 'shutdown' },
  };
}

export function hasActor({ standing }: Child): boolean {
  return (
    standing === 'starting' || standing === 'ready' || standing === 'condemned' || standing === 'stopping'
  );
}

/** One step under way: a family that is being changed, and the effects gathered meanwhile. Lives within one call. */
export class Work {
  family: Family;
  readonly effects: Effect[] = [];

  constructor(family: Family) {
    this.family = family;
  }

  done(): Decision<Family> {
    return [this.family, this.effects];
  }

  get(id: string): Child | undefined {
    return tableGet(this.family.children, id);
  }

  *all(): Generator<Child> {
    for (const [, child] of tableEntries(this.family.children)) yield child;
  }

  put(child: Child): void {
    const before = this.get(child.spec.id);
    const alive =
      this.family.alive + Number(hasActor(child)) - Number(before !== undefined && hasActor(before));
    this.family = { ...this.family, alive, children: tableSet(this.family.children, child.spec.id, child) };
  }

  /** For a child without actor. */
  forget({ spec: { id } }: Child): void {
    const { order, children, alive } = this.family;
    const known = this.get(id);
    this.family = {
      ...this.family,
      alive: alive - Number(known !== undefined && hasActor(known)),
      children: tableDelete(children, id),
      order: order.includes(id) ? order.filter((other) => other !== id) : order,
    };
  }

  start({ spec, failures }: Child): void {
    this.put({ spec, failures, standing: 'starting' });
    this.effects.push({ do: 'start', spec });
  }

  /** Asks it to end, and sees to it that it does. */
  stop(child: Child, then: NonNullable<Child['then']>): void {
    const { id, shutdown } = child.spec;
    this.put({ ...child, standing: 'stopping', then });
    this.effects.push({ do: 'stop', child: id, mode: shutdown === 'brutal_kill' ? 'kill' : 'shutdown' });
    if (typeof shutdown !== 'number') return;
    this.effects.push({
      do: 'schedule',
      token: `kill:${id}`,
      delayMs: shutdown,
      event: { type: 'kill.due', id },
    });
  }

  restartAfter(child: Child, delayMs: number, jitter: number, failures: number): void {
    const { id } = child.spec;
    this.put({ spec: child.spec, standing: 'restarting', failures });
    this.effects.push({
      do: 'schedule',
      token: `restart:${id}`,
      delayMs,
      jitter,
      event: { type: 'restart.due', id },
    });
  }

  cancel(kind: 'kill' | 'restart', { spec }: Child): void {
    this.effects.push({ do: 'cancel', token: `${kind}:${spec.id}` });
  }

  reply(to: string | undefined, value: unknown): void {
    if (to !== undefined) this.effects.push({ do: 'reply', to, value });
  }

  decide(
    child: string,
    decision: 'restart' | 'stop' | 'escalate' | 'forget',
    level: NodeEvent['level'],
    text: string,
    delayMs = 0,
  ): void {
    const subject = childPath(this.family.self, child);
    const details = { child, decision, delayMs, restarts: this.family.window.length };
    this.effects.push({
      do: 'emit',
      event: { type: 'supervisor.decided', subject, level, message: `${subject} ${text}`, details },
    });
  }

  /** Does what is next in the order of the family: a stop, or else a start. */
  advance(): void {
    const { strategy, order } = this.family;
    const row = order.map((id) => this.get(id)!);
    const any = (standing: Standing) => row.some((child) => child.standing === standing);
    if (any('condemned')) {
      if (!any('stopping')) this.#stopNext(row);
      return;
    }
    if (isGroup(strategy) && any('stopping')) return;
    if (strategy === 'one_for_all' && any('restarting')) return;
    const first = row.find((child) => child.standing !== 'ready' && child.standing !== 'down');
    if (first?.standing === 'queued') this.start(first);
  }

  #stopNext(row: readonly Child[]): void {
    const last = row.findLast((child) => child.standing === 'condemned')!;
    this.stop(last, last.then ?? 'rest');
  }
}
