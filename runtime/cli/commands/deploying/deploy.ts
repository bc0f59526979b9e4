/** `deploy`: read and compile the Compose file here, hand the app to the node, show how it comes up. */
import type { Command } from 'commander';
import type { AppSpec } from '../../../../protocols/apps/model.ts';
import type { AppView } from '../../../../protocols/apps/status.ts';
import { parseDuration } from '../../../../protocols/apps/compose/values.ts';
import { usage, type Cli, type CommonOptions } from '../../cli.ts';
import { appPath, type AppAnswer, type DeployAnswer } from '../../connection/answers.ts';
import { action, leaf } from '../command.ts';
import { compileProject, composable, warn, type ProjectOptions } from './project.ts';

export interface WaitOptions extends CommonOptions {
  readonly detach?: boolean;
  readonly timeout: string;
  readonly progress: string;
}

interface DeployOptions extends WaitOptions, ProjectOptions {
  readonly plan?: string;
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
    usage: 'deploy [service...]',
    summary: 'deploy the app of a Compose file, or change it',
    examples: [
      'hivemind deploy',
      'hivemind deploy -f examples/hello/compose.yaml',
      'hivemind deploy -p staging --detach',
      'hivemind deploy -f compose.yaml -f production.yaml --profile metrics',
    ],
    group: 'Deploy:',
    forms: true,
  }).option('--plan <id>', 'only when it is still what hivemind plan showed');
  action<DeployOptions>(waitable(composable(command)), cli, (options, [services]) =>
    runDeploy(cli, options, [services ?? []].flat()),
  );
}

async function runDeploy(cli: Cli, options: DeployOptions, services: readonly string[]): Promise<number> {
  const timeoutMs = timeoutOf(options);
  const { progressOf } = await import('../../deploy/progress.ts');
  // A wrong --progress is refused before anything is sent.
  progressOf(cli, options.progress);
  const spec = await compileProject(cli, options, services, 'Nothing was deployed.');
  if (typeof spec === 'number') return spec;
  const client = await cli.client();
  const body = { spec, ...(options.plan === undefined ? {} : { plan: options.plan }) };
  const answer = await client.send<DeployAnswer>('PUT', appPath(spec.name), body);
  warn(cli, answer.warnings ?? []);
  const code = await waitForDeploy(cli, options, answer, timeoutMs);
  if (code === 0 && saysMore(cli, options)) await sayPorts(cli, spec);
  return code;
}

const saysMore = (cli: Cli, { detach, progress }: WaitOptions): boolean =>
  !detach && progress !== 'quiet' && !cli.wantsJson && progress !== 'json';

/** Shows how a revision comes up, or with `--detach` only that it was accepted. */
export async function waitForDeploy(
  cli: Cli,
  options: WaitOptions,
  { app, revision, changed, restored }: DeployAnswer,
  timeoutMs: number,
): Promise<number> {
  if (options.detach) {
    const as = asBefore(restored);
    if (cli.wantsJson) cli.print(JSON.stringify({ app, revision, changed, restored }));
    else
      cli.print(
        `${app} rev ${revision}${as} is ${changed ? 'accepted' : 'deployed already'}. Follow: hivemind ps ${app} -w`,
      );
    return 0;
  }
  const { progressOf } = await import('../../deploy/progress.ts');
  const { waitFor } = await import('../../deploy/wait.ts');
  return waitFor(
    cli,
    {
      app,
      title: `${changed ? 'Deploying' : 'Checking'} ${app} rev ${revision}${asBefore(restored)}`,
      timeoutMs,
      reached: (view) => view.revision >= revision && (revision === 1 || haveSettled(view)),
      done: (view) => doneText(view, changed, asBefore(restored)),
    },
    progressOf(cli, options.progress),
  );
}

/** Of an update: what was replaced has shown that it goes on. What is new is done when it runs. */
const haveSettled = ({ slots }: AppView): boolean =>
  slots.every(
    ({ status }) =>
      !status || status.placement === 1 || status.phase === 'completed' || status.settled === true,
  );

const asBefore = (restored: number | undefined): string =>
  restored === undefined ? '' : ` (as rev ${restored})`;

function doneText(view: AppView, changed: boolean, as: string): string {
  const slots = view.slots.length;
  if (!changed) return `${view.name} is up to date (rev ${view.revision}).`;
  return `${view.name} rev ${view.revision} is live${as}   ${slots}/${slots} ready`;
}

/** Those that nobody named are known to the node alone. */
async function sayPorts(cli: Cli, spec: AppSpec): Promise<void> {
  const isNamed = Object.values(spec.services).every(({ ports }) =>
    ports.every(({ hostPort }) => hostPort > 0),
  );
  const services = isNamed
    ? Object.values(spec.services)
    : (await (await cli.client()).get<AppAnswer>(appPath(spec.name))).view.services;
  for (const service of services) {
    for (const { hostAddress, hostPort, containerPort, protocol } of service.ports) {
      const address = hostAddress === '0.0.0.0' ? 'localhost' : hostAddress;
      const shown = address.includes(':') ? `[${address}]` : address;
      cli.say(`  ${service.name}  ${shown}:${hostPort} → ${containerPort}/${protocol}`);
    }
  }
}
