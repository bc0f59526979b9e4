/** `pause` and `unpause`: the processes of a target stand still, and go on. */
import type { Command } from 'commander';
import { coded, reasonOf, type Reason } from '../../../../protocols/errors.ts';
import type { Cli } from '../../cli.ts';
import { containerPath } from '../../connection/answers.ts';
import { exitCodeOf, exitCodes, printReasons } from '../../failure.ts';
import { loadKnown, resolveTarget, slotsOf, targetName } from '../../targets.ts';
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

/** Each by itself: one that does not run does not keep the others. */
async function each(cli: Cli, text: string, verb: 'pause' | 'unpause', done: string): Promise<number> {
  const known = await loadKnown(cli);
  const target = resolveTarget(text, known);
  const slots = slotsOf(target, known);
  if (slots.length === 0) throw coded('HM-TARGET-UNKNOWN', `${targetName(target)} has no containers`);
  const client = await cli.client();
  const refusals: Reason[] = [];
  for (const slot of slots) {
    try {
      await client.send('POST', containerPath(slot, verb));
      cli.print(`${slot} ${done}`);
    } catch (thrown) {
      if (reasonOf(thrown).code === 'HM-API-UNREACHABLE') throw thrown;
      refusals.push(reasonOf(thrown));
    }
  }
  const [first] = refusals;
  if (!first) return exitCodes.ok;
  printReasons(cli, refusals);
  return refusals.length === slots.length ? exitCodeOf(first) : exitCodes.partial;
}
