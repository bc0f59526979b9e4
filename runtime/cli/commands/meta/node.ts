/** The node itself: `doctor`, `version`. */
import type { Command } from 'commander';
import type { Finding } from '../../../node-handle.ts';
import { reasonOf } from '../../../../protocols/errors.ts';
import type { Cli, CommonOptions } from '../../cli.ts';
import type { DoctorAnswer, VersionAnswer } from '../../connection/answers.ts';
import { formOf, printListing, printOne, type Listing } from '../../output/listing.ts';
import { paint } from '../../output/style.ts';
import { age } from '../../output/units.ts';
import { action, leaf } from '../command.ts';

export function nodeCommands(program: Command, cli: Cli): void {
  const doctor = leaf(program, {
    usage: 'doctor',
    summary: 'check the node and what it stands on',
    examples: ['hivemind doctor', 'hivemind doctor --fix', 'hivemind doctor --json'],
    group: 'Cluster:',
    forms: true,
  })
    .option('--fix', 'mend what can be mended without harm')
    .option(
      '--accept-store',
      'confirm that the store the node found is the right one (after HM-STORE-FOREIGN)',
    );
  action(doctor, cli, (options: CommonOptions & DoctorOptions) => runDoctor(cli, options));

  const version = leaf(program, {
    usage: 'version',
    summary: 'versions of this tool and of the node',
    examples: ['hivemind version', 'hivemind version --json'],
    group: 'Meta:',
    forms: true,
  });
  action(version, cli, () => runVersion(cli));
}

interface DoctorOptions {
  readonly acceptStore?: boolean;
  readonly fix?: boolean;
}

const marks = { ok: '✓', warning: '!', failed: '✗' } as const;
const tones = { ok: 'good', warning: 'busy', failed: 'bad' } as const;

/** 0 when nothing failed; warnings do not count. */
async function runDoctor(cli: Cli, { acceptStore, fix }: DoctorOptions): Promise<number> {
  const client = await cli.client();
  if (acceptStore) {
    await client.send('POST', '/v1/store/accept');
    cli.say('The store is accepted.');
  }
  const told = fix
    ? await client.send<DoctorAnswer>('POST', '/v1/doctor/mend')
    : await client.get<DoctorAnswer>('/v1/doctor');
  const findings = [...told.findings, ...clockFindings(client.skewMs)];
  const failed = findings.filter(({ verdict }) => verdict === 'failed').length;
  if (formOf(cli) !== 'table') await printListing(cli, listing, () => Promise.resolve(findings));
  else printFindings(cli, findings, failed);
  return failed > 0 ? 1 : 0;
}

/** What only who asks can see: that the two do not have the same time. */
function clockFindings(skewMs: number): readonly Finding[] {
  if (skewMs === 0) return [];
  const side = skewMs > 0 ? 'behind' : 'ahead of';
  const detail = `the clock here is ${age(Math.abs(skewMs))} ${side} the node's`;
  return [
    { id: 'clock', verdict: 'warning', detail, remedy: 'timedatectl set-ntp true, on the one that is wrong' },
  ];
}

function printFindings(cli: Cli, findings: readonly Finding[], failed: number): void {
  const ink = paint(cli.colored(cli.process.stdout));
  const width = Math.max(0, ...findings.map(({ id }) => id.length));
  for (const { id, verdict, detail, remedy, mended } of findings) {
    cli.print(`${ink[tones[verdict]](marks[verdict])} ${id.padEnd(width)}  ${detail}`);
    if (mended) cli.print(`  ${' '.repeat(width)}  mended: ${mended}`);
    if (remedy && verdict !== 'ok') cli.print(`  ${' '.repeat(width)}  fix: ${remedy}`);
  }
  const warnings = findings.filter(({ verdict }) => verdict === 'warning').length;
  cli.print(`${findings.length - failed - warnings} ok, ${warnings} warnings, ${failed} failed`);
}

const listing: Listing<Finding> = {
  name: ({ id }) => id,
  fields: ['id', 'verdict', 'detail', 'remedy', 'mended'],
  empty: 'Nothing was checked.',
  columns: [
    { title: 'NAME', cell: ({ id }) => id },
    { title: 'VERDICT', cell: ({ verdict }) => verdict, tone: ({ verdict }) => tones[verdict] },
    { title: 'DETAIL', cell: ({ detail }) => detail },
    { title: 'REMEDY', cell: ({ remedy }) => remedy ?? '-' },
  ],
};

/** A node that does not answer is said, and no failure: the tool has a version without it. */
async function runVersion(cli: Cli): Promise<number> {
  const tool = cli.process.version;
  let node: VersionAnswer | undefined;
  let silence = '';
  try {
    node = await (await cli.client()).get<VersionAnswer>('/v1/version');
  } catch (thrown) {
    silence = reasonOf(thrown).message;
  }
  const now = cli.now();
  await printOne(cli, { hivemind: tool, ...(node ? { node } : {}) }, tool, () => [
    `hivemind  ${tool}`,
    node
      ? `node      ${node.version}  ${node.node}, boot ${node.boot}, up ${age(now - node.startedAt)}, API ${node.api}`
      : `node      -  ${silence}`,
  ]);
  return 0;
}
