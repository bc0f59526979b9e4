/**
 * U1: news reach containers that go on running: limits that some revision says, contents of files that are never half
 * of one revision and half of another when the container is told of them. That they arrive is O1's.
 */
import type { RevisionRecord } from '../../../../protocols/apps/model.ts';
import type { ContainerStatus } from '../../../../protocols/containers/model.ts';
import { resourcesMark } from '../../../../protocols/containers/oci/resources.ts';
import type { MachineEvent } from '../../../drivers/container/scripted/machine.ts';
import { Checker } from '../checker.ts';

export class News extends Checker {
  readonly name = 'U1';

  override onMachine({ what, status }: MachineEvent): void {
    if (what !== 'updated' && what !== 'notified') return;
    this.exercised += 1;
    if (what === 'updated') this.#checkLimits(status);
    else this.#checkFiles(status);
  }

  #checkLimits({ id, key, resources }: ContainerStatus): void {
    const service = this.sight.machine.created(id)?.spec.name ?? '';
    const said = this.#revisions(key.slot).map(({ spec }) => spec.services[service]?.resources);
    if (!said.some((limits) => resourcesMark(limits) === resources))
      this.fail(`${id} is given ${resources}, which no revision says`);
  }

  #checkFiles({ id, key }: ContainerStatus): void {
    const files = this.sight.machine.created(id)?.spec.files ?? [];
    const held = [...(this.sight.grants.runs.get(id)?.files.values() ?? [])];
    const whole = this.#revisions(key.slot).some(({ spec }) =>
      files.every(({ kind, source }) => {
        const digest = (kind === 'secret' ? spec.secrets : spec.configs)?.[source]?.digest;
        return held.some(({ mark }) => mark.endsWith(`${kind}.${source}/${digest?.slice('sha256:'.length)}`));
      }),
    );
    if (!whole) this.fail(`${id} is told of files that are of no one revision`);
  }

  #revisions(slot: string): readonly RevisionRecord[] {
    const prefix = `revisions/${slot.slice(0, slot.indexOf('/'))}/`;
    return [...this.sight.rows].flatMap(([key, value]) =>
      key.startsWith(prefix) ? [value as RevisionRecord] : [],
    );
  }
}
