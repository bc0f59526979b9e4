/** What `npm run sim` takes, and how it refuses what would do nothing. */
import { expect, test } from 'vitest';
import { CodedError } from '../../../protocols/errors.ts';
import { readCommandLine } from '../../../runtime/simulation/command-line.ts';
import { planFor } from '../../../runtime/simulation/plans/choice.ts';
import { faultyMs } from '../../../runtime/simulation/plans/plan.ts';
import { simulate } from '../../../runtime/simulation/simulation.ts';

const refusal = (line: string): string => {
  try {
    readCommandLine(line.split(' '));
  } catch (error) {
    if (error instanceof CodedError) return `${error.reason.message} → ${error.reason.hint.split('\n')[0]}`;
  }
  return 'taken';
};

test.each([
  ['--seed 3 --nodes 5 --trace', 'taken'],
  ['campaign --seeds 10000 --nodes 5 --from 7 --workers 2', 'taken'],
  ['mutants --workers 2 late-nack no-reunion', 'taken'],
  ['--nodes 5', 'which seed? → npm run sim -- --seed 42'],
  ['shrink', 'which seed? → npm run sim -- shrink --seed 42'],
  ['--seed 3 --node 5', "Unknown option '--node'; did you mean --nodes? → npm run sim -- --help"],
  ['campain --seeds 3', 'there is no campain; did you mean campaign? → npm run sim -- --help'],
  ['campaign --trace', '--trace does nothing for campaign → npm run sim -- --help'],
  ['campaign --seeds 0', '--seeds is a whole number, at least 1, not 0 → npm run sim -- --help'],
  ['--seed 1 --nodes 31', '--nodes is a whole number from 1 to 30, not 31 → npm run sim -- --help'],
  [
    '--seed 1 --for 2x',
    '--for is a time of at most a week like 90s, 20m or 1h, not 2x → npm run sim -- --help',
  ],
  [
    '--seed 1 --faults kil',
    '"kil" is no kind of fault; did you mean kill? → --faults none, or any of these, with commas between them:',
  ],
])('%s: %s', (line, said) => {
  expect(refusal(line)).toBe(said);
});

test('without faults nothing is killed, nothing is lost, and nothing fails by itself', async () => {
  for (const nodes of [1, 3]) {
    const { wish } = readCommandLine([
      '--seed',
      '3',
      '--nodes',
      String(nodes),
      '--faults',
      'none',
      '--for',
      '20s',
    ]);
    const plan = planFor(wish, 3);
    expect(plan.faults).toEqual([]);
    expect(plan.cluster?.network.loss ?? 0).toBe(0);
    const { kills, boots, violation } = await simulate(3, plan);
    expect({ kills, boots, violation }).toEqual({ kills: 0, boots: nodes, violation: undefined });
  }
});

test('orders and faults last as long as is asked for, and are those of one seed after the other', () => {
  const of = (forMs: number) => planFor({ nodes: 3, forMs }, 4);
  const times = ({ orders, faults }: ReturnType<typeof of>) => [...orders, ...faults].map(({ atMs }) => atMs);
  const long = of(3 * faultyMs);
  expect(long.forMs).toBe(3 * faultyMs);
  expect(times(long).filter((atMs) => atMs > 2 * faultyMs).length).toBeGreaterThan(0);
  expect(times(of(30_000)).every((atMs) => atMs < 30_000)).toBe(true);
  expect(of(faultyMs)).toEqual({ ...planFor({ nodes: 3 }, 4), forMs: faultyMs });
});

test('kinds of faults are chosen by group or by name', () => {
  const of = (faults: string) =>
    planFor(readCommandLine(['--seed', '1', '--nodes', '5', '--faults', faults]).wish, 8);
  const all = planFor({ nodes: 5 }, 8);
  const kinds = (plan: typeof all) => [...new Set(plan.faults.map((fault) => fault.do))];
  expect(
    kinds(of('members,crash')).every((kind) => ['kill', 'stop', 'wipe', 'leave', 'crash'].includes(kind)),
  ).toBe(true);
  expect(of('members').cluster?.core).toBe(all.cluster?.core);
  expect(of('network').cluster?.network).toEqual(all.cluster?.network);
  expect(of('network').lastKill).toBe(false);
});

test('the door and awkward places are kinds of faults too', () => {
  const of = (seed: number, faults: string) =>
    planFor(readCommandLine(['--seed', '1', '--nodes', '5', '--faults', faults]).wish, seed);
  const seeds = Array.from({ length: 60 }, (_, seed) => seed);
  const mishaps = ({ cluster, sites = [] }: ReturnType<typeof of>) => [
    ...sites,
    ...(cluster?.joining?.acts ?? []),
    ...(cluster?.joining?.doorKills ?? []),
    ...(cluster?.joining?.tokens ?? []).filter((kind) => kind !== 'good'),
  ];
  expect(seeds.flatMap((seed) => mishaps(of(seed, 'none')))).toEqual([]);
  expect(seeds.flatMap((seed) => mishaps(of(seed, 'joining,awkward')))).toEqual(
    seeds.flatMap((seed) => mishaps(planFor({ nodes: 5 }, seed))),
  );
});

test('a cluster of five is what is meant where nothing is said', () => {
  expect(readCommandLine(['campaign', '--seeds', '10000']).wish.nodes).toBe(5);
});
