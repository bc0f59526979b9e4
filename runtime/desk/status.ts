/** What a desk looks like now: nodes by what runs of them on the machine, and the faults that are set. */
import { readFaults, type Faults } from './faults.ts';
import { nodesOf, type DeskName } from './names.ts';
import { answers } from './nodes.ts';
import { processesOf } from './processes.ts';
import { addressOf, requireRecord } from './record.ts';

export interface NodeStatus {
  readonly name: string;
  readonly address: string;
  /** `crashed`: the daemon is gone, its containers run on. */
  readonly state: 'ready' | 'unready' | 'frozen' | 'crashed' | 'gone';
  readonly pid?: number;
  /** Of the daemon. */
  readonly rssMb?: number;
  /** Processes in containers. */
  readonly processes: number;
}

export interface DeskStatus {
  readonly nodes: readonly NodeStatus[];
  readonly faults: Faults;
}

/** HM-DESK-STATE when no desk is up. */
export async function statusOf(desk: DeskName): Promise<DeskStatus> {
  const record = await requireRecord(desk);
  const nodes = nodesOf(desk, record.count);
  const seen = nodes.map(async (node): Promise<NodeStatus> => {
    const all = await processesOf(node);
    const daemon = all.find(({ kind }) => kind === 'daemon');
    const processes = all.filter(({ kind }) => kind === 'container').length;
    const place = { name: node.name, address: addressOf(record, node), processes };
    if (!daemon) return { ...place, state: processes > 0 ? 'crashed' : 'gone' };
    const isReady = daemon.state !== 'T' && (await answers(node));
    const state = daemon.state === 'T' ? 'frozen' : isReady ? 'ready' : 'unready';
    return { ...place, state, pid: daemon.pid, rssMb: Math.round(daemon.rssBytes / 1_048_576) };
  });
  return { nodes: await Promise.all(seen), faults: await readFaults(desk, nodes) };
}
