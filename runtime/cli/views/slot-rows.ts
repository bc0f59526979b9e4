/** Slots as rows: what `ps`, `status` and the deploy progress show of one. */
import { parseSlotName, type SlotName } from '../../../protocols/apps/model.ts';
import type { AppView, SlotStatus } from '../../../protocols/apps/status.ts';
import type { Reason } from '../../../protocols/errors.ts';
import type { Listing } from '../output/listing.ts';
import type { Tone } from '../output/style.ts';
import { age, bytes, ports } from '../output/units.ts';

/** A slot's status, or `pending` when no node has answered for it. */
export type SlotRow = Pick<SlotStatus, 'slot' | 'app' | 'service' | 'index'> &
  Partial<Omit<SlotStatus, 'phase' | 'reason'>> & {
    readonly phase: SlotStatus['phase'] | 'pending';
    readonly reason?: Reason;
    /** What it wrote over its image; only where it was asked for. */
    readonly diskBytes?: number;
    /** Of another node than the one that answers: as of when this was so. */
    readonly observedAt?: number;
    /** Of a node that is not alive. */
    readonly nodeStatus?: string;
  };

/** Every slot that is wanted or still exists, by name. */
export function slotRows(apps: readonly AppView[], slots: readonly SlotStatus[]): SlotRow[] {
  const rows = new Map<SlotName, SlotRow>();
  for (const status of slots) rows.set(status.slot, status);
  for (const { slot, status, reason } of apps.flatMap((app) => app.slots)) {
    const row = rows.get(slot) ?? status ?? pending(slot, reason);
    rows.set(slot, reason && isForTheApp(reason) ? { ...row, reason } : row);
  }
  return [...rows.values()].sort(
    (a, b) => compare(a.app, b.app) || compare(a.service, b.service) || a.index - b.index,
  );
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function pending(slot: SlotName, reason: Reason | undefined): SlotRow {
  const { app, service, index } = parseSlotName(slot) ?? { app: '', service: slot, index: 0 };
  return { slot, app, service, index, phase: 'pending', ...(reason ? { reason } : {}) };
}

/** Why a slot is not as its app wants it, which the slot itself does not know. */
const isForTheApp = ({ code }: Reason): boolean =>
  code === 'HM-DEPENDENCY-WAIT' || code === 'HM-ROLLOUT-WAIT' || code === 'HM-ROLLOUT-HELD';

/** It runs, whatever is to come of it. */
export const serves = (row: SlotRow): boolean =>
  row.phase === 'completed' || (row.phase === 'running' && row.readiness === 'ready');

/** Nothing more is to come of it. */
export function isHappy(row: SlotRow): boolean {
  if (row.next || (row.reason && isForTheApp(row.reason))) return false;
  return serves(row);
}

export function slotTone(row: SlotRow): Tone {
  if (row.nodeStatus !== undefined) return 'bad';
  if (isHappy(row)) return 'good';
  return row.phase === 'failed' ||
    row.phase === 'backoff' ||
    ['unhealthy', 'unready'].includes(row.readiness ?? '')
    ? 'bad'
    : 'busy';
}

const exitText = ({ lastExit }: SlotRow): string =>
  lastExit ? `${lastExit.code}${lastExit.oomKilled ? ' out of memory' : ''}` : '-';

/** Of a node that does not answer: that all of it may be so no more. */
function lastSaid({ node = '', nodeStatus, observedAt }: SlotRow, now: number): string | undefined {
  if (nodeStatus === undefined) return undefined;
  const before = observedAt === undefined ? '' : ` ${age(now - observedAt)} ago`;
  return `${node} is ${nodeStatus}: so it was${before}`;
}

const fields = [
  'slot',
  'app',
  'service',
  'index',
  'phase',
  'readiness',
  'settled',
  'node',
  'placement',
  'run',
  'revision',
  'specHash',
  'image',
  'ports',
  'containerId',
  'paused',
  'address',
  'networks',
  'dns',
  'restarts',
  'nextStartAt',
  'startedAt',
  'lastExit',
  'reason',
  'next',
  'since',
  'observedAt',
  'nodeStatus',
] as const;

/** `now`: for ages. */
export function slotListing(now: () => number): Listing<SlotRow> {
  return {
    name: (row) => row.slot,
    note: (row) => lastSaid(row, now()) ?? (isHappy(row) ? undefined : row.reason?.message),
    // Each answer is as of a little later.
    news: (row) => ({ ...row, observedAt: undefined }),
    empty: 'Nothing runs. Next: hivemind deploy',
    fields,
    columns: [
      { title: 'NAME', cell: (row) => row.slot },
      { title: 'STATE', cell: (row) => (row.paused ? 'paused' : row.phase), tone: slotTone },
      {
        title: 'HEALTH',
        cell: (row) => (row.readiness === 'none' ? '-' : (row.readiness ?? '-')),
        tone: slotTone,
      },
      { title: 'RESTARTS', cell: (row) => String(row.restarts ?? '-') },
      {
        title: 'NODE',
        cell: ({ node = '-', nodeStatus }) => (nodeStatus === undefined ? node : `${node} (${nodeStatus})`),
        tone: ({ nodeStatus }) => (nodeStatus === undefined ? 'plain' : 'bad'),
      },
      { title: 'ADDRESS', cell: (row) => row.address ?? '-' },
      { title: 'PORTS', cell: (row) => ports(row.ports ?? []) },
      { title: 'REV', cell: (row) => String(row.revision ?? '-') },
      { title: 'IMAGE', cell: (row) => row.image ?? '-', wide: true },
      {
        title: 'RUN',
        cell: (row) => (row.run === undefined ? '-' : `${row.placement}.${row.run}`),
        wide: true,
      },
      { title: 'CONTAINER', cell: (row) => row.containerId ?? '-', wide: true },
      {
        title: 'DISK',
        cell: (row) => (row.diskBytes === undefined ? '-' : bytes(row.diskBytes)),
        wide: true,
      },
      { title: 'EXIT', cell: (row) => exitText(row), wide: true },
      {
        title: 'AS OF',
        cell: ({ observedAt }) => (observedAt === undefined ? 'now' : `${age(now() - observedAt)} ago`),
        when: (rows) => rows.some(({ observedAt }) => observedAt !== undefined),
      },
      {
        title: 'AGE',
        cell: (row) =>
          (row.startedAt ?? row.since) === undefined ? '-' : age(now() - (row.startedAt ?? row.since)!),
      },
    ],
  };
}
