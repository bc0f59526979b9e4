/**
 * Endpoints: where a running container answers, and whether it is to be asked. A record of its own beside the container's,
 * because it is what others act on: small, so that a change of readiness is, and of one signed set with the container's,
 * so that the two cannot tell different things (`read.ts` refuses a set in which they do).
 */
import type { PortSpec, SlotName } from '../apps/model.ts';
import { isReady, type SlotStatus } from '../apps/status.ts';

export type EndpointPort = Pick<PortSpec, 'containerPort' | 'protocol'>;

/** Of a slot whose container runs and has an address: at most one. */
export interface EndpointRecord {
  readonly slot: SlotName;
  readonly placement: number;
  readonly run: number;
  readonly address: string;
  /** Those that its service publishes, as the container has them; it may listen on others. */
  readonly ports: readonly EndpointPort[];
  readonly ready: boolean;
  /** Since when all of this is so in this life of the daemon, ms since 1970 on the node's own clock. */
  readonly since: number;
}

/** `before`: the record that was told last; its time stands while nothing else changed. */
export function endpointOf(
  status: SlotStatus,
  before: EndpointRecord | undefined,
): EndpointRecord | undefined {
  const { slot, placement, run, phase, address } = status;
  if (phase !== 'running' || address === undefined) return undefined;
  const ports = portsOf(status);
  const ready = isReady(status);
  const same =
    before?.address === address &&
    before.ready === ready &&
    before.placement === placement &&
    before.run === run &&
    String(before.ports.map(portText)) === String(ports.map(portText));
  return { slot, placement, run, address, ports, ready, since: same ? before.since : status.since };
}

/** One behind several host ports, or behind a range of them, is one. */
function portsOf({ ports }: SlotStatus): readonly EndpointPort[] {
  const distinct = new Map(
    ports.map(({ containerPort, protocol }) => [
      portText({ containerPort, protocol }),
      { containerPort, protocol },
    ]),
  );
  return [...distinct.values()];
}

/** `80`, `53/udp`. */
export const portText = ({ containerPort, protocol }: EndpointPort): string =>
  protocol === 'udp' ? `${containerPort}/udp` : String(containerPort);

/** Whether the container's record of the same set says the same. */
export function isOf({ placement, run, address, ready }: EndpointRecord, container: SlotStatus): boolean {
  return (
    container.phase === 'running' &&
    container.placement === placement &&
    container.run === run &&
    container.address === address &&
    isReady(container) === ready
  );
}
