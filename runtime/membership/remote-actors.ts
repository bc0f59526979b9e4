/** The actors of a membership subtree as the main thread shows them: asked for, one question at a time. */
import { CodedError } from '../../protocols/errors.ts';
import type { ActorView, RemoteDirectory, TranscriptLine } from '../../protocols/inspection.ts';
import type { Stop } from '../../protocols/ports.ts';
import type { ActorPath } from '../../protocols/wire/address.ts';
import type { Inspection, ToHost } from './messages.ts';

type Asked = Parameters<RemoteDirectory['transcript']>[0];

export class RemoteActors implements RemoteDirectory {
  readonly #ask: (question: Inspection) => Promise<unknown>;
  readonly #post: (message: ToHost) => void;
  readonly #followers = new Set<(line: TranscriptLine) => void>();

  constructor(ask: (question: Inspection) => Promise<unknown>, post: (message: ToHost) => void) {
    this.#ask = ask;
    this.#post = post;
  }

  async tree(): Promise<readonly ActorView[]> {
    const views = ((await this.#inspect({ of: 'tree' })) ?? []) as readonly ActorView[];
    return views.filter(({ path }) => path !== '/');
  }

  async show(path: ActorPath): Promise<(ActorView & { readonly context: unknown }) | undefined> {
    return (await this.#inspect({ of: 'actor', path })) as Awaited<ReturnType<RemoteDirectory['show']>>;
  }

  async transcript({ under = '/', limit }: Asked): Promise<readonly TranscriptLine[]> {
    const lines = await this.#inspect({ of: 'transcript', under, limit });
    return (lines ?? []) as readonly TranscriptLine[];
  }

  follow(listener: (line: TranscriptLine) => void): Stop {
    const own = (line: TranscriptLine): void => listener(line);
    this.#followers.add(own);
    if (this.#followers.size === 1) this.#post({ kind: 'follow', on: true });
    return () => {
      this.#followers.delete(own);
      if (this.#followers.size === 0) this.#post({ kind: 'follow', on: false });
    };
  }

  /** One more step. */
  tell(line: TranscriptLine): void {
    for (const notify of this.#followers) notify(line);
  }

  /** Another life of the subtree has begun. */
  turned(): void {
    if (this.#followers.size > 0) this.#post({ kind: 'follow', on: true });
  }

  /** Nothing while there is no subtree. */
  async #inspect(question: Inspection): Promise<unknown> {
    try {
      return await this.#ask(question);
    } catch (thrown) {
      if (thrown instanceof CodedError && thrown.reason.code === 'HM-MEMBERSHIP-DOWN') return undefined;
      throw thrown;
    }
  }
}
