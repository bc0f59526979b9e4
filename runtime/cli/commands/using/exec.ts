/** `exec`: a command inside a running container, its streams ours, its exit code ours. */
import type { Command } from 'commander';
import { coded } from '../../../../protocols/errors.ts';
import { usage, type Cli, type CommonOptions } from '../../cli.ts';
import { loadKnown, resolveTarget, slotsOf, targetName } from '../../targets.ts';
import { action, collect, leaf } from '../command.ts';

interface ExecOptions extends CommonOptions {
  readonly interactive?: boolean;
  readonly tty?: boolean;
  readonly env?: readonly string[];
  readonly user?: string;
  readonly workdir?: string;
}

export function execCommand(program: Command, cli: Cli): void {
  const command = leaf(program, {
    usage: 'exec <target> <command...>',
    summary: 'run a command inside a running container',
    examples: ['hivemind exec -it shop/web.1 -- sh', 'hivemind exec shop/db.1 -- redis-cli ping'],
    group: 'Use:',
  })
    .option('-i, --interactive', 'pass standard input')
    .option('-t, --tty', 'give it a terminal')
    .option('-e, --env <name=value>', 'set a variable (repeatable)', collect)
    .option('-u, --user <user>', 'as this user')
    .option('-w, --workdir <path>', 'in this directory');
  action<ExecOptions>(command, cli, async (options, [text, args]) => {
    const known = await loadKnown(cli);
    const target = resolveTarget(String(text), known);
    const slots = slotsOf(target, known);
    if (slots.length === 0) throw coded('HM-TARGET-UNKNOWN', `${targetName(target)} has no containers`);
    if (options.tty && !cli.process.stdin.isTTY)
      throw usage('-t needs a terminal as standard input', 'Leave out -t.');
    const { runExec } = await import('../../connection/exec-session.ts');
    return runExec(cli, slots.find((slot) => isRunning(slot, known)) ?? slots[0]!, {
      args: args as string[],
      interactive: options.interactive ?? false,
      terminal: options.tty ?? false,
      environment: variables(options.env ?? []),
      ...(options.user === undefined ? {} : { user: options.user }),
      ...(options.workdir === undefined ? {} : { workingDir: options.workdir }),
    });
  });
}

const isRunning = (slot: string, known: Awaited<ReturnType<typeof loadKnown>>): boolean =>
  known.slots.some((status) => status.slot === slot && status.phase === 'running');

function variables(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const cut = pair.indexOf('=');
      if (cut < 1) throw usage(`-e ${pair} is not NAME=value`);
      return [pair.slice(0, cut), pair.slice(cut + 1)];
    }),
  );
}
