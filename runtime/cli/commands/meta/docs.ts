/** `docs [topic]`: reference that needs no network, made from the code. */
import type { Command } from 'commander';
import { catalogue, coded, type ErrorCode } from '../../../../protocols/errors.ts';
import { nearest } from '../../../../protocols/suggest.ts';
import type { Cli } from '../../cli.ts';
import { errorText, topics } from '../../docs/topics.ts';
import { action, leaf } from '../command.ts';

export function docsCommand(program: Command, cli: Cli): void {
  const docs = leaf(program, {
    usage: 'docs [topic]',
    summary: 'explain an error code or a topic; without one, list the topics',
    examples: [
      'hivemind docs',
      'hivemind docs HM-PORT-TAKEN',
      'hivemind docs man | man -l -',
      'hivemind docs settings',
    ],
    group: 'Meta:',
  });
  action(docs, cli, async (_options, [topic]) => {
    cli.print(topic === undefined ? overview() : await explain(program, cli, String(topic)));
    return 0;
  });
}

function overview(): string {
  const width = Math.max(...Object.keys(topics).map((name) => name.length), 'CODE'.length);
  return [
    ['CODE', 'one error code, as it stands behind an error'] as const,
    ...Object.entries(topics).map(([name, { about }]) => [name, about] as const),
  ]
    .map(([name, about]) => `${name.padEnd(width)}  ${about}`)
    .join('\n');
}

async function explain(program: Command, cli: Cli, topic: string): Promise<string> {
  const code = topic.toUpperCase();
  if (Object.hasOwn(catalogue, code)) return errorText(code as ErrorCode);
  const known = Object.hasOwn(topics, topic) ? topics[topic] : undefined;
  if (known) return (await known.text(program, cli.process.version)).trimEnd();
  const near =
    nearest(topic, Object.keys(topics)) ??
    (code.startsWith('HM-') ? nearest(code, Object.keys(catalogue)) : undefined);
  const hint = near === undefined ? 'hivemind docs' : `Did you mean ${near}?`;
  throw coded('HM-CLI-USAGE', `There is nothing about ${topic}`, { topic }, hint);
}
