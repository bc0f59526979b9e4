/**
 * All figures of one node, gathered when somebody scrapes: one question to each of the managers, one to the runtime
 * and one look at the links for all containers together. A part that does not answer is left out and counted; it never costs the others.
 */
import type { AppView, SlotStatus } from '../../../protocols/apps/status.ts';
import type { Call } from '../../../protocols/ports.ts';
import { paths } from '../../../protocols/wire/paths.ts';
import type { MachineFacts } from '../../../protocols/observed/model.ts';
import type { NodeHandle } from '../../node-handle.ts';
import type { ApiContext } from '../context.ts';
import { observedSlots } from '../routes/containers.ts';
import { appViews } from '../routes/services.ts';
import { ofContainers, ofVolumes } from './containers.ts';
import type { DiskUse } from './disk-use.ts';
import { ofPeers } from './peers.ts';
import { counter, gauge, metricsText, type Family, type Sample } from './text.ts';

const parts = ['apps', 'slots', 'machine', 'runtime', 'network', 'disk', 'datagrams'] as const;

export async function gatherMetrics(context: ApiContext, call: Call): Promise<string> {
  const { node } = context;
  const failed: (typeof parts)[number][] = [];
  const or = <Value>(part: (typeof parts)[number], value: Promise<Value>, fallback: Value): Promise<Value> =>
    value.catch(() => {
      failed.push(part);
      return fallback;
    });
  const leads = node.actors.show(paths.apps) !== undefined;
  const lag = lagOf(node);
  const [apps, slots, machine] = await Promise.all([
    // Of the node that leads: each app once in the whole cluster.
    leads ? or('apps', appViews(node), []) : [],
    or('slots', observedSlots(node), []),
    or<MachineFacts | undefined>('machine', node.machine(), undefined),
  ]);
  const ids = slots.flatMap(({ containerId }) => (containerId === undefined ? [] : [containerId]));
  const [{ stats }, { traffic }, disk] = await Promise.all([
    or('runtime', node.ports.containers.stats({ ids }, call), { stats: [] }),
    or('network', node.ports.network.traffic({ ids }, call), { traffic: [] }),
    or<DiskUse>('disk', context.disk.read(ids, call), { containers: new Map(), volumes: [] }),
  ]);
  return metricsText([
    ...ofNode(node, leads, machine, await lag),
    ...ofProcess(node),
    ...ofApps(apps, slots),
    ...ofActors(node),
    ...ofApi(context),
    ...(node.cluster ? await ofPeers(node.cluster, or) : []),
    ...ofContainers(node.name, slots, { stats, traffic, disk }),
    ...ofVolumes(node.name, disk),
    gauge(
      'hivemind_scrape_failed',
      'Parts of the node that did not answer this scrape.',
      parts.map((part) => ({
        labels: { part },
        value: failed.includes(part) ? 1 : 0,
      })),
    ),
  ]);
}

/** How late the event loop is right now, s. */
function lagOf({ clock }: NodeHandle): Promise<number> {
  const from = clock.monotonicMs();
  return new Promise((resolve) =>
    clock.setTimer(0, () => resolve(Math.max(0, clock.monotonicMs() - from) / 1_000)),
  );
}

function ofNode(
  node: NodeHandle,
  leads: boolean,
  machine: MachineFacts | undefined,
  lagS: number,
): readonly Family[] {
  return [
    gauge('hivemind_build_info', 'Always 1; the labels say what runs.', [
      { labels: { version: node.version, node: node.name }, value: 1 },
    ]),
    gauge('hivemind_nodes', 'Nodes of the cluster by state, as this one sees them.', nodesByState(node)),
    gauge('hivemind_leader', 'Whether this node leads.', leads ? 1 : 0),
    gauge('hivemind_boot', 'How often this node has started.', node.boot),
    gauge('nodejs_eventloop_lag_seconds', 'How late the event loop is.', lagS),
    ...(machine
      ? [
          gauge('machine_cpu_cores', 'Cores of the machine.', machine.cpus),
          gauge('machine_memory_bytes', 'Memory of the machine.', machine.memoryBytes),
          gauge(
            'hivemind_machine_memory_free_bytes',
            'Memory that new work could have.',
            machine.memoryFreeBytes,
          ),
          gauge('hivemind_disk_bytes', 'Size of the disk with the data folder.', machine.diskBytes),
          gauge(
            'hivemind_disk_free_bytes',
            'Free space on the disk with the data folder.',
            machine.diskFreeBytes,
          ),
        ]
      : []),
  ];
}

function nodesByState({ cluster }: NodeHandle): readonly Sample[] {
  const counts = { alive: 0, suspected: 0, dead: 0, left: 0 };
  for (const { status } of cluster?.membership.members() ?? [{ status: 'alive' as const }])
    counts[status] += 1;
  return Object.entries(counts).map(([state, value]) => ({ labels: { state }, value }));
}

function ofProcess({ startedAt }: NodeHandle): readonly Family[] {
  const { user, system } = process.cpuUsage();
  const memory = process.memoryUsage();
  return [
    counter('process_cpu_seconds_total', 'CPU time of the daemon.', (user + system) / 1e6),
    gauge('process_resident_memory_bytes', 'Resident memory of the daemon.', memory.rss),
    gauge('process_start_time_seconds', 'When the daemon started, since 1970.', startedAt / 1_000),
    gauge('nodejs_heap_size_used_bytes', 'Heap of the daemon in use.', memory.heapUsed),
  ];
}

/** Sums by label values. */
function sums<Item>(
  items: readonly Item[],
  labelsOf: (item: Item) => Record<string, string>,
  valueOf: (item: Item) => number = () => 1,
): readonly Sample[] {
  const found = new Map<string, { labels: Record<string, string>; value: number }>();
  for (const item of items) {
    const labels = labelsOf(item);
    const key = JSON.stringify(labels);
    const known = found.get(key) ?? { labels, value: 0 };
    known.value += valueOf(item);
    found.set(key, known);
  }
  return [...found.values()];
}

function ofApps(apps: readonly AppView[], slots: readonly SlotStatus[]): readonly Family[] {
  const services = apps.flatMap(({ name, services: of }) => of.map((one) => ({ app: name, ...one })));
  const unplaced = apps.flatMap(({ name, slots: of }) =>
    of.flatMap(({ status, reason }) => (status || !reason ? [] : [{ app: name, reason: reason.code }])),
  );
  return [
    gauge('hivemind_apps', 'Apps that are deployed.', apps.length),
    gauge(
      'hivemind_app_converged',
      'Whether everything wanted of an app runs and is ready.',
      apps.map(({ name, converged }) => ({ labels: { app: name }, value: converged ? 1 : 0 })),
    ),
    gauge(
      'hivemind_app_revision',
      'The revision that is wanted.',
      apps.map(({ name, revision }) => ({ labels: { app: name }, value: revision })),
    ),
    gauge('hivemind_replicas', 'Replicas of an app: wanted, and ready of them.', [
      ...sums(
        services,
        ({ app }) => ({ app, state: 'wanted' }),
        ({ replicas }) => replicas,
      ),
      ...sums(
        services,
        ({ app }) => ({ app, state: 'ready' }),
        ({ ready }) => ready,
      ),
    ]),
    gauge(
      'hivemind_replicas_unplaced',
      'Wanted replicas that no node holds, by reason.',
      sums(unplaced, (one) => one),
    ),
    gauge(
      'hivemind_slots',
      'Slots of this node by phase.',
      sums(slots, ({ app, phase }) => ({ app, phase })),
    ),
    gauge(
      'hivemind_slot_restarts',
      'Restarts of the present placements.',
      sums(
        slots,
        ({ app, service }) => ({ app, service }),
        ({ restarts }) => restarts,
      ),
    ),
  ];
}

function ofActors({ actors }: NodeHandle): readonly Family[] {
  const tree = actors.tree();
  const kind = ({ machine }: { machine: string }) => ({ kind: machine });
  const { delivered, deadLetters, overflowed, crashes, restarts } = actors.counters();
  return [
    gauge('hivemind_actors', 'Living actors by kind.', sums(tree, kind)),
    gauge(
      'hivemind_actor_mailbox_messages',
      'Messages that wait, by kind of actor.',
      sums(tree, kind, ({ mailbox }) => mailbox),
    ),
    counter('hivemind_actor_messages_total', 'Messages delivered to actors.', delivered),
    counter('hivemind_dead_letters_total', 'Messages that nobody could take.', deadLetters),
    counter('hivemind_mailbox_overflows_total', 'Messages dropped because a mailbox was full.', overflowed),
    counter('hivemind_actor_crashes_total', 'Crashes of actors.', crashes),
    counter('hivemind_actor_restarts_total', 'Restarts of actors.', restarts),
  ];
}

function ofApi({ counts, streams, events, feeds, rates }: ApiContext): readonly Family[] {
  return [
    ...counts.families(),
    counter(
      'hivemind_http_refused_total',
      'Requests refused because a client asked too much.',
      rates.refused,
    ),
    gauge('hivemind_stream_clients', 'Open streams: all of them, those of events; lists that are watched.', [
      { labels: { kind: 'all' }, value: streams.count },
      { labels: { kind: 'events' }, value: events.count },
      { labels: { kind: 'lists' }, value: feeds.count },
    ]),
  ];
}
