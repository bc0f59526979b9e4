/**
 * What it costs that everybody knows what runs everywhere: bytes a second and node of 10 nodes with 20 containers each,
 * over membership cores and calls in memory and virtual time. Counted as handed to the streams and datagrams: without
 * what TLS and the seal of a packet add.
 */
import { ObservedTown } from '../kit/cluster/observed-town.ts';
import { most, row, type Row } from './row.ts';

const nodes = 10;
const slots = 20;

interface ObservedFigures {
  /** Bytes a second and node that were sent: records over streams, and all of gossip. */
  readonly streams: number;
  readonly datagrams: number;
}

async function measure(): Promise<{
  readonly idle: ObservedFigures;
  /** One change a second somewhere in the cluster. */
  readonly one: ObservedFigures;
  /** One change a second at each node. */
  readonly each: ObservedFigures;
  /** From a change to the moment all nodes show it, ms: median and longest of 40. */
  readonly spread: { readonly medianMs: number; readonly longestMs: number };
}> {
  const town = new ObservedTown({ nodes, slots, seed: 4 });
  let datagrams = 0;
  const { network } = town.swarm;
  const send = network.send.bind(network);
  network.send = (from, to, bytes) => {
    datagrams += bytes.length;
    send(from, to, bytes);
  };
  const streams = (): number =>
    town.homes
      .flatMap(({ calls }) => calls.conditions())
      .reduce((sum, { counts }) => sum + counts.bytesSent, 0);
  let run = 1;
  const change = (index: number): void =>
    town.change(index, `shop${index}/web.${1 + (run % slots)}`, { run: (run += 1) });
  const over = async (seconds: number, eachSecond: (second: number) => void): Promise<ObservedFigures> => {
    const before = { datagrams, streams: streams() };
    for (let second = 0; second < seconds; second++) {
      eachSecond(second);
      await town.run(1_000);
    }
    const rate = (bytes: number) => Math.round(bytes / seconds / nodes);
    return { streams: rate(streams() - before.streams), datagrams: rate(datagrams - before.datagrams) };
  };
  if ((await town.runUntil(() => town.agreed(), 60_000)) === undefined) throw new Error('they do not agree');
  await town.run(60_000);
  const idle = await over(300, () => {});
  const one = await over(60, (second) => change(second % nodes));
  await town.run(30_000);
  const each = await over(60, () => {
    for (let index = 0; index < nodes; index++) change(index);
  });
  await town.run(30_000);
  const took: number[] = [];
  for (let turn = 0; turn < 40; turn++) {
    change(turn % nodes);
    took.push((await town.runUntil(() => town.agreed(), 30_000, 20)) ?? Infinity);
    await town.run(1_000);
  }
  took.sort((a, b) => a - b);
  return { idle, one, each, spread: { medianMs: took[20]!, longestMs: took.at(-1)! } };
}

export async function observedRows(): Promise<readonly Row[]> {
  const { idle, one, each, spread } = await measure();
  const of = `${nodes} nodes, ${slots} containers each`;
  return [
    row(`${of}, nothing changes: records, a node`, idle.streams, ' B/s', most(100)),
    row('the same: all datagrams of gossip', idle.datagrams, ' B/s'),
    row('one change a second somewhere: records, a node', one.streams, ' B/s', most(2_000)),
    row('the same: all datagrams of gossip', one.datagrams, ' B/s'),
    row('one change a second at every node: records, a node', each.streams, ' B/s', most(20_000)),
    row('the same: all datagrams of gossip', each.datagrams, ' B/s'),
    row('a change shown by all nodes, median', spread.medianMs, ' ms', most(1_000)),
    row('the same, longest of 40', spread.longestMs, ' ms', most(3_000)),
  ];
}
