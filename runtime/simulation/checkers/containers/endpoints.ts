/**
 * D1: no endpoint of an unready or draining container is answered later than the bound. D2: a ready one appears within
 * its bound. Judged only where nothing else was wrong for as long: a registry that was down knows less.
 */
import { slotName } from '../../../../protocols/apps/model.ts';
import type { ContainerStatus } from '../../../../protocols/containers/model.ts';
import type { Frame } from '../../../../protocols/inspection.ts';
import type { MachineEvent } from '../../../drivers/container/scripted/machine.ts';
import { scriptAt } from '../../../drivers/container/scripted/script.ts';
import type { PortCall } from '../../../world/simulated/gate.ts';
import { assignmentsIn } from '../../oracle.ts';
import { Checker } from '../checker.ts';

/** Two intervals of the slowest probe that gates, its time-outs, a push with a repetition. */
const boundMs = 15_000;

/** From the wish to end it until its name is gone. */
const slackMs = 200;

/** Which of the answers count for the endpoint, and for how long they have been so. */
type Standing = 'good' | 'bad' | 'mixed';

abstract class Endpoints extends Checker {
  #disturbedAtMs = 0;

  override onBoot(): void {
    this.#disturbedAtMs = this.sight.nowMs();
  }

  override onFrame(frame: Frame): void {
    if (frame.type === 'actor.crashed') this.#disturbedAtMs = this.sight.nowMs();
  }

  protected undisturbed(forMs: number): boolean {
    const now = this.sight.nowMs();
    const calmSince = this.sight.calmSinceMs();
    const engine = this.sight.engineTroubledWithin(forMs);
    return (
      calmSince !== undefined && now - calmSince >= forMs && now - this.#disturbedAtMs >= forMs && !engine
    );
  }

  protected isNamed({ address, key }: ContainerStatus): boolean {
    return this.sight.names.zone.names.some(
      (name) => name.address === address && slotName(name.app, name.service, name.index) === key.slot,
    );
  }

  protected isPublished({ address }: ContainerStatus): boolean {
    return this.sight.network.publications.some(({ backends }) =>
      backends.some((backend) => backend.address === address),
    );
  }

  /** Containers with an address, of the placement that is wanted, that have run for longer than the bound. */
  protected *served(): Generator<ContainerStatus> {
    const assigned = assignmentsIn(this.sight.rows, this.sight.node);
    for (const container of this.sight.machine.list()) {
      if (container.phase !== 'running' || container.address === undefined) continue;
      if (this.sight.machine.upMs(container.id) < boundMs) continue;
      const assignment = assigned.get(container.key.slot);
      if (assignment?.placement === container.key.placement) yield container;
    }
  }

  /** What its script answered to all that gates its endpoint, over the whole of the bound. */
  protected standing({ id }: ContainerStatus): Standing {
    const { machine } = this.sight;
    const { healthcheck, probes } = machine.created(id)?.spec ?? {};
    const script = machine.scriptFor(id);
    const gates = [
      healthcheck ? script?.execs?.[healthcheck.test[0] ?? ''] : undefined,
      ...[probes?.readiness, probes?.liveness].map((probe) =>
        probe?.action.type === 'tcp' ? script?.ports?.[probe.action.port] : undefined,
      ),
    ].filter((gate) => gate !== undefined);
    // Everything was healed just now: its script is another one.
    const sinceHealed = this.sight.nowMs() - this.sight.healedAtMs();
    if (sinceHealed >= 0 && sinceHealed < boundMs) return 'mixed';
    const up = machine.upMs(id);
    const from = up - boundMs;
    const changed = gates.some((gate) => gate.some(({ fromMs }) => fromMs > from && fromMs <= up));
    if (changed) return 'mixed';
    return gates.every((gate) => scriptAt(gate, up)?.code === 0) ? 'good' : 'bad';
  }
}

export class Withdrawn extends Endpoints {
  readonly name = 'D1';

  /** When the name of a container was last in the names. */
  readonly #namedAtMs = new Map<string, number>();

  override onCall({ port, op }: PortCall): void {
    if (port !== 'names' || op !== 'update') return;
    // What is there now was there until now.
    for (const container of this.sight.machine.list())
      if (this.isNamed(container)) this.#namedAtMs.set(container.id, this.sight.nowMs());
  }

  override onMachine({ what, status, by }: MachineEvent): void {
    if (what !== 'signalled' || by !== 'call' || !this.undisturbed(boundMs)) return;
    this.exercised += 1;
    this.#checkDrain(status);
    if (this.isNamed(status)) this.fail(`${status.id} is asked to end and still has a name`);
    if (this.isPublished(status)) this.fail(`${status.id} is asked to end and is still behind a port`);
  }

  /** One that is replaced because it fails is not drained. */
  #checkDrain({ id, key }: ContainerStatus): void {
    const record = this.sight.records.get(key.slot);
    const drainMs = this.sight.machine.created(id)?.spec.probes?.drainMs ?? 0;
    const namedAt = this.#namedAtMs.get(id);
    if (namedAt === undefined || record?.outcome !== undefined || record?.ready !== true) return;
    if (record.run !== key.run || record.placement !== key.placement) return;
    const had = this.sight.nowMs() - namedAt;
    if (had < drainMs - slackMs) this.fail(`${id} was drained for ${had} ms, and not for ${drainMs} ms`);
  }

  override onTick(): void {
    if (!this.undisturbed(boundMs)) return;
    for (const container of this.served()) {
      if (this.standing(container) !== 'bad') continue;
      this.exercised += 1;
      if (this.isNamed(container)) this.fail(`${container.id} is not ready and has a name`);
      if (this.isPublished(container)) this.fail(`${container.id} is not ready and is behind a port`);
    }
  }
}

export class Appears extends Endpoints {
  readonly name = 'D2';

  override onTick(): void {
    if (!this.undisturbed(boundMs)) return;
    for (const container of this.served()) {
      if (this.standing(container) !== 'good' || this.#isEnding(container)) continue;
      this.exercised += 1;
      if (!this.isNamed(container)) this.fail(`${container.id} is ready and has no name`);
    }
  }

  /** A stop has begun, or its hooks are at work. */
  #isEnding({ key }: ContainerStatus): boolean {
    const record = this.sight.records.get(key.slot);
    return record?.outcome !== undefined || record?.stop !== undefined || record?.started !== true;
  }
}
