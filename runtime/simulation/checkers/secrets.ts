/** X2: a planted secret is in no frame, no row of the store, no entry of the journal, and in nothing that a driver is asked, but sealed. */
import type { Frame } from '../../../protocols/inspection.ts';
import type { StoreEvent } from '../../../protocols/state/model.ts';
import type { PortCall } from '../../world/simulated/gate.ts';
import { planted, plantedBase64 } from '../plans/needs.ts';
import { Checker } from './checker.ts';

export class SecretsKept extends Checker {
  readonly name = 'X2';

  override onCall({ port, op, args }: PortCall): void {
    if (port === 'grants' && op === 'place') this.exercised += 1;
    // Its own answers are what it is for; it is asked for places alone.
    this.#look(`${port}.${op}`, args);
  }

  override onFrame(frame: Frame): void {
    this.#look(`a frame of ${frame.path}`, frame);
  }

  override onRevision(events: readonly StoreEvent[], revision: number): void {
    this.#look(`revision ${revision}`, events);
  }

  #look(where: string, value: unknown): void {
    const text = JSON.stringify(value) ?? '';
    if (text.includes(planted) || text.includes(plantedBase64)) this.fail(`a secret is in ${where}`);
  }
}
