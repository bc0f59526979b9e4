/** `port-forward`: ports of this machine that lead to ports of a container, until Ctrl-C. */
import type { Command } from 'commander';
import { usage, type Cli } from '../../cli.ts';
import type { Forward, Listening } from '../../connection/forwarding.ts';
import { exitCodes } from '../../failure.ts';
import { action, leaf } from '../command.ts';

export function portForwardCommand(program: Command, cli: Cli): void {
  const command = leaf(program, {
    usage: 'port-forward <target> <ports...>',
    summary: 'reach ports of a container from this machine: [LOCAL:]REMOTE',
    examples: ['hivemind port-forward shop/db 5432:5432', 'hivemind port-forward shop/web.1 80 9000:9000'],
    group: 'Use:',
    forms: true,
  });
  action(command, cli, async (_options, [target, ports]) => {
    const forwards = [ports ?? []].flat().map(forwardOf);
    return forwardAll(cli, String(target), forwards);
  });
}

/** `8080:80`; `80`, `:80` and `0:80` take a free port of this machine. */
function forwardOf(text: string): Forward {
  const [, local = '0', remote] = /^(?:(\d{0,5}):)?(\d{1,5})$/.exec(text) ?? [];
  const forward = { local: Number(local), remote: Number(remote) };
  if (remote === undefined || forward.local > 65_535 || forward.remote > 65_535 || forward.remote === 0)
    throw usage(`${text} is not [LOCAL:]REMOTE`, 'As in 8080:80, or 80 for a free port of this machine');
  return forward;
}

async function forwardAll(cli: Cli, target: string, forwards: readonly Forward[]): Promise<number> {
  const { listenFor, slotFor } = await import('../../connection/forwarding.ts');
  await slotFor(cli, target);
  const open: Listening[] = [];
  try {
    for (const forward of forwards) open.push(await listenFor(cli, target, forward));
    for (const { local, remote } of open) {
      const row = { local: `127.0.0.1:${local}`, target, remote };
      cli.print(cli.wantsJson ? JSON.stringify(row) : `${row.local} -> ${target}:${remote}`);
    }
    await interruption(cli.process.interrupted);
    return exitCodes.interrupted;
  } finally {
    for (const one of open) one.close();
  }
}

function interruption(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
