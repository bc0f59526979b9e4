/**
 * S6: every crash of an actor reaches exactly one owner: its supervisor decides once, or goes down itself. And every
 * undeliverable message is a dead letter that is counted.
 */
import type { Frame, KernelCounters } from '../../../../protocols/inspection.ts';
import { Checker } from '../checker.ts';

export class ErrorOwners extends Checker {
  readonly name = 'S6';
  /** Crashes whose supervisor has not decided, by supervisor and child id. */
  readonly #open = new Map<string, { readonly parent: string; readonly atMs: number }>();
  #dead = 0;

  override onBoot(): void {
    this.#open.clear();
    this.#dead = 0;
  }

  override onFrame(frame: Frame): void {
    switch (frame.type) {
      case 'actor.crashed':
        return this.#crashed(frame.path);
      case 'supervisor.decided':
        this.#open.delete(`${frame.path} ${frame.child}`);
        return;
      case 'actor.stopped':
        return this.#stopped(frame.path);
      case 'message.dead':
        this.#dead += 1;
        return;
      default:
        return;
    }
  }

  #crashed(path: string): void {
    this.exercised += 1;
    const { parent, child } = place(path);
    const key = `${parent} ${child}`;
    if (this.#open.has(key)) this.fail(`${path} crashed again before its supervisor had decided`);
    if (path !== '/') this.#open.set(key, { parent, atMs: this.sight.nowMs() });
  }

  /** A supervisor that goes down takes its open questions along: they are its own supervisor's now. */
  #stopped(path: string): void {
    for (const [key, { parent }] of this.#open) if (parent === path) this.#open.delete(key);
  }

  override onTick({ deadLetters }: KernelCounters): void {
    for (const [key, { atMs }] of this.#open)
      if (this.sight.nowMs() - atMs > 1_000) this.fail(`nobody decided about ${key}, which crashed`);
    if (deadLetters !== this.#dead)
      this.fail(`${deadLetters} dead letters are counted and ${this.#dead} were told`);
  }
}

const families = ['/workload/slots', '/workload/containers', '/workload/checks'];

/** Ids of dynamic children hold slashes. */
function place(path: string): { parent: string; child: string } {
  const family = families.find((each) => path.startsWith(`${each}/`));
  const cut = family === undefined ? path.lastIndexOf('/') : family.length;
  return { parent: cut === 0 ? '/' : path.slice(0, cut), child: path.slice(cut + 1) };
}
