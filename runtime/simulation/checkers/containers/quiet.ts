/** O1: after finite faults everything runs as desired, and stays so. O9: a settled node that looks again changes nothing. */
import type { MachineEvent } from '../../../drivers/container/scripted/machine.ts';
import { ClusterChecker } from '../checker.ts';

export class AsDesired extends ClusterChecker {
  readonly name = 'O1';

  /** `problems`: what differs from the wish at the bound; none is what must be. */
  judge(problems: readonly string[], boundMs: number): void {
    this.exercised += 1;
    if (problems.length > 0) this.fail(`${boundMs} ms after everything healed: ${problems.join('; ')}`);
  }

  judgeStays(problems: readonly string[]): void {
    if (problems.length > 0) this.fail(`it was as desired, and then: ${problems.join('; ')}`);
  }
}

/** What can change on a machine, as counters. */
export interface Changes {
  readonly revision: number;
  readonly appends: number;
  readonly network: number;
  readonly volumes: number;
}

export class Idempotent extends ClusterChecker {
  readonly name = 'O9';
  #from: Changes | undefined;

  /** From here on nothing may change. */
  begin(changes: Changes): void {
    this.#from = changes;
  }

  end(changes: Changes): void {
    const from = this.#from;
    this.#from = undefined;
    if (!from) return;
    this.exercised += 1;
    for (const name of ['revision', 'appends', 'network', 'volumes'] as const) {
      if (changes[name] !== from[name])
        this.fail(`a settled node changed something: ${name} went from ${from[name]} to ${changes[name]}`);
    }
  }

  override onMachine({ what, status }: MachineEvent): void {
    if (this.#from) this.fail(`a settled node's machine: ${status.id} was ${what}`);
  }
}
