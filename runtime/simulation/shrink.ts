/**
 * From a failing plan to a small one that still breaks the same invariant: fast-check shrinks what it drew; what was put
 * together of many draws, or kept in a file, gets rid of its orders, faults and services one by one.
 */
import fc from 'fast-check';
import { planParameters } from './plans/plan-arbitrary.ts';
import type { ClusterPlan } from './plans/cluster-plan.ts';
import type { Plan } from './plans/plan.ts';
import { simulate } from './simulation.ts';

export interface Shrinking {
  readonly seed: number;
  readonly plan: Plan;
  /** Draws the plan. */
  readonly plans?: fc.Arbitrary<Plan>;
  /** At most so many smaller plans are run. */
  readonly tries: number;
}

export interface Shrunk {
  readonly plan: Plan;
  /** What it shows. */
  readonly found: string;
}

/** `undefined` when the plan does not fail. */
export async function shrink({ seed, plan, plans, tries }: Shrinking): Promise<Shrunk | undefined> {
  const first = (await simulate(seed, plan)).violation;
  if (first === undefined) return undefined;
  let left = tries;
  let best: Shrunk = { plan, found: first.text };
  const fails = async (smaller: Plan): Promise<boolean> => {
    if (left-- <= 0) return false;
    const { violation } = await simulate(seed, smaller);
    if (violation?.checker !== first.checker) return false;
    best = { plan: smaller, found: violation.text };
    return true;
  };
  if (plans)
    await fc.check(
      fc.asyncProperty(plans, async (smaller) => !(await fails(smaller))),
      planParameters(seed),
    );
  while (left > 0 && (await anyOf(smallerThan(best.plan), fails)));
  return best;
}

async function anyOf(plans: Iterable<Plan>, fails: (plan: Plan) => Promise<boolean>): Promise<boolean> {
  for (const plan of plans) if (await fails(plan)) return true;
  return false;
}

/** Each a little smaller; the boldest first. */
function* smallerThan(plan: Plan): Iterable<Plan> {
  const { orders, faults, cluster } = plan;
  for (let share = 2; share <= faults.length; share *= 2)
    for (const fewer of withoutParts(faults, share)) yield { ...plan, faults: fewer };
  for (const fewer of withoutParts(faults, faults.length)) yield { ...plan, faults: fewer };
  for (const fewer of withoutParts(orders, orders.length)) yield { ...plan, orders: fewer };
  if (plan.lastKill !== false) yield { ...plan, lastKill: false };
  const { sites = [] } = plan;
  for (const fewer of withoutParts(sites, sites.length)) yield { ...plan, sites: fewer };
  if (cluster) {
    const all = 2 ** cluster.nodes - 1;
    if ((cluster.core & all) !== all) yield { ...plan, cluster: { ...cluster, core: all } };
    for (const smaller of easierToJoin(cluster)) yield { ...plan, cluster: smaller };
  }
  for (const [index, order] of orders.entries()) {
    if (order.do !== 'deploy' || order.services.length < 2) continue;
    for (const services of withoutParts(order.services, order.services.length))
      yield { ...plan, orders: orders.with(index, { ...order, services }) };
  }
}

/** Without the door, or with one mishap less there. */
function* easierToJoin({ joining, ...cluster }: ClusterPlan): Iterable<ClusterPlan> {
  if (!joining) return;
  yield cluster;
  const { acts, doorKills, tokens, lostAnswers } = joining;
  for (const fewer of withoutParts(acts, acts.length))
    yield { ...cluster, joining: { ...joining, acts: fewer } };
  for (const fewer of withoutParts(doorKills, doorKills.length))
    yield { ...cluster, joining: { ...joining, doorKills: fewer } };
  if (lostAnswers > 0) yield { ...cluster, joining: { ...joining, lostAnswers: 0 } };
  for (const [at, kind] of tokens.entries())
    if (kind !== 'good') yield { ...cluster, joining: { ...joining, tokens: tokens.with(at, 'good') } };
}

/** Once without each of so many parts. */
function* withoutParts<One>(list: readonly One[], parts: number): Iterable<readonly One[]> {
  const size = Math.ceil(list.length / Math.max(1, parts));
  for (let from = 0; from < list.length; from += size)
    yield [...list.slice(0, from), ...list.slice(from + size)];
}
