/** X2: a planted secret is in no frame, no row of the store, no entry of the journal, and in nothing that a driver is asked, but sealed. */
import type { Frame } from '../../../protocols/inspection.ts';
import type { StoreEvent } from '../../../protocols/state/model.ts';
import type { PortCall } from '../../world/simulated/gate.ts';
import { planted, plantedBase64 } from '../plans/needs.ts';
import { ClusterChecker } from './checker.ts';

export class SecretsKept extends ClusterChecker {
  readonly name = 'X2';

  override onCall({ port, op, args }: PortCall): void {
    if (port === 'grants' && op === 'place') this.exercised += 1;
    // Its own answers are what it is for; it is asked for places alone.
    if (tells(args)) this.#tell(`${port}.${op}`);
  }

  override onFrame(frame: Frame): void {
    if (tells(frame)) this.#tell(`a frame of ${frame.path}`);
  }

  override onRevision(events: readonly StoreEvent[], revision: number): void {
    if (tells(events)) this.#tell(`revision ${revision}`);
  }

  #tell(where: string): never {
    return this.fail(`a secret is in ${where}`);
  }
}

const shortest = Math.min(planted.length, plantedBase64.length);

/** Every text and every key of it; bytes are sealed or not text. */
function tells(value: unknown): boolean {
  if (typeof value === 'string')
    return value.length >= shortest && (value.includes(planted) || value.includes(plantedBase64));
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return false;
  if (Array.isArray(value)) return value.some(tells);
  for (const key in value)
    if (tells(key) || tells((value as Readonly<Record<string, unknown>>)[key])) return true;
  return false;
}
