/**
 * Who was refused what for want of the right, as events: they outlive the daemon and are what an operator reads
 * afterwards. The same refusal again within a minute is counted and told with the next, so that nobody fills the log.
 */
import { LRUCache } from 'lru-cache';
import { limits } from '../../../protocols/limits.ts';
import type { Reason } from '../../../protocols/errors.ts';
import type { NodeHandle } from '../../node-handle.ts';
import type { Identity } from '../context.ts';

interface Attempt {
  readonly method: string;
  /** As it was asked. */
  readonly path: string;
  /** As OpenAPI writes it: what counts as the same. */
  readonly route: string;
}

export class Audit {
  readonly #node: Pick<NodeHandle, 'note' | 'clock'>;
  readonly #seen = new LRUCache<string, { toldMs: number; untold: number }>({ max: limits.auditKinds });

  constructor(node: Pick<NodeHandle, 'note' | 'clock'>) {
    this.#node = node;
  }

  refused({ name, scope }: Identity, { method, path, route }: Attempt, because: Reason): void {
    const nowMs = this.#node.clock.monotonicMs();
    const kind = `${name} ${method} ${route}`;
    const seen = this.#seen.get(kind);
    if (seen && nowMs - seen.toldMs < limits.auditRepeatMs) return void (seen.untold += 1);
    this.#seen.set(kind, { toldMs: nowMs, untold: 0 });
    this.#node.note({
      type: 'access.refused',
      subject: name,
      level: 'warning',
      message: `${method} ${path} was refused: ${because.message}`,
      reason: because,
      details: { by: name, scope, method, path, times: (seen?.untold ?? 0) + 1 },
    });
  }
}
