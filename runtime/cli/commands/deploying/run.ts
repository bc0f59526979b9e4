/**
 * `run`: one container of an image, as an app of its own. It runs to its end, its output ours and its exit code ours;
 * with `--detach` or `--restart` it stays behind as any app does.
 */
import { Option, type Command } from 'commander';
import { normalizeName } from '../../../../protocols/apps/compose/files/names.ts';
import type { AppSpec } from '../../../../protocols/apps/model.ts';
import { coded, reasonOf } from '../../../../protocols/errors.ts';
import { usage, type Cli, type CommonOptions } from '../../cli.ts';
import { appPath, type AppAnswer, type DeployAnswer } from '../../connection/answers.ts';
import { exitCodes, printReasons } from '../../failure.ts';
import { action, collect, leaf } from '../command.ts';

interface RunOptions extends CommonOptions {
  readonly rm?: boolean;
  readonly env?: readonly string[];
  readonly volume?: readonly string[];
  readonly publish?: readonly string[];
  readonly name?: string;
  readonly detach?: boolean;
  readonly restart: string;
  readonly user?: string;
  readonly workdir?: string;
}

/** The one service of such an app. */
export const runService = 'main';

/** As docker has it: the container never started, for a reason that is not its command's. */
const notStarted = 125;

export function runCommand(program: Command, cli: Cli): void {
  const command = leaf(program, {
    usage: 'run <image> [command...]',
    summary: 'run one container to its end, and end with its exit code',
    examples: [
      'hivemind run --rm busybox -- echo hello',
      'hivemind run --rm -v ./data:/data -e LEVEL=debug alpine -- sh -c "ls /data"',
      'hivemind run -d --name cache -p 6379:6379 --restart always redis:7',
    ],
    group: 'Deploy:',
  })
    .option('--rm', 'remove it when it has ended')
    .option('-e, --env <name=value>', 'set a variable; a name alone takes ours (repeatable)', collect)
    .option('-v, --volume <mount>', 'a volume or folder, SOURCE:TARGET[:ro] (repeatable)', collect)
    .option('-p, --publish <port>', 'a port, [ADDRESS:]HOST:CONTAINER[/udp] (repeatable)', collect)
    .option('--name <name>', 'name of the app (default: of the image and the time)')
    .option('-d, --detach', 'leave it running, and print its name')
    .addOption(
      new Option('--restart <policy>', 'no, on-failure[:N], always').default('no', 'no: it runs to its end'),
    )
    .option('-u, --user <user>', 'as this user')
    .option('-w, --workdir <path>', 'in this directory');
  action<RunOptions>(command, cli, async (options, [image, args]) => {
    if (options.rm && options.detach)
      throw usage('--rm needs somebody who waits for the end', 'Leave out --rm or --detach.');
    if (options.restart !== 'no' && !options.detach)
      throw usage('What is restarted has no end to wait for', 'Add --detach.');
    const spec = await specOf(cli, options, String(image), (args ?? []) as string[]);
    if (typeof spec === 'number') return spec;
    return start(cli, options, spec);
  });
}

/** What the options say as a Compose file would, so that they mean the same and are refused in the same words. */
async function specOf(
  cli: Cli,
  options: RunOptions,
  image: string,
  command: readonly string[],
): Promise<AppSpec | number> {
  const { compileTree } = await import('../../../../protocols/apps/compile.ts');
  const { Problems } = await import('../../../../protocols/apps/compose/document.ts');
  const { readCompose } = await import('../../../compose/read.ts');
  const { directory, environment, clock } = cli.process;
  const base = normalizeName(image.replace(/[:@].*$/s, '').replace(/^.*\//s, '')).slice(0, 40) || 'run';
  const name = options.name ?? `${base}-${clock.now().toString(36)}`;
  const named = (options.volume ?? []).map((mount) => mount.split(':')[0]!).filter((at) => /^\w/.test(at));
  const toEnd = options.restart === 'no';
  const service = {
    image,
    ...(command.length > 0 ? { command } : {}),
    environment: options.env ?? [],
    volumes: options.volume ?? [],
    ports: options.publish ?? [],
    ...(options.user === undefined ? {} : { user: options.user }),
    ...(options.workdir === undefined ? {} : { working_dir: options.workdir }),
    ...(toEnd ? { deploy: { mode: 'replicated-job' } } : {}),
    restart: options.restart,
  };
  const file = {
    services: { [runService]: service },
    volumes: Object.fromEntries(named.map((volume) => [volume, {}])),
  };
  const read = readCompose({ file: 'hivemind run', text: JSON.stringify(file) });
  const problems = new Problems();
  const compiled =
    'problems' in read
      ? { ...read, warnings: [] }
      : compileTree(read.root, { name, projectDirectory: directory, environment }, problems);
  for (const { message } of compiled.warnings) cli.say(`! ${message}`);
  if ('spec' in compiled) return compiled.spec;
  printReasons(cli, compiled.problems);
  return notStarted;
}

async function start(cli: Cli, options: RunOptions, spec: AppSpec): Promise<number> {
  try {
    await refuseTaken(cli, spec.name);
    await (await cli.client()).send<DeployAnswer>('PUT', appPath(spec.name), { spec });
  } catch (thrown) {
    printReasons(cli, [reasonOf(thrown)]);
    return notStarted;
  }
  if (options.detach) {
    cli.print(spec.name);
    return 0;
  }
  const { untilEnd } = await import('../../deploy/run-to-end.ts');
  const end = await untilEnd(cli, `${spec.name}/${runService}.1`, spec.name);
  if (end.kind === 'interrupted' && !options.rm) {
    cli.say(`${spec.name} goes on. Follow: hivemind logs -f ${spec.name}; stop it: hivemind rm ${spec.name}`);
    return exitCodes.interrupted;
  }
  if (end.kind === 'refused') printReasons(cli, [end.reason]);
  // What never started would be tried for ever.
  if (options.rm || end.kind === 'refused') await remove(cli, spec.name);
  return end.kind === 'interrupted' ? exitCodes.interrupted : end.code;
}

/** Another app of this name is not changed into this. */
async function refuseTaken(cli: Cli, name: string): Promise<void> {
  const client = await cli.client();
  const present = await client.get<AppAnswer>(appPath(name)).catch((thrown: unknown) => {
    if (reasonOf(thrown).code === 'HM-APP-UNKNOWN') return undefined;
    throw thrown;
  });
  if (present)
    throw coded('HM-APP-CONFLICT', `${name} is deployed already`, { app: name }, `hivemind rm ${name}`);
}

async function remove(cli: Cli, name: string): Promise<void> {
  try {
    await (await cli.client()).send('DELETE', appPath(name), undefined, { volumes: true });
  } catch (thrown) {
    printReasons(cli, [reasonOf(thrown)]);
  }
}
