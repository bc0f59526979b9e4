/** What a container's machine hears. `id` of an answer is the number of its question. */
import type { Assignment } from '../apps/model.ts';
import type { ResourceSettings } from '../apps/service-model.ts';
import type { Reason } from '../errors.ts';
import type { GrantMount, RunFiles } from '../ports.ts';
import type { Ending } from './life/value.ts';
import type { ContainerExit, ContainerStatus, ExecResult, ImageInfo, PullProgress } from './model.ts';

interface Answer {
  readonly at: number;
  readonly id: string;
}

export type ContainerEvent =
  | (Answer & {
      readonly type: 'container.inspected';
      readonly value: { readonly container?: ContainerStatus };
    })
  | (Answer & {
      readonly type: 'container.looked';
      readonly value: { readonly container?: ContainerStatus };
    })
  | (Answer & { readonly type: 'container.unlooked'; readonly error: Reason })
  | (Answer & { readonly type: 'container.refused'; readonly error: Reason })
  | (Answer & { readonly type: 'image.ensured'; readonly value: ImageInfo })
  | (Answer & {
      readonly type: 'pulls.listed';
      readonly value: { readonly pulls: readonly PullProgress[] };
    })
  | (Answer & { readonly type: 'pulls.refused'; readonly error: Reason })
  | (Answer & {
      readonly type: 'ports.checked';
      readonly value: {
        readonly taken: readonly { hostAddress: string; hostPort: number; protocol: 'tcp' | 'udp' }[];
      };
    })
  | (Answer & { readonly type: 'mount.resolved'; readonly value: { readonly path: string } })
  | (Answer & { readonly type: 'files.prepared'; readonly value: RunFiles })
  | (Answer & { readonly type: 'container.created'; readonly value: { readonly pid: number } })
  | (Answer & {
      readonly type: 'network.attached' | 'container.started' | 'container.signalled' | 'container.killed';
    })
  | (Answer & { readonly type: 'container.updated' })
  | { readonly at: number; readonly type: 'container.resources'; readonly resources?: ResourceSettings }
  | { readonly at: number; readonly type: 'runtime.paused'; readonly paused: boolean }
  | (Answer & { readonly type: 'grants.placed'; readonly value: { readonly mounts: readonly GrantMount[] } })
  | (Answer & { readonly type: 'grants.renewed'; readonly value: { readonly changed: boolean } })
  | (Answer & { readonly type: 'grants.unrenewed'; readonly error: Reason })
  | (Answer & { readonly type: 'grants.signalled' })
  | (Answer & { readonly type: 'container.removed' | 'network.detached' })
  | {
      readonly at: number;
      readonly type: 'address.claimed';
      readonly slot: string;
      readonly address: string;
      readonly gateway: string;
    }
  | { readonly at: number; readonly type: 'address.refused'; readonly slot: string; readonly reason: Reason }
  | { readonly at: number; readonly type: 'container.reassigned'; readonly assignment: Assignment }
  | {
      readonly at: number;
      readonly type:
        | 'renew.due'
        | 'permit.granted'
        | 'container.report'
        | 'container.look'
        | 'container.remove'
        | 'sys.shutdown';
    }
  | { readonly at: number; readonly type: 'container.stop'; readonly ending?: Ending }
  | (Answer & { readonly type: 'hook.ended'; readonly value: ExecResult })
  /** From the registry: nothing new is sent there. */
  | { readonly at: number; readonly type: 'endpoint.withdrawn' }
  | { readonly at: number; readonly type: 'withdraw.due' | 'drain.due' }
  /** From the watcher of the runtime; without `exit` the container vanished. */
  | { readonly at: number; readonly type: 'runtime.exited'; readonly exit?: ContainerExit };
