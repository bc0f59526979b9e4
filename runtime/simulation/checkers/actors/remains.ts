/** S2: a stop leaves no actor, timer or stream behind, and exactly the containers. S1: the tree after a restart is the tree before. */
import type { ActorView } from '../../../../protocols/inspection.ts';
import { Checker, type Remains } from '../checker.ts';

export class NothingLeft extends Checker {
  readonly name = 'S2';
  #before: readonly string[] = [];

  /** Containers that run when a stop begins. */
  beforeStop(): void {
    this.#before = this.#running();
  }

  override onEnd({ how, actors, timers, streams }: Remains): void {
    if (how === 'kill') return;
    this.exercised += 1;
    if (actors.length > 0) this.fail(`${actors.map((actor) => actor.path).join(' ')} outlived the stop`);
    if (timers > 0) this.fail(`${timers} timers outlived the stop`);
    if (streams > 0) this.fail(`${streams} watches outlived the stop`);
  }

  /** `detach` leaves exactly the containers. */
  afterStop(): void {
    const after = this.#running();
    const lost = this.#before.filter((id) => !after.includes(id));
    if (lost.length > 0) this.fail(`stopping the node stopped ${lost.join(' ')}`);
  }

  #running(): readonly string[] {
    return this.sight.machine
      .list()
      .filter((container) => container.phase === 'running')
      .map((container) => container.id);
  }
}

export class SameTree extends Checker {
  readonly name = 'S1';

  compare(before: readonly ActorView[], after: readonly ActorView[]): void {
    this.exercised += 1;
    const lines = (tree: readonly ActorView[]) =>
      tree.map((actor) => `${actor.path} ${actor.machine}`).sort();
    const was = lines(before);
    const is = lines(after);
    const missing = was.filter((line) => !is.includes(line));
    const extra = is.filter((line) => !was.includes(line));
    if (missing.length + extra.length > 0)
      this.fail(`the restarted tree lacks [${missing.join(', ')}] and has [${extra.join(', ')}]`);
  }
}
