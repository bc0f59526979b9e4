/** What a slot hears, and from whom. `at` is stamped by the kernel. */
import type { Assignment } from '../../apps/model.ts';
import type { Reason } from '../../errors.ts';
import type { Finding, Verdict } from '../../health/model.ts';
import type { ContainerExit, ImageInfo, PullProgress, RunKey, RuntimePhase } from '../model.ts';

interface At {
  readonly at: number;
}

export type SlotEvent = At &
  (
    | { readonly type: 'slot.assigned'; readonly assignment: Assignment }
    | { readonly type: 'slot.terminate' }
    | { readonly type: 'slot.report' }
    | {
        readonly type: 'journal.read';
        readonly value: { readonly entries: Readonly<Record<string, unknown>> };
      }
    | { readonly type: 'journal.failed'; readonly error: Reason }
    | { readonly type: 'run.recorded'; readonly id: string }
    | { readonly type: 'run.failed'; readonly id: string; readonly error: Reason }
    | { readonly type: 'run.forgotten' }
    | { readonly type: 'run.noted'; readonly id: string }
    | { readonly type: 'run.unnoted'; readonly error: Reason }
    | { readonly type: 'note.due' }
    | { readonly type: 'logs.pruned' }
    | { readonly type: 'container.began'; readonly key: RunKey }
    | { readonly type: 'check.began'; readonly key: RunKey }
    | { readonly type: 'container.delayed'; readonly key: RunKey; readonly reason: Reason }
    | {
        readonly type: 'container.running';
        readonly key: RunKey;
        readonly id: string;
        readonly address?: string;
        readonly startedAt: number;
        readonly paused?: true;
      }
    | {
        readonly type: 'container.hooking';
        readonly key: RunKey;
        readonly id: string;
        readonly address?: string;
        readonly startedAt: number;
      }
    | {
        readonly type: 'hook.failed';
        readonly key: RunKey;
        readonly livedMs: number;
        readonly exit?: undefined;
        readonly reason: Reason;
      }
    | { readonly type: 'container.prestopped'; readonly key: RunKey }
    | { readonly type: 'container.paused'; readonly key: RunKey; readonly paused: boolean }
    | { readonly type: 'container.eased'; readonly key: RunKey }
    /** It was looked at, and has not ended. */
    | { readonly type: 'container.stands'; readonly key: RunKey }
    | { readonly type: 'container.failed'; readonly key: RunKey; readonly reason: Reason }
    | {
        readonly type: 'container.exited';
        readonly key: RunKey;
        readonly exit?: ContainerExit;
        readonly livedMs: number;
      }
    /** Its process has ended as it was asked to; what is left of it goes at `container.remove`. */
    | { readonly type: 'container.ended'; readonly key: RunKey }
    | { readonly type: 'container.gone'; readonly key: RunKey }
    | {
        readonly type: 'container.found';
        readonly key: RunKey;
        readonly id: string;
        readonly found: RuntimePhase;
      }
    | { readonly type: 'stray.removed' }
    | {
        readonly type: 'health.changed';
        readonly key: RunKey;
        readonly verdict: Verdict;
        readonly finding?: Finding;
      }
    | {
        readonly type: 'actor.exited';
        readonly id: string;
        readonly path: string;
        readonly reason: { readonly kind: string };
      }
    | { readonly type: 'image.fetched'; readonly id: string; readonly value: ImageInfo }
    | { readonly type: 'image.unfetched'; readonly id: string; readonly error: Reason }
    | { readonly type: 'fetch.due' }
    | { readonly type: 'fetch.look' }
    | { readonly type: 'fetch.listed'; readonly value: { readonly pulls: readonly PullProgress[] } }
    | { readonly type: 'fetch.unlisted' }
    | { readonly type: 'retry.due' }
    | { readonly type: 'backoff.due' }
    | { readonly type: 'stable.due' }
    | { readonly type: 'settle.due' }
    | { readonly type: 'container.due' }
    | { readonly type: 'check.due' }
    | { readonly type: 'sys.shutdown' }
  );

/** One event of the union by its type. */
export type SlotEventOf<Type extends SlotEvent['type']> = Extract<SlotEvent, { type: Type }>;
