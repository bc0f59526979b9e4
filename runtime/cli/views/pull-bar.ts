/** How far a pull is, as a bar; read from the reason that a slot gives while it waits for its image. */
import type { Reason } from '../../../protocols/errors.ts';

interface PulledBytes {
  readonly doneBytes: number;
  /** At least 1. */
  readonly totalBytes: number;
}

/** None: it waits for something else, or the registry has not said how much there is. */
export function pullOf(because: Reason | undefined): PulledBytes | undefined {
  if (because?.code !== 'HM-IMAGE-PULLING') return undefined;
  const { doneBytes, totalBytes } = because.evidence;
  if (typeof doneBytes !== 'number' || typeof totalBytes !== 'number' || totalBytes < 1) return undefined;
  return { doneBytes, totalBytes };
}

export function pullBar(doneBytes: number, totalBytes: number, cells: number): string {
  const full = totalBytes === 0 ? cells : Math.min(cells, Math.floor((doneBytes / totalBytes) * cells));
  return `${'█'.repeat(full)}${'░'.repeat(cells - full)}`;
}
