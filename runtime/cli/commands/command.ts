/** How a command is declared: its group in the help, its examples (never none), the options all commands share. */
import { Option, type Command } from 'commander';
import type { Cli, CommonOptions } from '../cli.ts';

export interface CommandText {
  /** `logs <target...>` */
  readonly usage: string;
  readonly summary: string;
  readonly examples: readonly [string, ...string[]];
  /** Heading in the parent's help. */
  readonly group?: string;
  /** Takes `-o` and `--json`. */
  readonly forms?: boolean;
  /** Takes `-w`. */
  readonly watch?: boolean;
}

/** What fingers type from other tools. */
const aliases: Readonly<Record<string, string>> = { ls: 'list', rm: 'delete' };

/** Declare a leaf command under a parent. */
export function leaf(parent: Command, text: CommandText): Command {
  const command = parent.command(text.usage).description(text.summary);
  if (text.group) command.helpGroup(text.group);
  const alias = aliases[command.name()];
  if (alias) command.alias(alias);
  if (text.forms) {
    command.option('-o, --output <form>', 'table, wide, json, jsonl, yaml or name');
    command.option('--json [fields]', 'as JSON; --json=name,node picks fields');
  }
  if (text.watch) command.option('-w, --watch', 'keep watching');
  command
    .addOption(
      new Option('--address <address>', 'API address: unix socket or host:port').helpGroup('Connection:'),
    )
    .addOption(
      new Option('--context <name>', 'cluster of that name, see hivemind context').helpGroup('Connection:'),
    )
    .addOption(
      new Option('--token-file <file>', 'file with the token for host:port').helpGroup('Connection:'),
    )
    .addOption(new Option('--no-color', 'no colours').helpGroup('Connection:'))
    .addHelpText('after', `\nExamples:\n${text.examples.map((line) => `  ${line}`).join('\n')}`);
  return command;
}

/** What a command does: its arguments (without commander's own two) and its options; the answer is the exit code. */
export function action<Options extends CommonOptions>(
  command: Command,
  cli: Cli,
  run: (options: Options, args: readonly (string | string[] | undefined)[]) => Promise<number>,
): void {
  command.action(async (...given: unknown[]) => {
    // Of a command below one that takes options itself, commander gives those to both to the upper.
    const options = command.optsWithGlobals<Options>();
    cli.begin(options);
    cli.exitCode = await run(options, given.slice(0, -2) as (string | string[] | undefined)[]);
  });
}

/** For options that take a count. */
export const collect = (value: string, earlier: readonly string[] = []): readonly string[] => [
  ...earlier,
  value,
];
