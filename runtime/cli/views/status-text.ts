/** `hivemind status APP` for people. */
import type { ServiceView } from '../../../protocols/apps/status.ts';
import type { Cli } from '../cli.ts';
import type { AppAnswer } from '../connection/answers.ts';
import { paint } from '../output/style.ts';
import { table } from '../output/table.ts';
import { ports } from '../output/units.ts';
import { isHappy, slotListing, slotRows } from './slot-rows.ts';

export function statusText(cli: Cli, { view }: AppAnswer, now: number): string[] {
  const { stdout } = cli.process;
  const ink = paint(cli.colored(stdout));
  const options = { wide: false, ink, width: stdout.isTTY ? stdout.columns : undefined };
  const state = view.removing
    ? ink.busy('removing')
    : view.converged
      ? ink.good('ready')
      : ink.busy('converging');
  const rows = slotRows([view], []);
  const listing = slotListing(() => now);
  const services = table<ServiceView>(
    [
      { title: 'SERVICE', cell: (service) => service.name },
      { title: 'READY', cell: (service) => `${service.ready}/${service.replicas}` },
      { title: 'PORTS', cell: (service) => ports(service.ports) },
      { title: 'IMAGE', cell: (service) => service.image },
    ],
    view.services,
    () => undefined,
    options,
  );
  const troubled = rows.filter((row) => !isHappy(row) && row.reason);
  const problems = troubled.flatMap((row) => [
    `${ink.bad('!')} ${row.slot}: ${row.reason!.message}  ${ink.faint(row.reason!.code)}`,
    `  next  ${row.reason!.hint}`,
  ]);
  return [
    `${view.name}  ${state}  rev ${view.revision}`,
    '',
    ...services,
    '',
    ...table(listing.columns, rows, () => undefined, options),
    ...(problems.length > 0 ? ['', ...problems] : []),
  ];
}
