/** `why`: what keeps an app, service, slot or node from being as wished, and what to do. */
import type { Command } from 'commander';
import { parseSlotName } from '../../../../protocols/apps/model.ts';
import { reasonOf, type Reason } from '../../../../protocols/errors.ts';
import type { Cli } from '../../cli.ts';
import { containerPath, type NodeRow, type WhyAnswer } from '../../connection/answers.ts';
import { printOne } from '../../output/listing.ts';
import { loadKnown, resolveTarget, slotsOf, targetName, type Known, type Target } from '../../targets.ts';
import { explain } from '../../views/explain.ts';
import { isHappy, slotRows } from '../../views/slot-rows.ts';
import { action, leaf } from '../command.ts';

export function whyCommand(program: Command, cli: Cli): void {
  const why = leaf(program, {
    usage: 'why <target>',
    summary: 'why an app, service, slot or node is not as wished, and what to do',
    examples: ['hivemind why shop/web.2', 'hivemind why shop', 'hivemind why n2'],
    group: 'Observe:',
    forms: true,
  });
  action(why, cli, (_options, [target]) => runWhy(cli, String(target)));
}

async function runWhy(cli: Cli, text: string): Promise<number> {
  const known = await loadKnown(cli);
  const found = await targetOrNode(cli, text, known);
  if ('state' in found) return (await import('../../views/nodes.ts')).whyNode(cli, found);
  const target = found;
  const slots = unhappy(target, known);
  const answers = await Promise.all(
    (slots.length > 0 ? slots : ones(target, known)).map((slot) => ask(cli, slot)),
  );
  const reasons = answers.flatMap((answer) => answer.reasons);
  const now = cli.now();
  const said = { target: targetName(target), reasons: unique(reasons), slots: answers };
  await printOne(cli, said, said.target, () => explain(cli, targetName(target), answers, now));
  return 0;
}

/** A node is what is called so when nothing that is deployed is. */
async function targetOrNode(cli: Cli, text: string, known: Known): Promise<Target | NodeRow> {
  try {
    return resolveTarget(text, known);
  } catch (thrown) {
    if (reasonOf(thrown).code !== 'HM-TARGET-UNKNOWN') throw thrown;
    const client = await cli.client();
    const { nodes } = await client
      .get<{ nodes: readonly NodeRow[] }>('/v1/nodes')
      .catch(() => ({ nodes: [] }));
    const node = nodes.find(({ name }) => name === text);
    if (node) return node;
    throw thrown;
  }
}

/** The slot that is asked for; of an app or service those that are not as wished. */
function unhappy(target: Target, known: Known): string[] {
  if (target.kind === 'slot') return [target.slot];
  const rows = new Map(slotRows(known.apps, known.slots).map((row) => [row.slot, row]));
  return slotsOf(target, known).filter((slot) => !isHappy(rows.get(slot)!));
}

/** Of each service one: what is not as wished of a service although its containers are. */
const ones = (target: Target, known: Known): string[] =>
  slotsOf(target, known).filter((slot) => parseSlotName(slot)?.index === 1);

async function ask(cli: Cli, slot: string): Promise<WhyAnswer> {
  return (await cli.client()).get<WhyAnswer>(containerPath(slot, 'why'));
}

const unique = (reasons: readonly Reason[]): Reason[] => [
  ...new Map(reasons.map((reason) => [`${reason.code} ${reason.message}`, reason])).values(),
];
