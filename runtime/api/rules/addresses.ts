/** Ports at addresses that the node does not have: no refusal, because they work from when the address is there. */
import type { AppSpec, ServiceSpec } from '../../../protocols/apps/model.ts';
import { reason, type Reason } from '../../../protocols/errors.ts';
import { lackedAddresses } from '../../../protocols/network/ipv6.ts';
import type { Call } from '../../../protocols/ports.ts';
import type { NodeHandle } from '../../node-handle.ts';

type Publishing = Pick<ServiceSpec, 'name' | 'ports'>;

/** HM-PORT-ADDRESS, one for each service and address. Nothing when the machine does not say what it has. */
export async function lackedPlaces(
  node: NodeHandle,
  app: string,
  services: readonly Publishing[],
  call: Call,
): Promise<readonly Reason[]> {
  const wanted = services.flatMap(({ ports }) => ports.map(({ hostAddress }) => hostAddress));
  if (lackedAddresses(wanted, []).length === 0) return [];
  const { addresses: held } = await node.ports.network
    .addresses({}, call)
    .catch(() => ({ addresses: wanted }));
  const shown = held.filter((address) => !address.startsWith('fe80:')).join(', ');
  return services.flatMap(({ name, ports }) =>
    lackedAddresses(
      ports.map(({ hostAddress }) => hostAddress),
      held,
    ).map((address) => {
      const text = `${app}/${name} publishes at ${address}, which this node does not have: it has ${shown}`;
      const evidence = { service: `${app}/${name}`, address };
      return reason('HM-PORT-ADDRESS', text, evidence, 'It works as soon as the node has the address.');
    }),
  );
}

/** As a part of an answer: absent when there is nothing to say. */
export async function addressWarnings(
  node: NodeHandle,
  { name, services }: AppSpec,
  call: Call,
): Promise<{ readonly warnings?: readonly Reason[] }> {
  const warnings = await lackedPlaces(node, name, Object.values(services), call);
  return warnings.length > 0 ? { warnings } : {};
}
