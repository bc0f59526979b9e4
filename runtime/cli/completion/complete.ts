/**
 * What may follow on a command line that is not finished: commands, options, their values, and names that the node
 * knows. The shells' scripts (`scripts.ts`) ask for it with `hivemind __complete -- WORDS…`, the last word being the
 * one under the cursor. Silent and quick: who types must never wait for, or read about, a node that does not answer.
 */
import type { Argument, Command, Option } from 'commander';
import type { Cli } from '../cli.ts';
import { readContexts } from '../connection/contexts.ts';
import { limits } from '../../../protocols/limits.ts';
import { known, type NameSource } from './names.ts';

export interface Candidate {
  readonly value: string;
  readonly description?: string;
}

/** `files`: the shell's own completion of paths is meant. */
export type Completion = 'files' | readonly Candidate[];

/** Candidates that begin with the last word. Never rejects. */
export async function complete(program: Command, cli: Cli, words: readonly string[]): Promise<Completion> {
  const partial = words.at(-1) ?? '';
  const place = walk(program, words.slice(0, -1));
  if (place.finished) return 'files';
  const found = await candidates(place, cli, partial);
  if (found === 'files') return found;
  return found.filter(({ value }) => value.startsWith(partial));
}

interface Place {
  readonly command: Command;
  /** Positional words that stand before. */
  readonly positional: number;
  /** The option whose value is being typed. */
  readonly option?: Option;
  /** Behind `--`: the words of somebody else. */
  readonly finished: boolean;
}

/** Reads the finished words as commander would. */
function walk(program: Command, words: readonly string[]): Place {
  let command = program;
  let positional = 0;
  let option: Option | undefined;
  for (const word of words) {
    if (option) {
      option = undefined;
      continue;
    }
    if (word === '--') return { command, positional, finished: true };
    if (word.startsWith('-')) {
      if (!word.includes('=')) option = optionsOf(command).find((each) => named(each, word) && each.required);
      continue;
    }
    const child = positional === 0 ? childNamed(command, word) : undefined;
    if (child) command = child;
    else positional += 1;
  }
  return { command, positional, finished: false, ...(option ? { option } : {}) };
}

const childNamed = (command: Command, word: string): Command | undefined =>
  command.commands.find((child) => child.name() === word || child.aliases().includes(word));

const named = (option: Option, word: string | undefined): boolean =>
  word !== undefined && (option.long === word || option.short === word);

const optionsOf = (command: Command): readonly Option[] => command.options.filter(({ hidden }) => !hidden);

async function candidates(place: Place, cli: Cli, partial: string): Promise<Completion> {
  const { command, option, positional } = place;
  if (option) return valuesOf(option, cli);
  const inline = /^(--[a-z-]+)=/.exec(partial)?.[1];
  const asked = inline === undefined ? undefined : optionsOf(command).find((each) => named(each, inline));
  if (asked) {
    const values = await valuesOf(asked, cli);
    return values === 'files' ? [] : values.map((each) => ({ ...each, value: `${inline}=${each.value}` }));
  }
  if (partial.startsWith('-')) return optionsOf(command).map(optionCandidate);
  if (command.commands.length > 0) {
    return command.commands
      .filter((child) => child.name() !== 'help' || command.parent === null)
      .map((child) => ({ value: child.name(), description: child.description() }));
  }
  const last = command.registeredArguments.at(-1);
  const argument = command.registeredArguments[positional] ?? (last?.variadic ? last : undefined);
  return argument ? namesFor(argument, command, cli) : [];
}

const optionCandidate = (option: Option): Candidate => ({
  value: option.long ?? option.short ?? '',
  description: option.description,
});

/** Words that stand in an option's own description (`auto, tty, plain or quiet`), names, or files. */
async function valuesOf(option: Option, cli: Cli): Promise<Completion> {
  if (option.long === '--context') return contextNames(cli);
  if (option.argChoices) return option.argChoices.map((value) => ({ value }));
  if (/\b(file|path|dir)/.test(option.flags)) return 'files';
  const listed = /^([a-z]+(?:, [a-z]+)+(?: or [a-z]+)?)/.exec(option.description)?.[1];
  return listed === undefined ? [] : listed.split(/, | or /).map((value) => ({ value }));
}

/** By what the command calls its argument. */
const sources: Readonly<Record<string, NameSource>> = {
  target: 'targets',
  slot: 'slots',
  app: 'apps',
  image: 'images',
  secret: 'secrets',
  volume: 'volumes',
  actor: 'actors',
};

async function namesFor(argument: Argument, command: Command, cli: Cli): Promise<Completion> {
  const name = argument.name();
  if (argument.argChoices) return argument.argChoices.map((value) => ({ value }));
  const parent = command.parent?.name() ?? '';
  if (parent === 'context') return contextNames(cli);
  if (parent === 'actor' && name === 'path') return ask(cli, 'actors');
  if (/^(file|archive|path|directory)$/.test(name)) return 'files';
  const source = sources[name] ?? (name === 'name' ? sources[parent] : undefined);
  return source === undefined ? [] : ask(cli, source);
}

async function contextNames(cli: Cli): Promise<readonly Candidate[]> {
  const { contexts } = await readContexts(cli.process).catch(() => ({ contexts: {} }));
  return Object.entries(contexts).map(([value, { address }]) => ({ value, description: address }));
}

/** Nothing when the node takes longer than a person notices. */
async function ask(cli: Cli, source: NameSource): Promise<readonly Candidate[]> {
  const late = cli.pause(limits.completionMs).then(() => []);
  return Promise.race([known(cli, source).catch(() => []), late]);
}
