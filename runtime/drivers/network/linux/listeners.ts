/** Who listens where, read from /proc/net: so that a published port that is taken is said before it is shadowed. */
import { readFile } from 'node:fs/promises';
import type { Call } from '../../../../protocols/ports.ts';
import type { Commands } from './commands.ts';

export interface Listener {
  readonly protocol: 'tcp' | 'udp';
  /** Dotted; `0.0.0.0` for any, IPv6's any included. */
  readonly address: string;
  readonly port: number;
}

const tables = ['tcp', 'tcp6', 'udp', 'udp6'] as const;
/** TCP_LISTEN, and what an unconnected UDP socket shows. */
const listening = { tcp: '0A', udp: '07' } as const;

/** `viaCommand`: in the node's own namespace, not this process's. */
export async function listenersIn(
  commands: Commands,
  viaCommand: boolean,
  call: Call,
): Promise<readonly Listener[]> {
  const found: Listener[] = [];
  for (const table of tables) {
    const path = `/proc/net/${table}`;
    const text = viaCommand
      ? await commands.run('cat', [path], call)
      : await readFile(path, 'utf8').catch(() => '');
    found.push(...parseListeners(table.startsWith('tcp') ? 'tcp' : 'udp', text));
  }
  return found;
}

export function parseListeners(protocol: 'tcp' | 'udp', text: string): Listener[] {
  const listeners: Listener[] = [];
  for (const line of text.split('\n').slice(1)) {
    const [, local, , state] = line.trim().split(/\s+/);
    if (state !== listening[protocol] || local === undefined) continue;
    const [hex = '', port = ''] = local.split(':');
    const address = addressOf(hex);
    if (address !== undefined) listeners.push({ protocol, address, port: Number.parseInt(port, 16) });
  }
  return listeners;
}

/** The kernel prints addresses as host-order words. An IPv6 address other than any, or a mapped one, is not ours to publish on. */
function addressOf(hex: string): string | undefined {
  const word = hex.length === 32 && hex.startsWith('0000000000000000FFFF0000') ? hex.slice(24) : hex;
  if (/^0+$/.test(word)) return '0.0.0.0';
  if (word.length !== 8) return undefined;
  return [6, 4, 2, 0].map((at) => Number.parseInt(word.slice(at, at + 2), 16)).join('.');
}

export function takenBy(
  listeners: readonly Listener[],
  port: { hostAddress: string; hostPort: number; protocol: string },
): boolean {
  return listeners.some(
    (listener) =>
      listener.protocol === port.protocol &&
      listener.port === port.hostPort &&
      (listener.address === '0.0.0.0' ||
        port.hostAddress === '0.0.0.0' ||
        listener.address === port.hostAddress),
  );
}
