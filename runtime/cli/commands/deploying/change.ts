/** Changes of what is deployed: `scale`, `restart`, `rm`. */
import type { Command } from 'commander';
import type { AppView } from '../../../../protocols/apps/status.ts';
import { reasonOf } from '../../../../protocols/errors.ts';
import { usage, type Cli } from '../../cli.ts';
import { appPath, type AppAnswer } from '../../connection/answers.ts';
import { exitCodes } from '../../failure.ts';
import { loadKnown, resolveTarget, slotsOf, targetName, type Target } from '../../targets.ts';
import { action, leaf } from '../command.ts';
import { confirmed } from '../confirm.ts';
import { timeoutOf, waitable, type WaitOptions } from './deploy.ts';

const group = 'Deploy:';

export function changeCommands(program: Command, cli: Cli): void {
  const scale = leaf(program, {
    usage: 'scale <app/service=count...>',
    summary: 'set how many replicas a service has',
    examples: ['hivemind scale shop/web=3', 'hivemind scale shop/web=3 shop/worker=0 --detach'],
    group,
  });
  action<WaitOptions>(waitable(scale), cli, (options, [orders]) =>
    runScale(cli, options, [orders].flat() as string[]),
  );

  const restart = leaf(program, {
    usage: 'restart <target>',
    summary: 'replace the containers of an app, service or slot by new ones',
    examples: ['hivemind restart shop/web.2', 'hivemind restart shop'],
    group,
  });
  action<WaitOptions>(waitable(restart), cli, (options, [target]) =>
    runRestart(cli, options, String(target)),
  );

  const rm = leaf(program, {
    usage: 'rm <app...>',
    summary: 'remove apps; their volumes stay unless --volumes is given',
    examples: ['hivemind rm shop', 'hivemind rm shop blog --volumes -y'],
    group,
  })
    .option('--volumes', 'remove their named volumes and their data too')
    .option('-y, --yes', 'do not ask');
  action<RemoveOptions>(waitable(rm), cli, async (options, [apps]) => {
    for (const app of [apps].flat() as string[]) {
      const code = await runRemove(cli, options, app);
      if (code !== exitCodes.ok) return code;
    }
    return exitCodes.ok;
  });
}

async function wait(
  cli: Cli,
  options: WaitOptions,
  app: string,
  title: string,
  reached: (view: AppView) => boolean,
  done: string,
): Promise<number> {
  const timeoutMs = timeoutOf(options);
  const { progressOf } = await import('../../deploy/progress.ts');
  const { waitFor } = await import('../../deploy/wait.ts');
  return waitFor(
    cli,
    { app, title, timeoutMs, reached, done: () => done },
    progressOf(cli, options.progress),
  );
}

async function runScale(cli: Cli, options: WaitOptions, orders: readonly string[]): Promise<number> {
  const known = await loadKnown(cli);
  const wanted = orders.map((order) => {
    const match = /^([^=]+)=(\d{1,6})$/.exec(order);
    if (!match) throw usage(`${order} is not APP/SERVICE=COUNT`, 'As in shop/web=3.');
    const target = resolveTarget(match[1]!, known);
    if (target.kind !== 'service') throw usage(`${match[1]} is not a service`, 'As in shop/web=3.');
    return { app: target.app, service: target.service, replicas: Number(match[2]) };
  });
  const client = await cli.client();
  for (const { app, service, replicas } of wanted) {
    await client.send('POST', appPath(app, '/scale'), { service, replicas });
    if (options.detach) cli.print(`${app}/${service} is to have ${replicas}`);
  }
  if (options.detach) return 0;
  for (const app of new Set(wanted.map((order) => order.app))) {
    const mine = wanted.filter((order) => order.app === app);
    const text = mine.map(({ service, replicas }) => `${app}/${service}=${replicas}`).join(' ');
    const reached = (view: AppView): boolean =>
      mine.every(
        ({ service, replicas }) => view.services.find(({ name }) => name === service)?.replicas === replicas,
      );
    const code = await wait(cli, options, app, `Scaling ${text}`, reached, `${text} is reached`);
    if (code !== 0) return code;
  }
  return 0;
}

async function runRestart(cli: Cli, options: WaitOptions, text: string): Promise<number> {
  const known = await loadKnown(cli);
  const target = resolveTarget(text, known);
  const name = targetName(target);
  const client = await cli.client();
  const slots = slotsOf(target, known);
  const before = new Map(known.slots.map(({ slot, placement }) => [slot, placement]));
  await client.send('POST', appPath(target.app, '/restart'), restartBody(target));
  if (options.detach) {
    cli.print(`${name} is to restart`);
    return 0;
  }
  const raised = (view: AppView): boolean =>
    slots.every((slot) => {
      const placement = view.slots.find((each) => each.slot === slot)?.status?.placement ?? 0;
      return placement > (before.get(slot) ?? 0);
    });
  return wait(cli, options, target.app, `Restarting ${name}`, raised, `${name} has restarted`);
}

function restartBody(target: Target): object {
  if (target.kind === 'app') return {};
  return target.kind === 'service'
    ? { service: target.service }
    : { service: target.service, index: target.index };
}

interface RemoveOptions extends WaitOptions {
  readonly volumes?: boolean;
  readonly yes?: boolean;
}

const everyMs = 150;

async function runRemove(cli: Cli, options: RemoveOptions, app: string): Promise<number> {
  const timeoutMs = timeoutOf(options);
  const client = await cli.client();
  const { spec, view } = await client.get<AppAnswer>(appPath(app));
  const volumes = Object.keys(spec.volumes);
  const loss = options.volumes && volumes.length > 0 ? ` and the data in ${volumes.join(', ')}` : '';
  const what = `${app} (${view.slots.length} ${view.slots.length === 1 ? 'container' : 'containers'})${loss}`;
  if (!options.yes && !(await confirmed(cli, app, what))) return exitCodes.error;
  await client.send('DELETE', appPath(app), undefined, { volumes: options.volumes ? true : undefined });
  if (options.detach) {
    cli.print(`${app} is being removed`);
    return 0;
  }
  const { clock, interrupted } = cli.process;
  const startMs = clock.monotonicMs();
  while (!interrupted.aborted) {
    if (await isGone(cli, app)) {
      cli.print(`${app} is removed${loss}`);
      if (volumes.length > 0 && !options.volumes) cli.say(`its volumes stay: ${volumes.join(', ')}`);
      return 0;
    }
    if (clock.monotonicMs() - startMs > timeoutMs) {
      cli.say(`${app} is still being removed. Follow: hivemind ps ${app} -w`);
      return exitCodes.timedOut;
    }
    await cli.pause(everyMs);
  }
  cli.say(`${app} is being removed in the background. Follow: hivemind ps ${app} -w`);
  return exitCodes.interrupted;
}

async function isGone(cli: Cli, app: string): Promise<boolean> {
  try {
    await (await cli.client()).get(appPath(app));
    return false;
  } catch (thrown) {
    const { code } = reasonOf(thrown);
    if (code === 'HM-APP-UNKNOWN') return true;
    if (code === 'HM-API-UNREACHABLE') return false;
    throw thrown;
  }
}
