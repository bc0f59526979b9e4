/**
 * The kernel's switches that the node network needs: forwarding for the machine, loopback routing for the bridge.
 * What forwarding was before is remembered on the machine itself, so that a purge can put it back.
 */
import { coded } from '../../../../protocols/errors.ts';
import type { Call } from '../../../../protocols/ports.ts';
import { succeeded, type Run } from './command.ts';

const forwarding = '/proc/sys/net/ipv4/ip_forward';
/** Answers go to the host's loopback address over the bridge: that is how localhost publishing comes back. */
const localnet = (bridge: string): string => `/proc/sys/net/ipv4/conf/${bridge}/route_localnet`;

/** By shell: `/proc/sys/net` shows the network namespace of who opens it. Whether forwarding was switched on here. */
export async function setSwitches(run: Run, bridge: string, call: Call): Promise<{ switchedOn: boolean }> {
  const paths = [forwarding, localnet(bridge)];
  const was = succeeded('reading the switches', await run(['cat', ...paths], call)).split('\n');
  const off = paths.filter((_, index) => was[index]?.trim() !== '1');
  if (off.length === 0) return { switchedOn: false };
  const script = off.map((path) => `echo 1 > ${path}`).join(' && ');
  const result = await run(['sh', '-c', script], call);
  if (result.code !== 0) {
    const text = `the kernel's switches cannot be set: ${result.stderr.trim()}`;
    throw coded('HM-NETWORK-DRIVER', text, { switches: off.join(' ') }, 'Run hivemind-node as root.');
  }
  return { switchedOn: off.includes(forwarding) };
}

export async function stopForwarding(run: Run, call: Call): Promise<void> {
  succeeded('switching forwarding off', await run(['sh', '-c', `echo 0 > ${forwarding}`], call));
}
