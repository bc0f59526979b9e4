/** Before what cannot be undone: asks for the name of the thing on a terminal; elsewhere only `--yes` counts. */
import { usage, type Cli } from '../cli.ts';

/** Whether to go on. Throws HM-CLI-USAGE where nobody can be asked. */
export async function confirmed(cli: Cli, name: string, what: string): Promise<boolean> {
  const { stdin, stderr, interrupted } = cli.process;
  if (!stdin.isTTY) throw usage(`This removes ${what}`, 'Say so: --yes');
  const { createInterface } = await import('node:readline/promises');
  const lines = createInterface({ input: stdin, output: stderr });
  // Ctrl-C and the end of input are answers too; readline settles nothing by itself then.
  const ended = new AbortController();
  for (const event of ['SIGINT', 'close']) lines.once(event, () => ended.abort());
  try {
    const question = `This removes ${what}. Type ${name} to go on: `;
    const signal = AbortSignal.any([interrupted, ended.signal]);
    const answer = await lines.question(question, { signal }).catch(() => '');
    if (answer.trim() === name) return true;
    cli.say('Nothing was removed.');
    return false;
  } finally {
    lines.close();
  }
}
