/** What only another node does: where a context leads there, the very command that asks it. */
import type { Reason } from '../../../protocols/errors.ts';
import type { CliProcess } from '../cli.ts';
import { readContexts } from './contexts.ts';

const places = ['--context', '--address', '--token-file'];
const plain = /^[\w@%+=:,./-]+$/;
const quoted = (word: string): string => (plain.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);

/** `args`: the command line that was refused. */
export async function withCommandThere(
  process: CliProcess,
  because: Reason,
  args: readonly string[],
): Promise<Reason> {
  const { code, evidence } = because;
  const name =
    code === 'HM-SLOT-ELSEWHERE'
      ? evidence['node']
      : code === 'HM-CLUSTER-AGENT'
        ? evidence['server']
        : undefined;
  if (typeof name !== 'string') return because;
  const known = await readContexts(process).catch(() => undefined);
  if (!known || !Object.hasOwn(known.contexts, name)) return because;
  const hint = ['hivemind', '--context', name, ...withoutPlace(args).map(quoted)].join(' ');
  return { ...because, hint };
}

/** Without the options that said whom to ask. */
function withoutPlace(args: readonly string[]): readonly string[] {
  const dashes = args.indexOf('--');
  const end = dashes === -1 ? args.length : dashes;
  return args.filter((word, at) => {
    const isOption = (text: string | undefined) => text !== undefined && places.includes(text);
    if (at >= end) return true;
    return !isOption(word) && !isOption(args[at - 1]) && !places.some((one) => word.startsWith(`${one}=`));
  });
}
