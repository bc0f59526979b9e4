/**
 * The command line: declares the commands, runs one, turns what it throws into a printed reason and an exit code.
 * Commands load what is heavy (yaml, ws) only when they run.
 */
import { Command, CommanderError } from 'commander';
import { reason, reasonOf } from '../../protocols/errors.ts';
import { Cli, type CliProcess } from './cli.ts';
import { actorCommands } from './commands/actors/actor.ts';
import { changeCommands } from './commands/deploying/change.ts';
import { deployCommand } from './commands/deploying/deploy.ts';
import { runCommand } from './commands/deploying/run.ts';
import { initCommand } from './commands/deploying/init.ts';
import { planCommands } from './commands/deploying/plan.ts';
import { eventsCommand } from './commands/observing/events.ts';
import { execCommand } from './commands/using/exec.ts';
import { clusterCommands } from './commands/resources/cluster.ts';
import { endpointCommands } from './commands/resources/endpoint.ts';
import { imageCommands } from './commands/resources/image.ts';
import { networkCommands } from './commands/resources/network.ts';
import { memberCommands } from './commands/resources/node.ts';
import { secretCommands } from './commands/resources/secret.ts';
import { tokenCommands } from './commands/resources/token.ts';
import { volumeCommands } from './commands/resources/volume.ts';
import { logsCommand } from './commands/observing/logs.ts';
import { answerCompletion, completionCommand } from './commands/meta/completion.ts';
import { contextCommands } from './commands/meta/context.ts';
import { debugCommands } from './commands/meta/debug.ts';
import { docsCommand } from './commands/meta/docs.ts';
import { nodeCommands } from './commands/meta/node.ts';
import { observeCommands } from './commands/observing/observe.ts';
import { copyCommand } from './commands/using/cp.ts';
import { pauseCommands } from './commands/using/pause.ts';
import { portForwardCommand } from './commands/using/port-forward.ts';
import { topCommand } from './commands/observing/top.ts';
import { openCommand } from './commands/observing/open.ts';
import { whyCommand } from './commands/observing/why.ts';
import { localCommands } from './commands/meta/local.ts';
import { withCommandThere } from './connection/elsewhere.ts';
import { exitCodeOf, exitCodes, printReasons } from './failure.ts';

/** Run one command line (without node and script). Answers the exit code; never throws. */
export async function runCli(args: readonly string[], process: CliProcess): Promise<number> {
  const cli = new Cli(process);
  const program = declare(cli);
  try {
    if (args.length === 0) {
      program.outputHelp();
      return exitCodes.ok;
    }
    if (args[0] === '__complete')
      return await answerCompletion(program, cli, args.slice(args[1] === '--' ? 2 : 1));
    await program.parseAsync(settleJson(connectionLast(args)), { from: 'user' });
    return cli.exitCode;
  } catch (thrown) {
    return await failed(cli, program, thrown, connectionLast(args));
  } finally {
    await cli.close();
  }
}

/** The whole tree of commands. */
export function declare(cli: Cli): Command {
  const program = new Command('hivemind')
    .description('Runs containers on a handful to a few thousand machines.')
    .usage('<command> [options]')
    .version(cli.process.version, '-V, --version', 'print the version')
    .helpCommand('help [command]', 'help for a command')
    .addHelpText(
      'after',
      '\nStart here:\n  hivemind deploy      deploys compose.yaml of this folder\n  hivemind ps          what runs, and what does not and why\n  hivemind doctor      checks this node',
    );
  for (const add of [
    deployCommand,
    runCommand,
    planCommands,
    changeCommands,
    initCommand,
    observeCommands,
    whyCommand,
    eventsCommand,
    logsCommand,
    execCommand,
    pauseCommands,
    copyCommand,
    portForwardCommand,
    topCommand,
    actorCommands,
    imageCommands,
    networkCommands,
    endpointCommands,
    secretCommands,
    clusterCommands,
    tokenCommands,
    volumeCommands,
    memberCommands,
    nodeCommands,
    localCommands,
    contextCommands,
    completionCommand,
    docsCommand,
    debugCommands,
    openCommand,
  ]) {
    add(program, cli);
  }
  refuseByThrowing(program, cli);
  return program;
}

/** Commander reports through us: its text becomes a coded usage error, help goes to stdout. */
function refuseByThrowing(command: Command, cli: Cli): void {
  command
    .exitOverride()
    .showSuggestionAfterError(true)
    .configureOutput({
      writeOut: (text) => void cli.process.stdout.write(text),
      writeErr: () => undefined,
      getOutHelpWidth: () => cli.process.stdout.columns ?? 100,
      getErrHelpWidth: () => 100,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
  for (const child of command.commands) refuseByThrowing(child, cli);
}

const ofConnection = /^--(?:(address|context|token-file)(=.*)?|no-color)$/;

/** `hivemind --context n2 ps`, as other tools have it, is `hivemind ps --context n2`: of a command, where they stand in its help. */
export function connectionLast(args: readonly string[]): string[] {
  let from = 0;
  for (let found = ofConnection.exec(args[0] ?? ''); found; found = ofConnection.exec(args[from] ?? ''))
    from += found[1] !== undefined && found[2] === undefined ? 2 : 1;
  const dashes = args.indexOf('--', from);
  const to = dashes === -1 ? args.length : dashes;
  return [...args.slice(from, to), ...args.slice(0, from), ...args.slice(to)];
}

/** `--json` takes fields after `=` or, with a comma in them, after a space; a bare one never swallows what follows. */
export function settleJson(args: readonly string[]): string[] {
  const out: string[] = [];
  for (let i = 0; i < args.length; i++) {
    if (args[i] === '--') return [...out, ...args.slice(i)];
    const next = args[i + 1];
    if (args[i] !== '--json') out.push(args[i]!);
    else if (next !== undefined && /^[A-Za-z]+(,[A-Za-z]+)+$/.test(next)) {
      out.push(`--json=${next}`);
      i += 1;
    } else out.push('--json=');
  }
  return out;
}

async function failed(cli: Cli, program: Command, thrown: unknown, args: readonly string[]): Promise<number> {
  if (thrown instanceof CommanderError) {
    if (thrown.exitCode === 0) return exitCodes.ok;
    const [text = '', suggestion] = thrown.message.replace(/^error: /, '').split('\n');
    const message = text === '(outputHelp)' ? 'A command is missing' : text;
    const hint = usageHint(thrown.code, suggestion, args, program);
    printReasons(cli, [reason('HM-CLI-USAGE', message, {}, hint)]);
    return exitCodes.usage;
  }
  if (cli.process.interrupted.aborted) return exitCodes.interrupted;
  const because = await withCommandThere(cli.process, reasonOf(thrown), args);
  printReasons(cli, [because]);
  return exitCodeOf(because);
}

function usageHint(
  code: string,
  suggestion: string | undefined,
  args: readonly string[],
  program: Command,
): string {
  if (suggestion) return `${suggestion.replace(/[()]/g, '')} Else: hivemind --help`;
  if (code === 'commander.unknownOption' && args[0] === 'exec')
    return 'Write -- before the command: hivemind exec TARGET -- CMD';
  return `hivemind ${[...commandPath(program, args), '--help'].join(' ')}`;
}

/** The words that name a command, `cluster token ls`: as many as there are commands of these names below each other. */
function commandPath(program: Command, args: readonly string[]): readonly string[] {
  const path: string[] = [];
  for (let at = program; ;) {
    const word = args[path.length];
    const child = at.commands.find((each) => word === each.name() || each.aliases().includes(word ?? ''));
    if (!child || word === undefined) return path;
    path.push(word);
    at = child;
  }
}
