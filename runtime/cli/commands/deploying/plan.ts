/** `plan`: what a deploy would do. `revisions` and `rollback`: what was deployed before, and back to it. */
import type { Command } from 'commander';
import type { Plan } from '../../../../protocols/apps/plan/plan.ts';
import type { RevisionView } from '../../../../protocols/apps/plan/revisions.ts';
import { usage, type Cli, type CommonOptions } from '../../cli.ts';
import { appPath, type DeployAnswer, type RevisionsAnswer } from '../../connection/answers.ts';
import { exitCodes } from '../../failure.ts';
import { printListing, printOne, type Listing } from '../../output/listing.ts';
import { paint } from '../../output/style.ts';
import { timestamp } from '../../output/units.ts';
import { planLines } from '../../views/plan-text.ts';
import { action, leaf } from '../command.ts';
import { timeoutOf, waitable, waitForDeploy, type WaitOptions } from './deploy.ts';
import { compileProject, composable, warn, type ProjectOptions } from './project.ts';

const group = 'Deploy:';

interface PlanOptions extends ProjectOptions {
  readonly exitCode?: boolean;
  readonly full?: boolean;
}

export function planCommands(program: Command, cli: Cli): void {
  const plan = leaf(program, {
    usage: 'plan [service...]',
    summary: 'show what a deploy would change, and deploy nothing',
    examples: ['hivemind plan', 'hivemind plan --exit-code', 'hivemind plan -f compose.yaml -o json'],
    group,
    forms: true,
  })
    .option('--exit-code', 'exit with 10 when a deploy would change something, with 0 when not')
    .option('--full', 'also what stays as it is');
  action<PlanOptions>(composable(plan), cli, (options, [services]) =>
    runPlan(cli, options, [services ?? []].flat()),
  );

  const revisions = leaf(program, {
    usage: 'revisions <app>',
    summary: 'what was deployed of an app, newest first',
    examples: ['hivemind revisions shop', 'hivemind revisions shop -o wide'],
    group,
    forms: true,
  });
  action<CommonOptions>(revisions, cli, (_options, [app]) => runRevisions(cli, String(app)));

  const rollback = leaf(program, {
    usage: 'rollback <app> [revision]',
    summary: 'deploy an earlier revision anew (default: the one before)',
    examples: ['hivemind rollback shop', 'hivemind rollback shop 3 --detach'],
    group,
    forms: true,
  });
  action<WaitOptions>(waitable(rollback), cli, (options, [app, revision]) =>
    runRollback(cli, options, String(app), revision as string | undefined),
  );
}

async function runPlan(cli: Cli, options: PlanOptions, services: readonly string[]): Promise<number> {
  const spec = await compileProject(cli, options, services, 'Nothing was planned.');
  if (typeof spec === 'number') return spec;
  const client = await cli.client();
  const plan = await client.send<Plan>('POST', appPath(spec.name, '/plan'), { spec });
  warn(cli, plan.warnings ?? []);
  const ink = paint(cli.colored(cli.process.stdout));
  const command = `hivemind deploy ${[...flagsOf(options), ...services].map((word) => `${quoted(word)} `).join('')}--plan ${plan.id}`;
  await printOne(cli, plan, plan.id, () => planLines(plan, command, ink, options.full ?? false));
  return options.exitCode && plan.changed ? exitCodes.changes : exitCodes.ok;
}

/** What makes the same app again. */
function flagsOf({ file, projectName, projectDirectory, envFile, profile }: ProjectOptions): string[] {
  const each = (flag: string, values: readonly string[] = []): string[] =>
    values.flatMap((value) => [flag, value]);
  return [
    ...each('-f', file),
    ...each('-p', projectName === undefined ? [] : [projectName]),
    ...each('--project-directory', projectDirectory === undefined ? [] : [projectDirectory]),
    ...each('--env-file', envFile),
    ...each('--profile', profile),
  ];
}

const quoted = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;

const revisionListing: Listing<RevisionView> = {
  name: ({ revision }) => String(revision),
  fields: ['revision', 'current', 'createdAt', 'services'],
  columns: [
    { title: 'REVISION', cell: ({ revision, current }) => `${revision}${current ? '*' : ''}` },
    {
      title: 'SERVICES',
      cell: ({ services }) => services.map(({ name, replicas }) => `${name}×${replicas}`).join(' '),
    },
    {
      title: 'IMAGES',
      wide: true,
      cell: ({ services }) => [...new Set(services.map(({ image }) => image))].join(' '),
    },
    { title: 'DEPLOYED', cell: ({ createdAt }) => timestamp(createdAt) },
  ],
  empty: 'There are no revisions.',
};

async function runRevisions(cli: Cli, app: string): Promise<number> {
  const client = await cli.client();
  return printListing(cli, revisionListing, async () => {
    const { revisions } = await client.get<RevisionsAnswer>(appPath(app, '/revisions'));
    return revisions.toSorted((a, b) => b.revision - a.revision);
  });
}

async function runRollback(
  cli: Cli,
  options: WaitOptions,
  app: string,
  revision: string | undefined,
): Promise<number> {
  const timeoutMs = timeoutOf(options);
  if (revision !== undefined && !/^[1-9]\d{0,8}$/.test(revision))
    throw usage(`${revision} is not the number of a revision`, `hivemind revisions ${app}`);
  const client = await cli.client();
  const body = revision === undefined ? {} : { revision: Number(revision) };
  const answer = await client.send<DeployAnswer>('POST', appPath(app, '/rollback'), body);
  return waitForDeploy(cli, options, answer, timeoutMs);
}
