/**
 * `hivemind-node`, the daemon: one node in the foreground. Settings → real world → node → API. SIGTERM and Ctrl-C
 * detach: actors go, containers stay. Exit codes: 0 stopped, 1 could not start or lost its name, 2 wrong settings, 70 the root
 * supervisor gave up (the restarter starts it again).
 */
import './config/v8.ts';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import manifest from '../package.json' with { type: 'json' };
import type { CollectionSettings } from '../protocols/containers/registry/collection.ts';
import { reasonOf, type Reason } from '../protocols/errors.ts';
import { limits } from '../protocols/limits.ts';
import type { SlotStatus } from '../protocols/apps/status.ts';
import { placeText } from '../protocols/membership/actors/telling.ts';
import { paths } from '../protocols/wire/paths.ts';
import { serveApi } from './api/server.ts';
import { loadNodeConfig, nodeHelp, type NodeConfig } from './config/node-config.ts';
import { takePassphrases } from './config/passphrase.ts';
import { diskOf, keepCollecting, type Collection } from './image-collector.ts';
import { startNode, type RunningNode } from './node.ts';
import { networkTag } from './purge.ts';
import { farewell } from './telemetry/farewell.ts';
import { createLogger, logEvent, type Logger } from './telemetry/logger.ts';
import { realClock } from './world/real-clock.ts';
import { createRealWorld } from './world/real-world.ts';
import type { NodeSettings } from './world/world.ts';

const escalated = 70;
/** A start that has been told to stop may end well within this, and then stops as any running node. */
const stopOfStartMs = 5_000;

async function main(argv: readonly string[]): Promise<number> {
  if (argv.includes('--help') || argv.includes('-h')) return say(nodeHelp(), 0);
  if (argv.includes('--version')) return say(manifest.version, 0);
  const config = settle(() => loadNodeConfig(argv).config);
  const passphrases = settle(() => takePassphrases());
  if (!config || !passphrases) return 2;
  const logger = createLogger({ level: config.logLevel, node: config.name });
  try {
    return await serve(config, passphrases, logger);
  } catch (thrown) {
    complain(reasonOf(thrown));
    return 1;
  }
}

function settle<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch (thrown) {
    complain(reasonOf(thrown));
    return undefined;
  }
}

async function serve(config: NodeConfig, passphrases: readonly string[], logger: Logger): Promise<number> {
  // From the first moment: a machine that shuts down while this starts is no crash either.
  const signal = signalled();
  const { clusterAddress } = config;
  const world = createRealWorld({
    ...config,
    passphrases,
    debug: (text) => logger.debug(text),
    waiting: (text) => logger.warn(text),
    ...(clusterAddress ? { cluster: { ...config, clusterAddress } } : {}),
  });
  const node = await Promise.race([startNode(world, nodeSettings(config)), tooLateToStart(signal)]);
  if (!node) return 0;
  for (const event of node.events.read({ after: { boot: node.boot, seq: 0 }, limit: limits.eventLog }))
    logEvent(logger, event);
  node.events.watch((event) => logEvent(logger, event));
  const collection: Collection = { settings: collectionSettings(config), unusedSince: {} };
  const api = await serveApi(node, {
    socketPath: config.socketPath,
    address: config.apiAddress,
    tokenPath: join(config.dataDir, 'token'),
    importDir: join(config.dataDir, 'import'),
    collection,
    logger,
  }).catch(async (thrown: unknown) => {
    await node.stop();
    throw thrown;
  });
  // A server's own was taken before anything was written there.
  if (config.acceptStore && node.cluster?.self.role === 'agent')
    await node
      .ask(paths.guard, { type: 'store.accept' })
      .catch((thrown: unknown) => complain(reasonOf(thrown)));
  logger.info({ url: api.url, socket: api.socketPath, boot: node.boot }, 'ready');
  const stopCollecting = keepCollecting(node, collection, () => diskOf(config.dataDir));
  const ended = await Promise.race([signal, node.exited, departed(node)]);
  stopCollecting();
  const left = await running(node);
  await api.close();
  await node.stop();
  if (typeof ended !== 'string' && 'code' in ended) {
    complain(ended);
    farewell(left, { departed: true }).forEach((line) => say(line, 0));
    return 1;
  }
  if (typeof ended !== 'string') {
    logger.fatal({ exit: ended, code: 'HM-NODE-ESCALATED' }, 'the root supervisor gave up');
    return escalated;
  }
  farewell(left, { departed: ended === 'left' }).forEach((line) => say(line, 0));
  return 0;
}

/** Freed down to a little below the mark, so that one more image does not begin it anew. */
function collectionSettings({ imagesUnusedHours, imagesDiskPercent }: NodeConfig): CollectionSettings {
  const highShare = imagesDiskPercent / 100;
  return { unusedMs: imagesUnusedHours * 3_600_000, highShare, lowShare: highShare * 0.95 };
}

function nodeSettings(config: NodeConfig): NodeSettings {
  return {
    name: config.name,
    version: manifest.version,
    ...apiAddressOf(config),
    containerPool: config.containerPool,
    bridge: config.bridge,
    networkTag: networkTag(config.name),
    mtu: config.mtu,
    ...(config.dnsAddress === undefined ? {} : { dnsAddress: config.dnsAddress }),
    dnsPort: config.dnsPort,
    upstreams: config.dnsUpstreams.length > 0 ? config.dnsUpstreams : machineResolvers(),
  };
}

/** Not of a port that the system chooses: it is known only when it listens. */
function apiAddressOf({ apiAddress: { host, port } }: NodeConfig): Pick<NodeSettings, 'apiAddress'> {
  return port === 0 ? {} : { apiAddress: placeText({ host, port }) };
}

/** The machine's own resolvers, IPv4. */
function machineResolvers(): readonly string[] {
  try {
    const text = readFileSync('/etc/resolv.conf', 'utf8');
    return [...text.matchAll(/^\s*nameserver\s+(\d+\.\d+\.\d+\.\d+)\s*$/gm)]
      .map((match) => match[1]!)
      .slice(0, 3);
  } catch {
    return [];
  }
}

function signalled(): Promise<'signal'> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.once(signal, () => resolve('signal'));
  });
}

/** A start that waits for something, told to stop, is left as a kill would leave it: all that is kept bears that. */
const tooLateToStart = async (signal: Promise<unknown>): Promise<undefined> => {
  await signal;
  await new Promise<void>((resolve) => void realClock.setTimer(stopOfStartMs, resolve));
};

/** A node that has left its cluster has no store any more; with why, when it was not told to. */
const departed = (node: RunningNode): Promise<'left' | Reason> =>
  (node.cluster?.care?.left ?? new Promise<undefined>(() => undefined)).then((because) => because ?? 'left');

async function running(node: RunningNode): Promise<readonly SlotStatus[]> {
  try {
    const { slots } = await node.ask<{ slots: readonly SlotStatus[] }>(
      paths.manager,
      { type: 'observed.report' },
      1_000,
    );
    return slots.filter((slot) => slot.phase === 'running');
  } catch {
    return [];
  }
}

function complain({ code, message, hint }: Reason): void {
  process.stderr.write(`✗ ${message}\n  ${code}\n  next  ${hint}\n`);
}

function say(text: string, code: number): number {
  process.stdout.write(`${text}\n`);
  return code;
}

void main(process.argv.slice(2)).then((code) => process.exit(code));
