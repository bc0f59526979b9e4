/**
 * The kernel's switches that the node network needs: forwarding for the machine, loopback routing for the bridge, and
 * no redirects on it. What the machine's own were before is remembered on the machine itself, so that a purge can put
 * them back.
 */
import { coded } from '../../../../protocols/errors.ts';
import type { Call } from '../../../../protocols/ports.ts';
import { succeeded, type Run } from './command.ts';
import type { SwitchName } from './links.ts';

interface Switch {
  readonly path: string;
  readonly wanted: '0' | '1';
  /** Of the whole machine, to be put back; the bridge takes its own along. */
  readonly name?: SwitchName;
}

const settings = '/proc/sys/net/ipv4';
const machineWide: readonly (Switch & { readonly name: SwitchName })[] = [
  { path: `${settings}/ip_forward`, wanted: '1', name: 'forwarding' },
  // It counts beside the link's own: other links, which have theirs on, send redirects as before.
  { path: `${settings}/conf/all/send_redirects`, wanted: '0', name: 'redirects' },
];

function switchesOf(bridge: string): readonly Switch[] {
  return [
    ...machineWide,
    // Answers go to the host's loopback address over the bridge: that is how localhost publishing comes back.
    { path: `${settings}/conf/${bridge}/route_localnet`, wanted: '1' },
    // From block to block the way leads through the host: told a shorter one, containers would bypass the rules, and
    // each redirect uses up what the kernel allows a container in ICMP errors.
    { path: `${settings}/conf/${bridge}/send_redirects`, wanted: '0' },
  ];
}

/** By shell: `/proc/sys/net` shows the network namespace of who opens it. Answers what was changed of the machine's. */
export async function setSwitches(run: Run, bridge: string, call: Call): Promise<readonly SwitchName[]> {
  const switches = switchesOf(bridge);
  const was = succeeded(
    'reading the switches',
    await run(['cat', ...switches.map(({ path }) => path)], call),
  ).split('\n');
  const off = switches.filter(({ wanted }, index) => was[index]?.trim() !== wanted);
  if (off.length === 0) return [];
  const script = off.map(({ path, wanted }) => `echo ${wanted} > ${path}`).join(' && ');
  const result = await run(['sh', '-c', script], call);
  if (result.code !== 0) {
    const text = `the kernel's switches cannot be set: ${result.stderr.trim()}`;
    const evidence = { switches: off.map(({ path }) => path).join(' ') };
    throw coded('HM-NETWORK-DRIVER', text, evidence, 'Run hivemind-node as root.');
  }
  return off.flatMap(({ name }) => name ?? []);
}

export async function putBack(run: Run, names: readonly SwitchName[], call: Call): Promise<void> {
  const script = machineWide
    .filter(({ name }) => names.includes(name))
    .map(({ path, wanted }) => `echo ${wanted === '1' ? 0 : 1} > ${path}`);
  succeeded('putting the switches back', await run(['sh', '-c', script.join(' && ')], call));
}
