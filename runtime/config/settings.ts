/**
 * The settings of `hivemind-node` as one table: name, flag, variable, form, default, help. The help text, the reading
 * and the errors all come from it, so they cannot disagree.
 */
import ipaddr from 'ipaddr.js';
import { isAbsolute } from 'node:path';
import { z } from 'zod';
import { limits } from '../../protocols/limits.ts';
import { logLevels } from '../telemetry/logger.ts';
import { clusterSettings } from './cluster-settings.ts';

const cidr = z.string().refine((text) => isPool(text), 'an IPv4 network as 10.42.0.0/16, /8 to /24');
const ipv4 = z
  .string()
  .refine((text) => ipaddr.IPv4.isValidFourPartDecimal(text), 'an IPv4 address as 10.42.0.1');
const absolute = z.string().refine((path) => isAbsolute(path), 'an absolute path');
const whole = (min: number, max: number) =>
  z.coerce
    .number(`a number from ${min} to ${max}`)
    .int(`a whole number`)
    .min(min, `at least ${min}`)
    .max(max, `at most ${max}`);
const list = z.union([
  z.array(z.string()),
  z.string().transform((text) => text.split(',').filter((item) => item !== '')),
]);

const registryHost = z
  .string()
  .regex(
    /^(?:\*|[A-Za-z0-9.-]+(?::\d+)?|\[[0-9a-fA-F:]+\](?::\d+)?)$/,
    'a host as docker.io or 127.0.0.1:5000',
  );
const registries = z.record(
  registryHost,
  z.strictObject({
    mirrors: z.exactOptional(
      z.array(z.string().regex(/^(?:https?:\/\/)?[^\s/]+(?:\/\S*)?$/, 'a host or URL')).readonly(),
    ),
    insecure: z.exactOptional(z.boolean()),
    plainHttp: z.exactOptional(z.boolean()),
    caFile: z.exactOptional(absolute),
    blocked: z.exactOptional(z.boolean()),
  }),
);

/** The path of a unix socket must fit the kernel's 108 bytes with its closing zero. */
const socketPathBytes = 107;

export const settings = {
  name: {
    form: z
      .string()
      .regex(nodeNamePattern(), `lower-case letters, digits and -, at most ${limits.nameChars}`),
    argument: 'NAME',
    help: 'name of this node (the host name)',
  },
  dataDir: { form: absolute, argument: 'DIR', help: 'where it keeps everything (/var/lib/hivemind as root)' },
  apiAddress: {
    form: z.string().transform(parseLoopback),
    argument: 'HOST:PORT',
    help: 'API on this machine over TCP, with a token (127.0.0.1:4483)',
  },
  socketPath: {
    flag: '--socket',
    form: absolute.refine(
      (path) => Buffer.byteLength(path) <= socketPathBytes,
      `at most ${socketPathBytes} bytes`,
    ),
    argument: 'PATH',
    help: 'API socket (/run/hivemind/NAME.sock as root)',
  },
  runtime: {
    form: z.enum(['containerd', 'process'], 'containerd or process'),
    argument: 'KIND',
    help: 'containerd runs containers, process runs commands of this machine (containerd)',
  },
  containerdAddress: {
    form: absolute,
    argument: 'PATH',
    help: 'socket of containerd; where none answers, the node starts its own (/run/containerd/containerd.sock)',
  },
  containerdNamespace: {
    form: z
      .string()
      .regex(/^[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*$/, 'letters, digits, . _ -')
      .max(76, 'at most 76 characters'),
    argument: 'NAME',
    help: 'its namespace in containerd (hivemind)',
  },
  store: {
    form: z.enum(['embedded'], 'embedded'),
    argument: 'KIND',
    help: 'where desired state is kept (embedded)',
  },
  containerPool: { form: cidr, argument: 'CIDR', help: 'addresses of containers (10.42.0.0/16)' },
  bridge: {
    form: z.string().regex(/^[a-z0-9][a-z0-9-]{0,14}$/, 'at most 15 lower-case letters, digits and -'),
    argument: 'NAME',
    help: 'Linux bridge of this node (hive0)',
  },
  mtu: { form: whole(1280, 9216), argument: 'BYTES', help: 'largest packet of containers (1500)' },
  dnsAddress: { form: ipv4, argument: 'ADDRESS', help: 'where DNS answers (the address of the bridge)' },
  dnsPort: { form: whole(1, 65_535), argument: 'PORT', help: 'and its port (53)' },
  dnsUpstreams: {
    form: list.pipe(z.array(ipv4)),
    argument: 'A,B',
    help: 'servers that foreign names are asked of (those of /etc/resolv.conf)',
  },
  registries: {
    form: z.union([registries, z.string('JSON').transform(parseRegistries).pipe(registries)]),
    argument: 'JSON',
    help: 'image registries by host: mirrors, plainHttp, insecure, caFile, blocked; "*" is every other ({})',
  },
  dockerConfig: {
    form: absolute,
    argument: 'PATH',
    help: "Docker's config.json, for logins to registries (~/.docker/config.json)",
  },
  imagesUnusedHours: {
    form: whole(1, 87_600),
    argument: 'HOURS',
    help: 'images that nothing has wanted for so long are removed (336)',
  },
  imagesDiskPercent: {
    form: whole(1, 100),
    argument: 'PERCENT',
    help: 'above this use of the disk unused images are removed whatever their age (85)',
  },
  labels: {
    form: z.union([z.record(z.string(), z.coerce.string()), z.string().transform(parseLabels)]),
    argument: 'K=V,…',
    help: 'labels of this node',
  },
  ...clusterSettings,
  secretKeyFile: {
    form: absolute,
    argument: 'FILE',
    help: 'the key that opens secrets, made when it is first needed (keys/secret.key in the data folder); HIVEMIND_SECRET_PASSPHRASE_FILE names the file of its passphrase',
  },
  logLevel: {
    form: z.enum(logLevels, logLevels.join(', ')),
    argument: 'LEVEL',
    help: `${logLevels.join(', ')} (info)`,
  },
  acceptStore: {
    form: z.union([
      z.boolean(),
      z.enum(['true', 'false'], 'true or false').transform((text) => text === 'true'),
    ]),
    help: 'take a store that belongs to another cluster, or is older than what this node has seen, as its own',
  },
} as const;

export type SettingName = keyof typeof settings;
export const settingNames = Object.keys(settings) as SettingName[];

/** What a setting is once it is read. */
export type NodeConfig = {
  readonly [Name in Exclude<SettingName, Optional>]: z.output<(typeof settings)[Name]['form']>;
} & {
  readonly [Name in Optional]?: z.output<(typeof settings)[Name]['form']>;
};

/** Without a default. */
type Optional = 'dnsAddress' | 'clusterAddress' | 'join' | 'tokenFile' | 'zone' | 'membershipTimes';

/** `dataDir` → `--data-dir`. */
export function flagOf(name: SettingName): string {
  const setting = settings[name];
  if ('flag' in setting) return setting.flag;
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** `dataDir` → `HIVEMIND_DATA_DIR`. */
export function variableOf(name: SettingName): string {
  return `HIVEMIND_${flagOf(name).slice(2).replaceAll('-', '_').toUpperCase()}`;
}

function parseRegistries(text: string, context: z.RefinementCtx): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    context.addIssue({ code: 'custom', message: 'JSON as {"127.0.0.1:5000":{"plainHttp":true}}' });
    return z.NEVER;
  }
}

function nodeNamePattern(): RegExp {
  return new RegExp(`^(?=.{1,${limits.nameChars}}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$`);
}

function isPool(text: string): boolean {
  if (!ipaddr.IPv4.isValidCIDRFourPartDecimal(text)) return false;
  const [address, length] = ipaddr.IPv4.parseCIDR(text);
  const network = ipaddr.IPv4.networkAddressFromCIDR(text).toString();
  return length >= 8 && length <= 24 && network === address.toString();
}

function parseLoopback(
  text: string,
  context: z.RefinementCtx,
): { readonly host: string; readonly port: number } {
  const match = /^(127(?:\.\d{1,3}){3}|localhost|\[::1\]):(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (!match || port > 65_535) {
    context.addIssue(
      'an address of this machine as 127.0.0.1:4483 (from elsewhere: ssh -L 4483:127.0.0.1:4483)',
    );
    return z.NEVER;
  }
  return { host: match[1]!.replace(/^\[|\]$/g, ''), port };
}

function parseLabels(text: string, context: z.RefinementCtx): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const pair of text.split(',').filter((item) => item !== '')) {
    const at = pair.indexOf('=');
    if (at < 1) context.addIssue('pairs as disk=ssd,zone=a');
    else labels[pair.slice(0, at)] = pair.slice(at + 1);
  }
  return labels;
}
