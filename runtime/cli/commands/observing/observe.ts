/** What is there: `ps`, `ls`, `status`. */
import type { Command } from 'commander';
import type { AppView } from '../../../../protocols/apps/status.ts';
import { coded } from '../../../../protocols/errors.ts';
import { nearest } from '../../../../protocols/suggest.ts';
import type { Cli, CommonOptions } from '../../cli.ts';
import { appPath, type AppAnswer, type AppsAnswer, type StatsRow } from '../../connection/answers.ts';
import { formOf, printListing, printOne, type Listing } from '../../output/listing.ts';
import { age } from '../../output/units.ts';
import { loadKnown, mustBeNode, resolveTarget, slotsOf } from '../../targets.ts';
import { isHappy, slotListing, slotRows, type SlotRow } from '../../views/slot-rows.ts';
import { statusText } from '../../views/status-text.ts';
import { action, leaf } from '../command.ts';

const group = 'Observe:';

export function observeCommands(program: Command, cli: Cli): void {
  const ps = leaf(program, {
    usage: 'ps [target]',
    summary: 'list containers, and what keeps them from running',
    examples: [
      'hivemind ps',
      'hivemind ps shop -w',
      'hivemind ps -o json',
      'hivemind ps --node n2',
      'hivemind ps --json=slot,phase,node',
    ],
    group,
    forms: true,
    watch: true,
  }).option('--node <name>', 'of that node alone');
  action<CommonOptions & { node?: string }>(ps, cli, async ({ node }, [target]) => {
    return printListing(
      cli,
      slotListing(() => cli.now()),
      () => containers(cli, target === undefined ? undefined : String(target), node),
    );
  });

  const ls = leaf(program, {
    usage: 'ls',
    summary: 'list apps',
    examples: ['hivemind ls', 'hivemind ls -o name'],
    group,
    forms: true,
    watch: true,
  });
  action(ls, cli, async () => {
    const load = async (): Promise<readonly AppView[]> =>
      (await (await cli.client()).get<AppsAnswer>('/v1/apps')).apps;
    return printListing(
      cli,
      appListing(() => cli.now()),
      load,
    );
  });

  const status = leaf(program, {
    usage: 'status <app>',
    summary: 'one app: its services, its slots and their problems',
    examples: [
      'hivemind status shop',
      'hivemind status shop --json',
      'hivemind status shop -o yaml --show-secrets',
    ],
    group,
    forms: true,
  }).option(
    '--show-secrets',
    'as JSON or YAML: also the values that are [masked] else; for admins, told as an event',
  );
  action<CommonOptions & { showSecrets?: true }>(status, cli, async ({ showSecrets }, [app]) => {
    const answer = await loadApp(cli, String(app), showSecrets ? { reveal: true } : {});
    const now = cli.now();
    await printOne(cli, answer, answer.view.name, () => statusText(cli, answer, now));
    return 0;
  });
}

async function containers(
  cli: Cli,
  target: string | undefined,
  node: string | undefined,
): Promise<SlotRow[]> {
  const known = await loadKnown(cli);
  const all = await withDisk(cli, slotRows(known.apps, known.slots));
  const rows = node === undefined ? all : all.filter((row) => row.node === node);
  if (node !== undefined && rows.length === 0) await mustBeNode(cli, node);
  if (target === undefined) return rows;
  const wanted = new Set(slotsOf(resolveTarget(target, known), known));
  return rows.filter(({ slot }) => wanted.has(slot));
}

/** Where there is room for it: it takes another question. */
async function withDisk(cli: Cli, rows: SlotRow[]): Promise<SlotRow[]> {
  if (formOf(cli) !== 'wide') return rows;
  const client = await cli.client();
  const { stats } = await client.get<{ stats: readonly StatsRow[] }>('/v1/stats');
  const disk = new Map(stats.map(({ slot, diskBytes }) => [slot, diskBytes]));
  return rows.map((row) => {
    const diskBytes = disk.get(row.slot);
    return diskBytes === undefined ? row : { ...row, diskBytes };
  });
}

/** An app by its exact name; a near one is suggested. */
async function loadApp(cli: Cli, app: string, query: { reveal?: true }): Promise<AppAnswer> {
  const client = await cli.client();
  try {
    return await client.get<AppAnswer>(appPath(app), query);
  } catch (thrown) {
    const { apps } = await client.get<AppsAnswer>('/v1/apps').catch(() => ({ apps: [] }));
    const near = nearest(
      app,
      apps.map(({ name }) => name),
    );
    if (near === undefined || apps.some(({ name }) => name === app)) throw thrown;
    throw coded('HM-APP-UNKNOWN', `No app ${app} is deployed`, {}, `Did you mean ${near}?`);
  }
}

function appListing(now: () => number): Listing<AppView> {
  const sum = (app: AppView, field: 'ready' | 'replicas'): number =>
    app.services.reduce((total, service) => total + service[field], 0);
  const state = (app: AppView): string =>
    app.removing ? 'removing' : app.converged ? 'ready' : 'converging';
  return {
    name: (app) => app.name,
    note: (app) => slotRows([app], []).find((row) => !isHappy(row) && row.reason)?.reason?.message,
    empty: 'No app is deployed. Next: hivemind deploy',
    fields: ['name', 'revision', 'removing', 'services', 'slots', 'converged'],
    columns: [
      { title: 'NAME', cell: (app) => app.name },
      { title: 'STATE', cell: state, tone: (app) => (app.converged && !app.removing ? 'good' : 'busy') },
      { title: 'SERVICES', cell: (app) => String(app.services.length) },
      { title: 'READY', cell: (app) => `${sum(app, 'ready')}/${sum(app, 'replicas')}` },
      { title: 'REV', cell: (app) => String(app.revision) },
      {
        title: 'AGE',
        cell: (app) => {
          const changes = app.slots.flatMap(({ status }) => (status ? [status.since] : []));
          return changes.length === 0 ? '-' : age(now() - Math.max(...changes));
        },
      },
    ],
  };
}
