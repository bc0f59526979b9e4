/** MAC addresses: which one a container's only interface has. */
import type { NetworkAttachment } from '../apps/service-model.ts';

/** How those begin that are made from an address of the pool: nobody else's may. */
export const ownHardware = '02:68';

/** Of the networks that name one, that with the highest priority decides; `undefined`: made from its address. */
export function hardwareOf(
  networks: Readonly<Record<string, NetworkAttachment>> | undefined,
): string | undefined {
  const named = Object.values(networks ?? {}).filter(({ macAddress }) => macAddress !== undefined);
  return named.toSorted((a, b) => (b.priority ?? 0) - (a.priority ?? 0))[0]?.macAddress;
}
