/** Starting the daemons of a desk: the bundle that users run, in the node's network namespace, apart from who started it. */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { dirname, join, resolve } from 'node:path';
import { coded } from '../../protocols/errors.ts';
import { givenPath } from '../cluster/opening/places.ts';
import { clusterPort } from '../config/cluster-settings.ts';
import { must, waitFor } from './commands.ts';
import { network, nodeOf, type DeskName, type DeskNode } from './names.ts';
import { daemonOf } from './processes.ts';
import { addressOf, type DeskRecord } from './record.ts';

const dist = join(resolve(import.meta.dirname, '../..'), 'dist');
const bundle = join(dist, 'hivemind-node.js');
const tool = join(dist, 'hivemind.js');
const searchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** Ten daemons that start at once on two processors. */
const readyWithinMs = 90_000;
const logTailBytes = 2_000;

/** Resolves when the node answers. HM-DESK-NODE with the end of its log when it does not, or runs already. */
export async function startNode(
  desk: DeskName,
  record: DeskRecord,
  node: DeskNode,
  extra: readonly string[] = [],
): Promise<void> {
  if (await daemonOf(node)) throw coded('HM-DESK-NODE', `${node.name} runs already`, {});
  if (!existsSync(bundle)) throw coded('HM-DESK-MACHINE', 'The bundles are missing', {}, 'npm run build');
  await ensureToken(desk, node);
  const log = openSync(node.logPath, 'a', 0o600);
  try {
    const child = spawn(
      'nsenter',
      [`--net=/run/netns/${node.namespace}`, bundle, ...flagsOf(desk, record, node), ...extra],
      {
        detached: true,
        stdio: ['ignore', log, log],
        cwd: '/',
        // The first line of the bundle looks for node itself.
        env: { PATH: `${dirname(process.execPath)}:${searchPath}` },
      },
    );
    child.on('error', () => undefined);
    child.unref();
  } finally {
    closeSync(log);
  }
  // Ended before it was ready, or not ready in time: both are told by its log.
  let seen = false;
  const ready = await waitFor(readyWithinMs, async () => {
    if (await answers(node)) return 'ready';
    const runs = (await daemonOf(node)) !== undefined;
    if (seen && !runs) return 'ended';
    seen ||= runs;
    return undefined;
  });
  if (ready === 'ready') return;
  const what = ready === 'ended' ? 'ended at once' : 'does not answer';
  const said = await logTail(node);
  throw coded('HM-DESK-NODE', `${node.name} ${what}: ${said}`, { log: node.logPath });
}

export async function logTail({ logPath }: DeskNode, bytes = logTailBytes): Promise<string> {
  return (await readFile(logPath, 'utf8').catch(() => '')).slice(-bytes).trim();
}

/** Whether its API says that it is ready, within two seconds. */
export function answers({ socketPath }: DeskNode): Promise<boolean> {
  return new Promise((answered) => {
    const asked = request({ socketPath, path: '/readyz', timeout: 2_000 }, (response) => {
      response.resume();
      answered(response.statusCode === 200);
    });
    asked.on('timeout', () => asked.destroy());
    asked.on('error', () => answered(false));
    asked.end();
  });
}

function flagsOf(desk: DeskName, record: DeskRecord, node: DeskNode): readonly string[] {
  const place = (one: DeskNode): string => `${addressOf(record, one)}:${clusterPort}`;
  const first = nodeOf(desk, 1);
  const joining = [
    ['--join', place(first)],
    ['--token-file', tokenFileOf(desk, node)],
  ];
  return [
    ['--name', node.name],
    ['--data-dir', node.dataDir],
    ['--socket', node.socketPath],
    ['--runtime', record.runtime],
    ['--cluster-address', place(node)],
    ...(node.number === first.number ? [] : joining),
    // The same in each: nobody else is in their namespaces.
    ['--api-address', '127.0.0.1:4483'],
    ['--bridge', 'hive0'],
    ['--container-pool', network.block(record.second, node)],
    ['--containerd-namespace', node.containerdNamespace],
    ...(record.containerd === undefined ? [] : [['--containerd-address', record.containerd]]),
  ].flat();
}

const tokenFileOf = ({ folder }: DeskName, { name }: DeskNode): string => join(folder, `${name}.token`);

/** A node without a certificate needs a token, which the first node gives. */
async function ensureToken(desk: DeskName, node: DeskNode): Promise<void> {
  const first = nodeOf(desk, 1);
  if (node.number === first.number || existsSync(givenPath(join(node.dataDir, 'cluster')))) return;
  const asked = ['cluster', 'token', '--address', `unix://${first.socketPath}`];
  const token = await must(`the first node's token`, [process.execPath, tool, ...asked]);
  await writeFile(tokenFileOf(desk, node), token, { mode: 0o600 });
}
