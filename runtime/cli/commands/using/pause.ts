/** `pause` and `unpause`: the processes of a target stand still, and go on. */
import type { Command } from 'commander';
import { coded } from '../../../../protocols/errors.ts';
import type { Cli } from '../../cli.ts';
import { containerPath } from '../../connection/answers.ts';
import { loadKnown, resolveTarget, slotsOf, targetName } from '../../targets.ts';
import { forEach } from '../each.ts';
import { action, leaf } from '../command.ts';

export function pauseCommands(program: Command, cli: Cli): void {
  const pause = leaf(program, {
    usage: 'pause <target>',
    summary: 'let the processes of a container, service or app stand still',
    examples: ['hivemind pause shop/web.1', 'hivemind pause shop'],
    group: 'Use:',
  });
  action(pause, cli, (_options, [target]) => each(cli, String(target), 'pause', 'is paused'));
  const unpause = leaf(program, {
    usage: 'unpause <target>',
    summary: 'let them go on',
    examples: ['hivemind unpause shop/web.1'],
    group: 'Use:',
  });
  action(unpause, cli, (_options, [target]) => each(cli, String(target), 'unpause', 'goes on'));
}

async function each(cli: Cli, text: string, verb: 'pause' | 'unpause', done: string): Promise<number> {
  const known = await loadKnown(cli);
  const target = resolveTarget(text, known);
  const slots = slotsOf(target, known);
  if (slots.length === 0) throw coded('HM-TARGET-UNKNOWN', `${targetName(target)} has no containers`);
  const client = await cli.client();
  return forEach(
    cli,
    slots,
    (slot) => client.send('POST', containerPath(slot, verb)),
    (slot) => `${slot} ${done}`,
  );
}
