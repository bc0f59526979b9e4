/** How far one pull has come, kept for whoever looks and told to whoever listens. */
import type { LayerProgress, PullProgress } from '../../../../../../protocols/containers/model.ts';
import type { Reason } from '../../../../../../protocols/errors.ts';

export class ProgressTrack {
  readonly #image: string;
  readonly #told: (progress: PullProgress) => void;
  readonly #layers = new Map<string, LayerProgress>();
  #phase: PullProgress['phase'] = 'resolving';
  #digest: string | undefined;
  #reason: Reason | undefined;

  constructor(image: string, told: (progress: PullProgress) => void) {
    this.#image = image;
    this.#told = told;
  }

  get progress(): PullProgress {
    const layers = [...this.#layers.values()];
    return {
      image: this.#image,
      phase: this.#phase,
      doneBytes: layers.reduce((sum, { doneBytes }) => sum + doneBytes, 0),
      totalBytes: layers.reduce((sum, { totalBytes }) => sum + totalBytes, 0),
      layers,
      ...(this.#digest === undefined ? {} : { digest: this.#digest }),
      ...(this.#reason === undefined ? {} : { reason: this.#reason }),
    };
  }

  begin(digest: string, layers: readonly { readonly digest: string; readonly size: number }[]): void {
    this.#digest = digest;
    this.#phase = 'pulling';
    for (const { digest: of, size } of layers)
      this.#layers.set(of, { digest: of, phase: 'waiting', doneBytes: 0, totalBytes: size });
    this.#told(this.progress);
  }

  /** What is no layer (the configuration) is passed over. */
  layer(digest: string, phase: LayerProgress['phase'], doneBytes: number): void {
    const held = this.#layers.get(digest);
    if (!held || (held.phase === phase && held.doneBytes === doneBytes)) return;
    // Unpacking may begin before the last word on the bytes.
    if (order.indexOf(phase) < order.indexOf(held.phase)) return;
    this.#layers.set(digest, { ...held, phase, doneBytes });
    if ([...this.#layers.values()].every((one) => order.indexOf(one.phase) >= order.indexOf('pulled')))
      this.#phase = 'unpacking';
    this.#told(this.progress);
  }

  done(digest: string): void {
    this.#digest = digest;
    this.#phase = 'done';
    this.#told(this.progress);
  }

  failed(reason: Reason): void {
    this.#phase = 'failed';
    this.#reason = reason;
    this.#told(this.progress);
  }
}

const order = ['waiting', 'pulling', 'pulled', 'unpacking', 'done'] as const;
