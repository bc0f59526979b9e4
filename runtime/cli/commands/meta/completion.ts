/** `completion SHELL`: the script for a shell; and what the scripts ask for. */
import type { Command } from 'commander';
import { usage, type Cli } from '../../cli.ts';
import { complete } from '../../completion/complete.ts';
import { scripts, shells } from '../../completion/scripts.ts';
import { action, leaf } from '../command.ts';

export function completionCommand(program: Command, cli: Cli): void {
  const completion = leaf(program, {
    usage: 'completion <shell>',
    summary: `the completion script for ${shells.join(', ')}`,
    examples: [
      'source <(hivemind completion bash)',
      'hivemind completion bash > /etc/bash_completion.d/hivemind',
      'hivemind completion zsh > "${fpath[1]}/_hivemind"',
      'hivemind completion fish > ~/.config/fish/completions/hivemind.fish',
      'hivemind completion powershell | Out-String | Invoke-Expression',
    ],
    group: 'Meta:',
  });
  action(completion, cli, (_options, [given]) => {
    const shell = shells.find((each) => each === given || (each === 'powershell' && given === 'pwsh'));
    if (!shell) throw usage(`There is no completion for ${String(given)}`, `Shells: ${shells.join(', ')}`);
    cli.process.stdout.write(scripts[shell]);
    return Promise.resolve(0);
  });
}

/** `__complete -- WORDS…`, for the scripts alone. */
export async function answerCompletion(
  program: Command,
  cli: Cli,
  words: readonly string[],
): Promise<number> {
  const found = await complete(program, cli, words);
  const lines =
    found === 'files'
      ? [':files']
      : found.map(({ value, description }) => (description ? `${value}\t${description}` : value));
  for (const line of lines) cli.print(line);
  return 0;
}
