/**
 * What a person means by `shop/web.2`, `web`, `shop`, `3f9c`: exact names first, then names without their app,
 * then the beginning of a slot's name or container id; only what is unique.
 */
import { parseSlotName } from '../../protocols/apps/model.ts';
import type { AppView, SlotStatus } from '../../protocols/apps/status.ts';
import { coded, reasonOf } from '../../protocols/errors.ts';
import { nearest } from '../../protocols/suggest.ts';
import type { Cli } from './cli.ts';
import type { AppsAnswer, ContainersAnswer } from './connection/answers.ts';

export type Target =
  | { readonly kind: 'app'; readonly app: string }
  | { readonly kind: 'service'; readonly app: string; readonly service: string }
  | {
      readonly kind: 'slot';
      readonly app: string;
      readonly service: string;
      readonly index: number;
      readonly slot: string;
    };

/** Everything that has a name. */
export interface Known {
  readonly apps: readonly AppView[];
  readonly slots: readonly SlotStatus[];
}

export async function loadKnown(cli: Cli): Promise<Known> {
  const client = await cli.client();
  const [{ apps }, { slots }] = await Promise.all([
    client.get<AppsAnswer>('/v1/apps').catch(withoutApps),
    client.get<ContainersAnswer>('/v1/containers'),
  ]);
  return { apps, slots };
}

/** An agent knows what runs where, and its server what is wanted. */
function withoutApps(thrown: unknown): AppsAnswer {
  if (reasonOf(thrown).code === 'HM-CLUSTER-AGENT') return { apps: [] };
  throw thrown;
}

/** HM-NODE-UNKNOWN, with the names there are. A node without containers is no mistake. */
export async function mustBeNode(cli: Cli, name: string): Promise<void> {
  await (await cli.client()).get(`/v1/nodes/${encodeURIComponent(name)}`);
}

/** Wanted slots and those that still exist. */
export function slotNames({ apps, slots }: Known): string[] {
  return [
    ...new Set([
      ...apps.flatMap((app) => app.slots.map(({ slot }) => slot)),
      ...slots.map(({ slot }) => slot),
    ]),
  ];
}

/** Throws HM-TARGET-UNKNOWN or HM-TARGET-AMBIGUOUS. */
export function resolveTarget(text: string, known: Known): Target {
  const names = slotNames(known);
  const apps = new Set([...known.apps.map(({ name }) => name), ...known.slots.map(({ app }) => app)]);
  const services = new Set(
    known.apps.flatMap(({ name, services: list }) => list.map((each) => `${name}/${each.name}`)),
  );
  for (const name of names) services.add(serviceOf(name));
  if (names.includes(text)) return slotTarget(text);
  if (services.has(text)) return serviceTarget(text);
  if (apps.has(text)) return { kind: 'app', app: text };
  const afterApp = (name: string): string => name.slice(name.indexOf('/') + 1);
  const short = [
    ...names.filter((name) => afterApp(name) === text).map(slotTarget),
    ...[...services].filter((name) => afterApp(name) === text).map(serviceTarget),
  ];
  if (short.length > 0) return only(text, short);
  const begun = new Set([
    ...names.filter((name) => name.startsWith(text) || afterApp(name).startsWith(text)),
    ...known.slots.filter(({ containerId }) => containerId?.startsWith(text)).map(({ slot }) => slot),
  ]);
  if (begun.size > 0 && text !== '') return only(text, [...begun].map(slotTarget));
  const near = nearest(text, [
    ...names,
    ...services,
    ...apps,
    ...names.map(afterApp),
    ...[...services].map(afterApp),
  ]);
  throw coded(
    'HM-TARGET-UNKNOWN',
    `Nothing is called ${text}`,
    {},
    near ? `Did you mean ${near}? Else: hivemind ps` : undefined,
  );
}

/** The existing slots that a target covers, in order. */
export function slotsOf(target: Target, known: Known): string[] {
  if (target.kind === 'slot') return [target.slot];
  return slotNames(known).filter((name) => {
    const slot = parseSlotName(name);
    return slot?.app === target.app && (target.kind === 'app' || slot.service === target.service);
  });
}

export const targetName = (target: Target): string =>
  target.kind === 'app'
    ? target.app
    : target.kind === 'slot'
      ? target.slot
      : `${target.app}/${target.service}`;

function only(text: string, found: readonly Target[]): Target {
  if (found.length === 1) return found[0]!;
  const names = found.map(targetName).sort();
  const list = `${names.slice(0, 5).join(', ')}${names.length > 5 ? ', …' : ''}`;
  throw coded('HM-TARGET-AMBIGUOUS', `${text} may be ${names.length} things: ${list}`, {});
}

const serviceOf = (slot: string): string => slot.slice(0, slot.lastIndexOf('.'));

function slotTarget(slot: string): Target {
  const { app, service, index } = parseSlotName(slot) ?? { app: '', service: slot, index: 0 };
  return { kind: 'slot', app, service, index, slot };
}

function serviceTarget(name: string): Target {
  const cut = name.indexOf('/');
  return { kind: 'service', app: name.slice(0, cut), service: name.slice(cut + 1) };
}
