/**
 * O11: a restarted node adopts its running containers, none is stopped without cause and none is lost. O12: a node
 * that meets another store stops nothing. A stop has a cause when the true store no longer wants that placement,
 * when the journal holds a newer run, or when the container's health check fails.
 */
import type { ContainerStatus } from '../../../../protocols/containers/model.ts';
import type { MachineEvent } from '../../../drivers/container/scripted/machine.ts';
import type { ExecScript } from '../../../drivers/container/scripted/script.ts';
import { probePorts, scriptOf } from '../../plans/workload.ts';
import { assignmentsIn } from '../../oracle.ts';
import { Checker } from '../checker.ts';
import { compareKeys } from './lives.ts';

/** A check counts failures over its retries and interval. */
const verdictMs = 60_000;

export class Kept extends Checker {
  readonly name = 'O11';

  override onBoot(): void {
    this.exercised += this.sight.machine.list().filter((container) => container.phase === 'running').length;
  }

  override onMachine({ what, status, by }: MachineEvent): void {
    if (by !== 'call' || (what !== 'signalled' && what !== 'killed')) return;
    if (status.phase !== 'running') return;
    const cause = this.#cause(status);
    if (cause === undefined) this.fail(`${status.id} was ${what} without a cause`);
  }

  #cause(status: ContainerStatus): string | undefined {
    const { key } = status;
    const assignment = assignmentsIn(this.sight.rows, this.sight.node).get(key.slot);
    if (assignment === undefined) return 'not wanted';
    if (assignment.placement > key.placement) return 'placed anew';
    const newest = this.sight.records.get(key.slot);
    if (newest && compareKeys({ slot: key.slot, ...newest }, key) > 0) return 'an older run';
    if (newest?.outcome !== undefined && compareKeys({ slot: key.slot, ...newest }, key) === 0)
      return this.#isSick(status) ? 'unhealthy' : undefined;
    return this.#isSick(status) ? 'unhealthy' : undefined;
  }

  /** A readiness probe is no cause: it only withdraws. */
  #isSick({ id }: ContainerStatus): boolean {
    const create = this.sight.machine.created(id);
    const { healthcheck: check, probes, hooks } = create?.spec ?? {};
    const script = create ? scriptOf(create, false) : {};
    const fails = (entries: readonly ExecScript[] | undefined) =>
      entries?.some((entry) => entry.code !== 0) ?? false;
    if (probes?.liveness && fails(script.ports?.[probePorts.liveness])) return true;
    if (hooks?.postStart && fails(script.execs?.['post-start'])) return true;
    if (check === undefined)
      return hooks?.postStart !== undefined && this.sight.engineTroubledWithin(verdictMs);

    // As it was before everything healed: the verdict may come later.
    return fails(script.execs?.[check.test[0] ?? '']) || this.sight.engineTroubledWithin(verdictMs);
  }
}

export class ForeignStore extends Checker {
  readonly name = 'O12';
  #running: ReadonlySet<string> = new Set();

  /** A false store has taken the place of the true one. */
  begin(): void {
    const running = this.sight.machine.list().filter((container) => container.phase === 'running');
    this.#running = new Set(running.map((container) => container.id));
    this.exercised += this.#running.size;
  }

  end(): void {
    this.#running = new Set();
  }

  override onMachine({ what, status, by }: MachineEvent): void {
    if (by !== 'call' || !this.sight.storeIsFalse()) return;
    if (what !== 'signalled' && what !== 'killed') return;
    if (!this.#running.has(status.id)) return;
    const assignment = assignmentsIn(this.sight.rows, this.sight.node).get(status.key.slot);
    // What the true store wished before it went is still carried out.
    if (assignment === undefined || assignment.placement > status.key.placement) return;
    const { healthcheck, probes, hooks } = assignment.spec;
    if (healthcheck ?? probes?.liveness ?? hooks?.postStart) return;
    this.fail(`${status.id} was ${what} while a false store stood there`);
  }
}
