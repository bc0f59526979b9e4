/** The manual page of `hivemind`, in man(7)'s language, made of the commands' own declarations. */
import type { Command, Option } from 'commander';
import { codesTable } from '../failure.ts';

export function manPage(program: Command, version: string): string {
  return [
    `.TH HIVEMIND 1 "" "hivemind ${quoted(version)}" "Hivemind"`,
    '.SH NAME',
    `hivemind \\- ${text(program.description())}`,
    '.SH SYNOPSIS',
    '.B hivemind',
    '.I command',
    '.RI [ options ]',
    '.SH DESCRIPTION',
    'The command line tool of Hivemind. It talks to the API of a node: the one that',
    '.B \\-\\-address',
    'or',
    '.B \\-\\-context',
    'names, else the one of this machine. Data goes to standard output, progress and errors to standard error.',
    '.SH COMMANDS',
    ...leavesOf(program).flatMap(section),
    '.SH OPTIONS OF EVERY COMMAND',
    ...common(program).flatMap(optionLines),
    '.SH ENVIRONMENT',
    ...environment.flatMap(([name, about]) => ['.TP', `.B ${text(name)}`, text(about)]),
    '.SH EXIT STATUS',
    '.nf',
    ...codesTable().split('\n').map(text),
    '.fi',
    '.SH SEE ALSO',
    'hivemind docs, hivemind help COMMAND, hivemind\\-node \\-\\-help',
    '',
  ].join('\n');
}

const environment: readonly (readonly [string, string])[] = [
  ['HIVEMIND_ADDRESS', 'address of the API: a unix socket or host:port.'],
  ['HIVEMIND_CONTEXT', 'name of a context, see hivemind context.'],
  ['HIVEMIND_TOKEN_FILE', 'file with the token for host:port.'],
  ['NO_COLOR', 'no colours.'],
  ['XDG_CONFIG_HOME', 'where contexts are kept: hivemind/contexts.json in it, else in ~/.config.'],
];

function leavesOf(command: Command): readonly Command[] {
  const children = command.commands.filter((child) => child.name() !== 'help');
  return children.length === 0 ? [command] : children.flatMap(leavesOf);
}

const pathOf = (command: Command): string =>
  command.parent ? `${pathOf(command.parent)} ${command.name()}`.trim() : '';

const isCommon = (option: Option): boolean => option.helpGroupHeading === 'Connection:';

const common = (program: Command): readonly Option[] => leavesOf(program)[0]?.options.filter(isCommon) ?? [];

function section(command: Command): readonly string[] {
  const words = command.registeredArguments.map((argument) => {
    const name = argument.variadic ? `${argument.name()}...` : argument.name();
    return argument.required ? name : `[${name}]`;
  });
  return [
    `.SS ${text(['hivemind', pathOf(command), ...words].join(' '))}`,
    text(`${command.description()}.`),
    ...command.options.filter((option) => !isCommon(option)).flatMap(optionLines),
  ];
}

const optionLines = (option: Option): readonly string[] => [
  '.TP',
  `.B ${text(option.flags)}`,
  text(option.description),
];

/** Nothing of it may be read as a request or an escape. */
function text(plain: string): string {
  const escaped = plain.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll('"', '\\(dq');
  const ascii = escaped.replaceAll('…', '...').replaceAll('→', '\\->').replaceAll('×', 'x');
  return /^[.']/.test(ascii) ? `\\&${ascii}` : ascii;
}

const quoted = (plain: string): string => plain.replaceAll('"', '');
