/** Granted files of a simulated machine: they outlive every life of the daemon. Contents are kept, for tests and checkers to read. */
import { coded } from '../../../protocols/errors.ts';
import type { Clock, GrantFiles, GrantMount } from '../../../protocols/ports.ts';
import { limits } from '../../../protocols/limits.ts';
import { planOf, type PlannedFile, type Unseal } from './unseal.ts';

export class MemoryGrants implements GrantFiles {
  /** By container, then by path. */
  readonly runs = new Map<string, { readonly madeAt: number; readonly files: Map<string, PlannedFile> }>();
  /** No file system can be mounted. */
  broken = false;
  readonly #clock: Clock;
  readonly #unseal: Unseal;

  constructor(clock: Clock, unseal: Unseal) {
    this.#clock = clock;
    this.#unseal = unseal;
  }

  place: GrantFiles['place'] = async (args, call) => {
    const { files, mounts } = await planOf(args, this.#unseal, call);
    if (this.broken) throw coded('HM-SECRET-TMPFS');
    const madeAt = this.#clock.monotonicMs();
    this.runs.set(args.id, { madeAt, files: new Map(files.map((file) => [file.path, file])) });
    return {
      mounts: mounts.map(({ path, target }): GrantMount => {
        return { type: 'bind', source: `/grants/${args.id}/${path}`, target, readOnly: true };
      }),
    };
  };

  renew: GrantFiles['renew'] = async (args, call) => {
    const run = this.runs.get(args.id);
    if (!run) return { changed: false };
    const { files } = await planOf(args, this.#unseal, call);
    const changed = files.filter(({ path, mark }) => run.files.get(path)?.mark !== mark);
    for (const file of changed) run.files.set(file.path, file);
    return { changed: changed.length > 0 };
  };

  remove: GrantFiles['remove'] = ({ id }) => {
    this.runs.delete(id);
    return Promise.resolve({});
  };

  sweep: GrantFiles['sweep'] = ({ keep }) => {
    const old = this.#clock.monotonicMs() - limits.grantOrphanMs;
    for (const [id, { madeAt }] of this.runs) if (madeAt < old && !keep.includes(id)) this.runs.delete(id);
    return Promise.resolve({});
  };
}
