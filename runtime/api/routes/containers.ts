/** Containers by their slots: what runs, why not, what they say. Exec is a WebSocket: `../exec.ts`. */
import { z } from '@hono/zod-openapi';
import { parseSlotName, type SlotName } from '../../../protocols/apps/model.ts';
import type { AppView, SlotStatus, SlotView } from '../../../protocols/apps/status.ts';
import { coded, reasonOf, type Reason } from '../../../protocols/errors.ts';
import { paths } from '../../../protocols/wire/paths.ts';
import { limits } from '../../../protocols/limits.ts';
import { levels } from '../../../protocols/listing/log-levels.ts';
import type { LogLine, NodeHandle } from '../../node-handle.ts';
import { elsewhere, everyonesSlots, type ShownSlot } from '../../observed/cluster-view.ts';
import type { LineSource, Push } from '../lines.ts';
import { listRoute } from '../lists/list-route.ts';
import { lackedPlaces } from '../rules/addresses.ts';
import { jsonRoute, lineRoute } from '../route.ts';
import { placePattern } from '../../../protocols/listing/log-place.ts';
import { lineCount, slotParams, switched } from '../schemas/query.ts';
import { gapView, logLine, reasonView, shownSlot } from '../schemas/views.ts';

/** All slots that this node holds. */
export async function observedSlots(node: NodeHandle): Promise<readonly SlotStatus[]> {
  return (await node.ask<{ slots: readonly SlotStatus[] }>(paths.manager, { type: 'observed.report' })).slots;
}

/** HM-SLOT-ELSEWHERE, HM-TARGET-UNKNOWN: why this node does not have it. */
export async function absentSlot(node: NodeHandle, slot: SlotName): Promise<Error> {
  const text = `No slot ${slot} is wanted or running`;
  return (await elsewhere(node, slot)) ?? coded('HM-TARGET-UNKNOWN', text, { slot });
}

const list = listRoute({
  id: 'listContainers',
  path: '/v1/containers',
  summary: 'All slots of all nodes, with the age of what is known of other nodes’',
  name: 'slots',
  row: shownSlot,
  key: ({ slot }) => slot,
  filters: { health: ({ readiness }) => readiness, code: ({ reason }) => reason?.code },
  // What is known of others grows older while no actor changes.
  held: ({ cluster }) => cluster === undefined,
  quiet: ['observedAt'],
  rows: async ({ node }) => everyonesSlots(node, await observedSlots(node)),
});

async function shownOf(node: NodeHandle, slot: SlotName): Promise<ShownSlot | undefined> {
  const slots = await everyonesSlots(node, await observedSlots(node));
  return slots.find((one) => one.slot === slot);
}

/** The status of a slot of any node; HM-TARGET-UNKNOWN. */
async function statusOf(node: NodeHandle, slot: SlotName): Promise<ShownSlot> {
  const status = await shownOf(node, slot);
  if (!status) throw await absentSlot(node, slot);
  return status;
}

const show = jsonRoute({
  id: 'getContainer',
  method: 'get',
  path: '/v1/containers/{slot}',
  summary: 'One slot, of any node',
  params: slotParams,
  answer: shownSlot,
  run: ({ node, params }) => statusOf(node, params.slot),
});

interface Why {
  readonly slot: string;
  readonly status?: ShownSlot;
  readonly reasons: readonly Reason[];
}

const why = jsonRoute({
  id: 'explainContainer',
  method: 'get',
  path: '/v1/containers/{slot}/why',
  summary: 'Why a slot is not as wished; no reasons when it is',
  params: slotParams,
  answer: z.strictObject({
    slot: z.string(),
    status: z.exactOptional(shownSlot),
    reasons: z.array(reasonView).readonly(),
  }),
  run: async ({ node, params: { slot }, call }): Promise<Why> => {
    const [wanted, shown] = await Promise.all([wantedSlot(node, slot), shownOf(node, slot)]);
    const status = shown ?? wanted?.status;
    if (!wanted && !status) throw await absentSlot(node, slot);
    const { app, service: name } = parseSlotName(slot)!;
    const lacked = await lackedPlaces(node, app, [{ name, ports: status?.ports ?? [] }], call);
    const reasons = distinct([wanted?.reason, status?.reason, ...lacked]);
    return { slot, ...(status ? { status } : {}), reasons };
  },
});

/** As the app manager sees it; `undefined` when its app does not want it, or is not there, or leads on another node. */
async function wantedSlot(node: NodeHandle, slot: SlotName): Promise<SlotView | undefined> {
  const app = parseSlotName(slot)!.app;
  try {
    const { view } = await node.ask<{ view: AppView }>(paths.apps, { type: 'app.show', app });
    return view.slots.find((one) => one.slot === slot);
  } catch (thrown) {
    if (['HM-APP-UNKNOWN', 'HM-CLUSTER-AGENT'].includes(reasonOf(thrown).code)) return undefined;
    throw thrown;
  }
}

function distinct(reasons: readonly (Reason | undefined)[]): readonly Reason[] {
  const byText = new Map(
    reasons.flatMap((one) => (one ? [[`${one.code} ${one.message}`, one] as const] : [])),
  );
  return [...byText.values()];
}

/** A time as text, or ms since 1970. */
const moment = z
  .string()
  .transform((text) => (/^\d{1,15}$/.test(text) ? Number(text) : Date.parse(text)))
  .refine((ms) => Number.isFinite(ms), 'a time as 2026-11-25T12:00:00Z, or milliseconds since 1970')
  .openapi({ type: 'string', example: '2026-11-25T12:00:00Z' });

export const logQuery = z.object({
  tail: lineCount(100),
  follow: switched,
  since: z.exactOptional(moment),
  until: z.exactOptional(moment),
  grep: z
    .exactOptional(z.string().max(limits.logGrepChars))
    .openapi({ description: 'text that a line contains, or several with | between them' }),
  level: z
    .exactOptional(z.enum(levels))
    .openapi({ description: 'this grave or graver; only of lines that are JSON or say level=' }),
  after: z.exactOptional(z.string().regex(placePattern, 'the place of a line')).openapi({
    description: 'only behind the line of this place; with follow all that is kept there, whatever the tail',
  }),
  previous: switched.openapi({ description: 'of the run before the newest alone' }),
});

const logs = lineRoute({
  id: 'readLogs',
  method: 'get',
  path: '/v1/containers/{slot}/logs',
  summary:
    'What a slot said, over its runs; with follow=true also what it says from now on. Also as a WebSocket, v1.logs.hivemind: ' +
    'binary frames, the first byte is the channel: 1 these lines, 3 status ({end} or {reason})',
  params: slotParams,
  query: logQuery,
  line: z.union([logLine, gapView]),
  run: ({ node, params, query }) => logSource(node, params.slot, query),
});

/** HM-LOGS-NONE, HM-TARGET-UNKNOWN. */
export async function logSource(
  node: NodeHandle,
  slot: SlotName,
  { follow, ...choice }: z.infer<typeof logQuery>,
): Promise<LineSource<LogLine>> {
  assertKept(node, slot, choice.previous);
  if (!follow) {
    const present = await node.logs.read({ slot, ...choice });
    if (present.length === 0) await mustExist(node, slot);
    return { present: () => present };
  }
  await mustExist(node, slot);
  return { present: () => [], follow: (push: Push<LogLine>) => node.logs.follow({ slot, ...choice }, push) };
}

/** HM-LOGS-NONE. What runs before the present one said may have been kept. */
function assertKept(node: NodeHandle, slot: SlotName, ofPrevious: boolean): void {
  if (node.logs.isMute(slot) && !ofPrevious)
    throw coded('HM-LOGS-NONE', `Nothing that ${slot} says is kept: logging.driver is none`, { slot });
}

/** A slot that is gone may still have lines; one without lines must at least be wanted. */
async function mustExist(node: NodeHandle, slot: SlotName): Promise<void> {
  if ((await observedSlots(node)).some((status) => status.slot === slot)) return;
  if ((await node.logs.read({ slot, tail: 1 })).length > 0) return;
  const other = await elsewhere(node, slot);
  if (other) throw other;
  if (!(await wantedSlot(node, slot))) throw await absentSlot(node, slot);
}

export const containerRoutes = [list, show, why, logs];
