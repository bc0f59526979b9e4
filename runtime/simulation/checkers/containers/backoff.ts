/** O7: between an end and the next start lies the backoff, budgets are kept, and supervisors escalate exactly at their intensity. */
import type { RestartPolicy } from '../../../../protocols/apps/model.ts';
import type { ContainerStatus } from '../../../../protocols/containers/model.ts';
import type { Frame } from '../../../../protocols/inspection.ts';
import { limits } from '../../../../protocols/limits.ts';
import type { MachineEvent } from '../../../drivers/container/scripted/machine.ts';
import type { PortCall } from '../../../world/simulated/gate.ts';
import { Checker } from '../checker.ts';
import { NotedStarts } from '../noted-starts.ts';

interface Chain {
  readonly placement: number;
  starts: number;
  failures: number;
  /** Of the last end by itself; absent after an end that somebody asked for. */
  endedAt?: number;
}

export class BackoffKept extends Checker {
  readonly name = 'O7';
  readonly #chains = new Map<string, Chain>();
  readonly #noted = new NotedStarts(this.sight);
  /** Times of restarts, by supervisor. */
  readonly #restarts = new Map<string, number[]>();

  override onCut(): void {
    this.#chains.clear();
  }

  /** The wall clock says how long a run lasted, whether its backoff is over at a start, and a supervisor's period. */
  override onClockSet(): void {
    this.#chains.clear();
    this.#restarts.clear();
  }

  override onBoot(): void {
    this.#restarts.clear();
  }

  override onAnswer(call: PortCall): void {
    this.#noted.answered(call);
  }

  override onMachine(event: MachineEvent): void {
    const { what, status, by } = event;
    if (this.#noted.isUntold(event)) this.#chains.delete(status.key.slot);
    if (what === 'started') this.#started(status);
    if (what === 'exited') this.#exited(status, by);
  }

  #started({ id, key }: ContainerStatus): void {
    const now = this.sight.nowMs();
    const before = this.#chains.get(key.slot);
    const same = before?.placement === key.placement ? before : undefined;
    const chain: Chain = same ?? { placement: key.placement, starts: 0, failures: 0 };
    chain.starts += 1;
    this.#chains.set(key.slot, chain);
    this.#checkBudget(id, key.slot, chain);
    if (chain.endedAt === undefined) return;
    const leastMs = leastDelay(chain.failures, this.sight.machine.created(id)?.spec.restart);
    const waited = now - chain.endedAt;
    this.exercised += 1;
    if (waited < leastMs)
      this.fail(
        `${id} started ${waited} ms after its end number ${chain.failures} in a row, before ${leastMs} ms`,
      );
    delete chain.endedAt;
  }

  #checkBudget(id: string, slot: string, chain: Chain): void {
    const budget = this.sight.machine.created(id)?.spec.restart;
    if (!budget) return;
    const allowed = budget.condition === 'none' ? 0 : budget.maxAttempts;
    if (allowed !== undefined && chain.starts > allowed + 1)
      this.fail(`${slot} was started ${chain.starts} times; its policy allows ${allowed} restarts`);
  }

  #exited({ id, key, exit, createdAt }: ContainerStatus, by: MachineEvent['by']): void {
    const chain = this.#chains.get(key.slot);
    if (!chain || chain.placement !== key.placement) return;
    const policy = this.sight.machine.created(id)?.spec.restart;
    // A daemon that began anew in between knows when the container was created, not when it was started.
    const lived = exit && exit.at > 0 ? exit.at - createdAt : 0;
    const lasted = lived >= (policy?.windowMs || limits.backoffResetMs);
    // A window of its own gives the budget back. How long the node thinks it lived, which it may have missed, is not seen.
    if (policy?.windowMs && (lasted || by === 'fault')) chain.starts = 1;
    // Asked for: a stop, or a health check that failed. Its delay is counted from the verdict, which is not seen here.
    if (by === 'call') {
      chain.failures = 0;
      delete chain.endedAt;
      return;
    }
    chain.failures = lasted ? 1 : chain.failures + 1;
    chain.endedAt = this.sight.nowMs();
  }

  override onFrame(frame: Frame): void {
    // A supervisor's own new life begins with a clean slate.
    if (frame.type === 'actor.started') this.#restarts.delete(frame.path);
    if (frame.type !== 'supervisor.decided') return;
    if (frame.decision !== 'restart' && frame.decision !== 'escalate') return;
    const now = this.sight.nowMs();
    const recent = (this.#restarts.get(frame.path) ?? []).filter((at) => now - at < limits.intensityPeriodMs);
    if (frame.decision === 'restart') {
      recent.push(now);
      if (recent.length > limits.intensityRestarts)
        this.fail(`${frame.path} restarted ${recent.length} times within its period and did not escalate`);
    } else {
      this.exercised += 1;
      if (recent.length < limits.intensityRestarts)
        this.fail(`${frame.path} escalated after ${recent.length} restarts within its period`);
    }
    this.#restarts.set(frame.path, recent);
  }
}

/** The shortest that chance may make it, less a rounding. */
function leastDelay(failures: number, policy?: RestartPolicy): number {
  const ours = Math.min(limits.backoffMaxMs, limits.backoffMinMs * 2 ** Math.max(0, failures - 1));
  const theirs = policy?.delayMs;
  const delayMs = theirs === undefined ? ours : failures <= 1 ? theirs : Math.max(theirs, ours);
  return delayMs * (1 - limits.backoffJitter) - 1;
}
