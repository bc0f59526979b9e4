/**
 * The settings that make a node one of several, and which of them make no sense together. Without `--cluster-address`
 * a node is alone: nothing listens for others.
 */
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { isAbsolute } from 'node:path';
import { z } from 'zod';
import { coded } from '../../protocols/errors.ts';
import { limits } from '../../protocols/limits.ts';
import {
  checkTimes,
  timesOf,
  type MembershipTimes,
  type NetworkKind,
} from '../../protocols/membership/profile.ts';

interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** Where the cluster port is when an address names none. */
export const clusterPort = 4484;

const addressHint =
  'an address of this machine that the others reach, as 10.0.0.1:4484: they are told it, so no host name, and not 0.0.0.0';
const seedHint = 'addresses of nodes of the cluster as 10.0.0.1:4484,10.0.0.2:4484';

const timesHint = 'times as JSON, numbers of milliseconds or counts, as {"probeMs":1000,"directMs":400}';
const times = z.strictObject(
  Object.fromEntries(
    Object.keys(timesOf.lan).map((name) => [name, z.exactOptional(z.number(timesHint))]),
  ) as Record<keyof MembershipTimes, z.ZodExactOptional<z.ZodNumber>>,
  timesHint,
);

export const clusterSettings = {
  clusterAddress: {
    form: z.string(addressHint).transform(parseOwnAddress),
    argument: 'IP:PORT',
    help: 'where the other nodes of the cluster reach this one, over TCP and UDP (none: the node is alone)',
  },
  join: {
    form: z
      .union([
        z.array(z.string()),
        z.string().transform((text) => text.split(',').filter((item) => item !== '')),
      ])
      .transform(parseSeeds),
    argument: 'A,B',
    help: 'become a member of the cluster that these nodes are of; needs --cluster-address, and a token the first time',
  },
  tokenFile: {
    form: z.string().refine((path) => isAbsolute(path), 'an absolute path'),
    argument: 'FILE',
    help: 'file with the join token (hivemind cluster token); read only while the node has no certificate',
  },
  role: {
    form: z.enum(['auto', 'server', 'agent'], 'auto, server or agent'),
    argument: 'ROLE',
    help: 'server keeps the store, agent has it at a server; auto: who joins is an agent (auto)',
  },
  zone: {
    form: z.string().regex(new RegExp(`^[A-Za-z0-9._-]{0,${limits.nameChars}}$`), 'letters, digits, . _ -'),
    argument: 'NAME',
    help: 'what fails together with this node: a rack, a data centre; probes go round by other zones',
  },
  membershipProfile: {
    form: z.enum(['lan', 'wan', 'fast'], 'lan, wan or fast'),
    argument: 'KIND',
    help: 'times of probing: lan, wan between data centres, fast in tests (lan)',
  },
  membershipTimes: {
    form: z.union([times, z.string(timesHint).transform(parseJson).pipe(times)], timesHint),
    argument: 'JSON',
    help: `single times that are not the profile's, alike at all nodes: ${Object.keys(timesOf.lan).join(', ')}`,
  },
} as const;

interface Combined {
  readonly clusterAddress?: HostPort;
  readonly join?: readonly HostPort[];
  readonly tokenFile?: string;
  readonly role: 'auto' | 'server' | 'agent';
  readonly membershipProfile: NetworkKind;
  readonly membershipTimes?: Partial<MembershipTimes>;
}

/** Throws HM-CONFIG, HM-CLUSTER-ROLE or HM-MEMBERSHIP-TIMES for what contradicts itself. */
export function checkCluster(settings: Combined): void {
  const { clusterAddress, join, tokenFile, role, membershipProfile, membershipTimes = {} } = settings;
  checkTimes({ ...timesOf[membershipProfile], ...membershipTimes });
  if (join !== undefined && clusterAddress === undefined)
    throw coded(
      'HM-CONFIG',
      '--join needs --cluster-address: the others must reach this node',
      {},
      'Add --cluster-address with an address of this machine, as 10.0.0.2:4484.',
    );
  const own = (seed: HostPort): boolean =>
    seed.host === clusterAddress?.host && seed.port === clusterAddress.port;
  if (join?.every(own))
    throw coded(
      'HM-CONFIG',
      '--join names only this node itself',
      {},
      'Name another node of the cluster; or, when this is the first one, leave --join out.',
    );
  if (tokenFile !== undefined && join === undefined)
    throw coded(
      'HM-CONFIG',
      '--token-file is given without --join',
      { file: tokenFile },
      'Add --join with the address of a node of the cluster, or leave the token out.',
    );
  if (role === 'server' && join !== undefined)
    throw coded('HM-CLUSTER-ROLE', 'a node that joins cannot be a server yet', { role });
  if (role === 'agent' && clusterAddress === undefined)
    throw coded(
      'HM-CLUSTER-ROLE',
      'an agent has its store at a server, and this node is alone',
      { role },
      'Add --cluster-address and --join, or leave --role out.',
    );
}

/** Left as text when it is none: the form then says what it should be. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** `10.0.0.1:4484`, `[fd00::1]:4484`, with or without a port; `undefined` when it is none. */
function split(text: string): HostPort | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined || (match?.[1] !== undefined && isIP(host) !== 6)) return undefined;
  const port = match?.[3] === undefined ? clusterPort : Number(match[3]);
  return port >= 1 && port <= 65_535 ? { host, port } : undefined;
}

function parseOwnAddress(text: string, context: z.RefinementCtx): HostPort {
  const address = split(text);
  const range = address && isIP(address.host) !== 0 ? ipaddr.parse(address.host).range() : 'none';
  if (address && !['none', 'unspecified', 'multicast', 'broadcast'].includes(range)) return address;
  context.addIssue(addressHint);
  return z.NEVER;
}

function parseSeeds(texts: readonly string[], context: z.RefinementCtx): readonly HostPort[] {
  const seeds = texts.map(split);
  const host = /^[A-Za-z0-9._:-]{1,253}$/;
  if (seeds.length > 0 && seeds.every((seed) => seed && host.test(seed.host))) return seeds as HostPort[];
  context.addIssue(seedHint);
  return z.NEVER;
}
