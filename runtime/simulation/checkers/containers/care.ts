/**
 * H1: hooks run once a run: never again once the journal holds that they have, no container is served before its
 * post-start hooks have passed, and none that served is signalled before its pre-stop hooks were tried. H2: a liveness
 * probe that fails leads to an end of the container, where its policy allows another.
 */
import { runEntry, type RunRecord } from '../../../../protocols/containers/slot/value.ts';
import type { ContainerStatus } from '../../../../protocols/containers/model.ts';
import type { Frame } from '../../../../protocols/inspection.ts';
import type { MachineEvent } from '../../../drivers/container/scripted/machine.ts';
import { scriptAt } from '../../../drivers/container/scripted/script.ts';
import type { PortCall } from '../../../world/simulated/gate.ts';
import { entriesOf } from '../../node/journal-view.ts';
import { assignmentsIn } from '../../oracle.ts';
import { Checker } from '../checker.ts';

/** A note is in the journal by then. */
const noteMs = 3_000;

type Run = { readonly id: string; readonly args: readonly string[] };

const isRecordOf = ({ key }: ContainerStatus, record: RunRecord | undefined): record is RunRecord =>
  record?.placement === key.placement && record.run === key.run && record.attempt === key.attempt;

export class HooksOnce extends Checker {
  readonly name = 'H1';
  /** `id hook`: asked for, and passed. */
  readonly #asked = new Set<string>();
  readonly #passed = new Map<string, number>();
  /** When a life ended, an actor crashed or the journal was cut: what was done just before may not be known. */
  readonly #breaks: number[] = [];
  /** Told to the journal in the present life: an earlier one may not have got it there. */
  readonly #noted = new Set<string>();

  override onBoot(): void {
    this.#noted.clear();
  }

  override onEnd(): void {
    this.#breaks.push(this.sight.nowMs());
  }

  override onFrame(frame: Frame): void {
    if (frame.type === 'actor.crashed') this.#breaks.push(this.sight.nowMs());
  }

  override onCut(): void {
    for (const key of this.#passed.keys()) this.#passed.set(key, Infinity);
    this.#noted.clear();
  }

  override onCall({ port, op, args }: PortCall): void {
    if (port === 'journal' && op === 'append') return this.#note(entriesOf(args));
    if (port === 'names' && op === 'update') return this.#served();
    if (port !== 'containers' || op !== 'run') return;
    const { id, args: command } = args as Run;
    const hook = command[0] ?? '';
    if (hook !== 'post-start' && hook !== 'pre-stop') return;
    this.exercised += 1;
    if (this.#noted.has(`${id} ${hook}`)) this.fail(`${hook} runs in ${id}, where it has run`);
    const passedAt = this.#passed.get(`${id} ${hook}`);
    if (passedAt !== undefined && this.#isKnown(passedAt)) this.fail(`${hook} runs in ${id} again`);
    this.#asked.add(`${id} ${hook}`);
  }

  override onAnswer({ port, op, args }: PortCall, value: unknown): void {
    if (port !== 'containers' || op !== 'run' || (value as { code: number }).code !== 0) return;
    const { id, args: command } = args as Run;
    // While something is wrong, a note may wait for its disk.
    const key = `${id} ${command[0]}`;
    this.#passed.set(key, this.sight.calmSinceMs() === undefined ? Infinity : this.sight.nowMs());
  }

  /** That it passed was told and written down long ago. */
  #isKnown(passedAt: number): boolean {
    const calmSince = this.sight.calmSinceMs() ?? Infinity;
    const isBroken = this.#breaks.some((at) => at >= passedAt && at - passedAt < noteMs);
    return !isBroken && this.sight.nowMs() - passedAt >= noteMs && calmSince < Infinity;
  }

  #note(entries: Readonly<Record<string, unknown>>): void {
    for (const container of this.sight.machine.list()) {
      const record = entries[runEntry(container.key.slot)] as RunRecord | undefined;
      if (!isRecordOf(container, record)) continue;
      if (record.hooked) this.#noted.add(`${container.id} post-start`);
      if (record.stop?.hooked) this.#noted.add(`${container.id} pre-stop`);
    }
  }

  #served(): void {
    for (const container of this.sight.machine.list()) {
      const { id, phase, address } = container;
      if (phase !== 'running' || !this.sight.machine.created(id)?.spec.hooks?.postStart) continue;
      const isNamed = this.sight.names.zone.names.some((name) => name.address === address);
      if (isNamed && !this.#passed.has(`${id} post-start`) && isRecordOf(container, this.#record(container)))
        this.fail(`${id} is served before its post-start hook has passed`);
    }
  }

  #record = ({ key }: ContainerStatus) => this.sight.records.get(key.slot);

  override onMachine({ what, status, by }: MachineEvent): void {
    if (what !== 'signalled' || by !== 'call') return;
    const spec = this.sight.machine.created(status.id)?.spec;
    const record = this.#record(status);
    if (!spec?.hooks?.preStop || !isRecordOf(status, record) || record.ready !== true) return;
    if (spec.hooks.postStart && !record.hooked) return;
    this.exercised += 1;
    if (!this.#asked.has(`${status.id} pre-stop`))
      this.fail(`${status.id} is signalled without its pre-stop hook`);
  }
}

/** Two failures two seconds apart with their time-outs, the verdict, and its note: by then its end has begun. */
const verdictMs = 12_000;

export class LivenessHeeded extends Checker {
  readonly name = 'H2';
  #disturbedAtMs = 0;

  override onBoot(): void {
    this.#disturbedAtMs = this.sight.nowMs();
  }

  override onFrame(frame: Frame): void {
    if (frame.type === 'actor.crashed') this.#disturbedAtMs = this.sight.nowMs();
  }

  /** A life that ended in time is what counts as exercise. */
  override onMachine({ what, status, by }: MachineEvent): void {
    if (what === 'signalled' && by === 'call' && this.#sickForMs(status) > 0) this.exercised += 1;
  }

  override onTick(): void {
    const calmSince = this.sight.calmSinceMs();
    if (calmSince === undefined) return;
    const calmForMs = this.sight.nowMs() - Math.max(calmSince, this.#disturbedAtMs);
    for (const container of this.sight.machine.list()) {
      if (container.phase !== 'running' || Math.min(calmForMs, this.#sickForMs(container)) < verdictMs)
        continue;
      const assignment = assignmentsIn(this.sight.rows, this.sight.node).get(container.key.slot);
      const record = this.sight.records.get(container.key.slot);
      if (assignment?.placement !== container.key.placement || !isRecordOf(container, record)) continue;
      const { condition, maxAttempts } = assignment.spec.restart;
      const isSpent = maxAttempts !== undefined && record.history.restarts >= maxAttempts;
      if (condition !== 'none' && !isSpent && !record.outcome && !record.stop)
        this.fail(`${container.id} fails its liveness probe for ${verdictMs} ms and its end has not begun`);
    }
  }

  #sickForMs({ id }: ContainerStatus): number {
    const { machine } = this.sight;
    const action = machine.created(id)?.spec.probes?.liveness?.action;
    if (action?.type !== 'tcp') return 0;
    const said = scriptAt(machine.scriptFor(id)?.ports?.[action.port], machine.upMs(id));
    return said && said.code !== 0 ? machine.upMs(id) - said.fromMs : 0;
  }
}
