/** `open TARGET`: where a service answers people, in the browser where there is one. */
import type { Command } from 'commander';
import type { AppView } from '../../../../protocols/apps/status.ts';
import type { PortSpec } from '../../../../protocols/apps/model.ts';
import { coded } from '../../../../protocols/errors.ts';
import type { Cli, CommonOptions } from '../../cli.ts';
import { loadKnown, resolveTarget } from '../../targets.ts';
import { action, leaf } from '../command.ts';

export function openCommand(program: Command, cli: Cli): void {
  const open = leaf(program, {
    usage: 'open <target>',
    summary: 'open the published port of an app or service in the browser; prints its address',
    examples: ['hivemind open shop', 'hivemind open shop/web', 'curl "$(hivemind open shop --print)"'],
    group: 'Observe:',
  }).option('--print', 'only print the address');
  action(open, cli, async (options: CommonOptions & { print?: boolean }, [text]) => {
    const known = await loadKnown(cli);
    const target = resolveTarget(String(text), known);
    const app = known.apps.find(({ name }) => name === target.app);
    const service = target.kind === 'app' ? undefined : target.service;
    const url = addressOf(app, service);
    if (url === undefined) {
      const what = service === undefined ? target.app : `${target.app}/${service}`;
      throw coded(
        'HM-TARGET-PORT',
        `${what} publishes no TCP port`,
        { target: what },
        `Add ports: to the service in its Compose file, then: hivemind deploy`,
      );
    }
    cli.print(url);
    if (!options.print && cli.process.stdout.isTTY) await cli.process.openInBrowser(url);
    return 0;
  });
}

/** Ports that people look at come first; then the lowest of the first service that publishes one. */
const usual: readonly number[] = [443, 80, 8080, 8443, 3000, 8000];

function addressOf(app: AppView | undefined, service: string | undefined): string | undefined {
  const published = (app?.services ?? [])
    .filter(({ name }) => service === undefined || name === service)
    .flatMap(({ ports }) => ports.filter(({ protocol }) => protocol === 'tcp'));
  const rank = ({ containerPort }: PortSpec): number => {
    const at = usual.indexOf(containerPort);
    return at < 0 ? usual.length : at;
  };
  const [best] = published.toSorted((a, b) => rank(a) - rank(b));
  if (!best) return undefined;
  const anywhere = ['0.0.0.0', '::'].includes(best.hostAddress);
  const host = anywhere
    ? '127.0.0.1'
    : best.hostAddress.includes(':')
      ? `[${best.hostAddress}]`
      : best.hostAddress;
  const secure = best.containerPort === 443 || best.containerPort === 8443;
  return `${secure ? 'https' : 'http'}://${host}:${best.hostPort}/`;
}
