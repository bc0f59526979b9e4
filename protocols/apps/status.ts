/** Observed state of slots and apps: what `ps`, `status` and `why` show, and what reconciling compares with. */
import type { Reason } from '../errors.ts';
import type { ContainerExit } from '../containers/model.ts';
import type { JoinedNetwork } from '../network/model.ts';
import type { PortSpec, SlotName } from './model.ts';

/** Written only by the node that holds the slot. */
export interface SlotStatus {
  readonly slot: SlotName;
  readonly app: string;
  readonly service: string;
  readonly index: number;
  readonly node: string;
  readonly placement: number;
  readonly run: number;
  readonly revision: number;
  readonly specHash: string;
  /** Phase of the slot's machine. */
  readonly phase: 'waiting' | 'starting' | 'running' | 'backoff' | 'stopping' | 'completed' | 'failed';
  /** `none`: not running. Without a probe a running container is ready; `unready` lives but is not served. */
  readonly readiness: 'none' | 'starting' | 'ready' | 'unready' | 'unhealthy';
  /** It serves, and has shown that it goes on: the roll-out of its service may take down the next replica. */
  readonly settled?: true;
  readonly image: string;
  readonly ports: readonly PortSpec[];
  readonly containerId?: string;
  /** Its processes stand still, at somebody's wish. */
  readonly paused?: true;
  readonly address?: string;
  /** Absent: the open network alone. */
  readonly networks?: readonly JoinedNetwork[];
  /** Servers that names outside the zone are asked of, in place of the node's own. */
  readonly dns?: readonly string[];
  /** Restarts of this placement after a failure, an exit or a bad health check. */
  readonly restarts: number;
  /** World time of the next start while in backoff. */
  readonly nextStartAt?: number;
  readonly startedAt?: number;
  readonly lastExit?: ContainerExit;
  /** Why it is not running and ready, or why what is to replace it waits. */
  readonly reason?: Reason;
  /** A newer placement that waits until its image is there, while this one serves. */
  readonly next?: NextPlacement;
  /** World time of the last change. */
  readonly since: number;
}

/** It is to be asked: in names, behind ports, in load balancing. */
export const isReady = ({ phase, readiness, address }: SlotStatus): boolean =>
  phase === 'running' && readiness === 'ready' && address !== undefined;

export interface NextPlacement {
  readonly placement: number;
  readonly revision: number;
  readonly image: string;
  /** How far its pull is, or what it fails of. */
  readonly reason?: Reason;
}

/** A wanted slot that no node has answered for yet has a `SlotView` without `status`. */
export interface SlotView {
  readonly slot: SlotName;
  readonly status?: SlotStatus;
  readonly reason?: Reason;
}

export interface ServiceView {
  readonly name: string;
  readonly image: string;
  readonly replicas: number;
  readonly ready: number;
  readonly ports: readonly PortSpec[];
}

export interface AppView {
  readonly name: string;
  readonly revision: number;
  readonly removing: boolean;
  readonly services: readonly ServiceView[];
  readonly slots: readonly SlotView[];
  /** Everything wanted runs at this revision and is ready (or completed), nothing else is left. */
  readonly converged: boolean;
}
