/** The options that say which Compose files are meant, as Compose has them, and the app that they compile to. */
import type { Command } from 'commander';
import type { AppSpec } from '../../../../protocols/apps/model.ts';
import type { Reason } from '../../../../protocols/errors.ts';
import type { Cli, CommonOptions } from '../../cli.ts';
import { exitCodeOf, printReasons } from '../../failure.ts';
import { paint } from '../../output/style.ts';
import { collect } from '../command.ts';

export interface ProjectOptions extends CommonOptions {
  readonly file?: readonly string[];
  readonly projectName?: string;
  readonly projectDirectory?: string;
  readonly envFile?: readonly string[];
  readonly profile?: readonly string[];
}

export function composable(command: Command): Command {
  return command
    .option(
      '-f, --file <file>',
      'Compose file, - for standard input; several are merged (default: compose.yaml, here or above)',
      collect,
    )
    .option('-p, --project-name <name>', 'name of the app')
    .option('--project-directory <directory>', "where relative paths start (default: the first file's)")
    .option('--env-file <file>', 'variables for the files (default: .env)', collect)
    .option('--profile <name>', 'also the services of this profile; * is every profile', collect);
}

/** The app, or the exit code after its problems were printed, and `otherwise`. */
export async function compileProject(
  cli: Cli,
  options: ProjectOptions,
  services: readonly string[],
  otherwise: string,
): Promise<AppSpec | number> {
  const { openCompose } = await import('../../../compose/open.ts');
  const { directory, environment, stdin } = cli.process;
  const compiled = await openCompose(
    {
      files: options.file ?? [],
      envFiles: options.envFile ?? [],
      profiles: options.profile ?? [],
      services,
      projectDirectory: options.projectDirectory,
      name: options.projectName,
      directory,
      environment,
    },
    () => allOf(stdin),
  );
  warn(cli, compiled.warnings);
  if ('spec' in compiled) return compiled.spec;
  printReasons(cli, compiled.problems);
  if (!cli.wantsJson) cli.say(otherwise);
  return exitCodeOf(compiled.problems[0]!);
}

async function allOf(stream: AsyncIterable<Buffer | string>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}

export function warn(cli: Cli, warnings: readonly Reason[]): void {
  const ink = paint(cli.colored(cli.process.stderr));
  for (const { message, code } of warnings) cli.say(`${ink.busy('!')} ${message}  ${ink.faint(code)}`);
}
