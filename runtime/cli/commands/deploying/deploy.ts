/** `deploy`: read and compile the Compose file here, hand the app to the node, show how it comes up. */
import type { Command } from 'commander';
import type { AppSpec } from '../../../../protocols/apps/model.ts';
import type { AppView } from '../../../../protocols/apps/status.ts';
import { parseDuration } from '../../../../protocols/apps/compose/values.ts';
import { usage, type Cli, type CommonOptions } from '../../cli.ts';
import { appPath, type DeployAnswer } from '../../connection/answers.ts';
import { exitCodeOf, printReasons } from '../../failure.ts';
import { paint } from '../../output/style.ts';
import { action, collect, leaf } from '../command.ts';

export interface WaitOptions extends CommonOptions {
  readonly detach?: boolean;
  readonly timeout: string;
  readonly progress: string;
}

interface DeployOptions extends WaitOptions {
  readonly file?: readonly string[];
  readonly projectName?: string;
}

/** The options of every command that waits for an app. */
export function waitable(command: Command): Command {
  return command
    .option('-d, --detach', 'do not wait')
    .option('--timeout <duration>', 'how long to wait', '5m')
    .option('--progress <mode>', 'auto, tty, plain, json or quiet', 'auto');
}

export function timeoutOf(options: WaitOptions): number {
  const ms = parseDuration(options.timeout);
  if (ms === undefined) throw usage(`--timeout ${options.timeout} is not a duration`, 'As in 90s or 5m.');
  return ms;
}

export function deployCommand(program: Command, cli: Cli): void {
  const command = leaf(program, {
    usage: 'deploy',
    summary: 'deploy the app of a Compose file, or change it',
    examples: [
      'hivemind deploy',
      'hivemind deploy -f examples/hello/compose.yaml',
      'hivemind deploy -p staging --detach',
    ],
    group: 'Deploy:',
    forms: true,
  })
    .option(
      '-f, --file <file>',
      'Compose file, - for standard input (default: compose.yaml, here or above)',
      collect,
    )
    .option('-p, --project-name <name>', 'name of the app');
  action<DeployOptions>(waitable(command), cli, (options) => runDeploy(cli, options));
}

async function runDeploy(cli: Cli, options: DeployOptions): Promise<number> {
  const timeoutMs = timeoutOf(options);
  const { progressOf } = await import('../../deploy/progress.ts');
  const progress = progressOf(cli, options.progress);
  const spec = await compileFile(cli, options);
  if (typeof spec === 'number') return spec;
  const client = await cli.client();
  const { app, revision, changed } = await client.send<DeployAnswer>('PUT', appPath(spec.name), { spec });
  if (options.detach) {
    if (cli.wantsJson) cli.print(JSON.stringify({ app, revision, changed }));
    else
      cli.print(
        `${app} rev ${revision} is ${changed ? 'accepted' : 'deployed already'}. Follow: hivemind ps ${app} -w`,
      );
    return 0;
  }
  const { waitFor } = await import('../../deploy/wait.ts');
  const code = await waitFor(
    cli,
    {
      app,
      title: `${changed ? 'Deploying' : 'Checking'} ${app} rev ${revision}`,
      timeoutMs,
      reached: (view) => view.revision >= revision,
      done: (view) => doneText(view, changed),
    },
    progress,
  );
  if (code === 0 && options.progress !== 'quiet' && !cli.wantsJson && options.progress !== 'json')
    sayPorts(cli, spec);
  return code;
}

function doneText(view: AppView, changed: boolean): string {
  const slots = view.slots.length;
  if (!changed) return `${view.name} is up to date (rev ${view.revision}).`;
  return `${view.name} rev ${view.revision} is live   ${slots}/${slots} ready`;
}

function sayPorts(cli: Cli, spec: AppSpec): void {
  for (const service of Object.values(spec.services)) {
    for (const { hostAddress, hostPort, containerPort, protocol } of service.ports) {
      const address = hostAddress === '0.0.0.0' ? 'localhost' : hostAddress;
      cli.say(`  ${service.name}  ${address}:${hostPort} → ${containerPort}/${protocol}`);
    }
  }
}

/** The app, or the exit code after its problems were printed. */
async function compileFile(cli: Cli, options: DeployOptions): Promise<AppSpec | number> {
  const [file, ...more] = options.file ?? [];
  if (more.length > 0) throw usage('Several files cannot be merged yet', 'Give -f once.');
  const { locateCompose } = await import('../../../compose/locate.ts');
  const { readCompose } = await import('../../../compose/read.ts');
  const { compile } = await import('../../../../protocols/apps/compile.ts');
  const { directory, environment, stdin } = cli.process;
  const source = await locateCompose(file, directory, () => allOf(stdin));
  const read = readCompose(source);
  const compiled =
    'problems' in read
      ? { ...read, warnings: [] }
      : compile(read.root, {
          projectDirectory: source.projectDirectory,
          environment,
          ...(options.projectName === undefined ? {} : { name: options.projectName }),
        });
  const ink = paint(cli.colored(cli.process.stderr));
  for (const { message, code } of compiled.warnings)
    cli.say(`${ink.busy('!')} ${message}  ${ink.faint(code)}`);
  if ('spec' in compiled) return compiled.spec;
  printReasons(cli, compiled.problems);
  if (!cli.wantsJson) cli.say('Nothing was deployed.');
  return exitCodeOf(compiled.problems[0]!);
}

async function allOf(stream: AsyncIterable<Buffer | string>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}
