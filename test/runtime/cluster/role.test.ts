/** Which role a data folder and the settings give, and which of them contradict each other. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { reasonOf } from '../../../protocols/errors.ts';
import type { ClusterSettings } from '../../../runtime/cluster/opening/parts.ts';
import { roleHere } from '../../../runtime/cluster/opening/role.ts';

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

const address = { host: '10.0.0.1', port: 4_484 };
const settings = (more: Partial<ClusterSettings> = {}): ClusterSettings => ({
  clusterAddress: address,
  role: 'auto',
  membershipProfile: 'lan',
  labels: {},
  ...more,
});

/** A data folder of a node that was that, the last time. */
async function folderOf(before: 'new' | 'alone' | 'server' | 'agent' | 'damaged'): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'hm-role-'));
  folders.push(folder);
  await mkdir(join(folder, 'store'));
  await mkdir(join(folder, 'cluster'));
  if (before === 'alone' || before === 'server') await writeFile(join(folder, 'store', 'data.mdb'), '');
  if (before === 'server' || before === 'agent')
    await writeFile(join(folder, 'cluster', 'given.json'), JSON.stringify({ role: before }));
  if (before === 'damaged') await writeFile(join(folder, 'cluster', 'given.json'), '{"role":"ag');
  return folder;
}

const join1 = { join: [address] };

test.each([
  ['new', undefined, 'server'],
  ['new', settings(), 'server'],
  ['new', settings(join1), 'agent'],
  ['new', settings({ ...join1, role: 'agent' }), 'agent'],
  ['new', settings({ role: 'agent' }), 'HM-CLUSTER-ROLE'],
  ['alone', settings(), 'server'],
  ['alone', settings(join1), 'HM-CLUSTER-ROLE'],
  ['server', undefined, 'server'],
  ['server', settings(), 'server'],
  ['server', settings(join1), 'HM-CLUSTER-ROLE'],
  ['agent', undefined, 'HM-CLUSTER-ROLE'],
  ['agent', settings(), 'agent'],
  ['agent', settings(join1), 'agent'],
  ['agent', settings({ role: 'server' }), 'HM-CLUSTER-ROLE'],
  ['damaged', settings(join1), 'agent'],
  // It could have been an agent: as a server it would begin a cluster of its own.
  ['damaged', settings(), 'HM-CLUSTER-KEY'],
  ['damaged', undefined, 'HM-CLUSTER-KEY'],
] as const)('a folder that was %s, with %j: %s', async (before, given, wanted) => {
  const folder = await folderOf(before);
  let role: string;
  try {
    role = roleHere(folder, given);
  } catch (thrown) {
    role = reasonOf(thrown).code;
  }
  expect(role).toBe(wanted);
});
