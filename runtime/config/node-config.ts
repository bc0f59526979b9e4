/**
 * The settings of a node: flag over variable over file over default, each value with its origin. Read once at
 * start; everything else gets values as arguments.
 */
import { readFileSync } from 'node:fs';
import { homedir, hostname } from 'node:os';
import { isAbsolute, join } from 'node:path';
import type { ZodError } from 'zod';
import { limits } from '../../protocols/limits.ts';
import { checkCluster } from './cluster-settings.ts';
import { readEnvironment, type Environment } from './environment.ts';
import { flagOf, settingNames, settings, type NodeConfig, type SettingName } from './settings.ts';
import { fromFile, fromFlags, fromVariables, show, wrong, type RawSettings } from './sources.ts';

export type { NodeConfig };

export interface ReadConfig {
  readonly config: NodeConfig;
  /** By setting: `--name`, `HIVEMIND_NAME`, `/etc/hivemind/config.yaml:3`, `default`. */
  readonly origins: Readonly<Partial<Record<SettingName, string>>>;
}

/** What defaults depend on. */
export interface Machine {
  readonly hostname: string;
  readonly isRoot: boolean;
  readonly home: string;
}

const usualFile = '/etc/hivemind/config.yaml';

/**
 * `argv` without node and script; `readFile` answers a file's text or `undefined` when there is none. Throws HM-CONFIG
 * with every wrong setting: which, from where, and the form it should have.
 */
export function readNodeConfig(
  argv: readonly string[],
  environment: Environment,
  readFile: (path: string) => string | undefined,
  machine: Machine = thisMachine(),
): ReadConfig {
  const flags = fromFlags(argv);
  const named = flags.file ?? environment['HIVEMIND_CONFIG'];
  const text = readFile(named ?? usualFile);
  if (text === undefined && named !== undefined) throw wrong(`there is no file ${named}`, { file: named });
  const given: RawSettings = {
    ...(text === undefined ? {} : fromFile(text, named ?? usualFile)),
    ...fromVariables(environment),
    ...flags.settings,
  };
  const defaults = defaultsOf(machine, environment, given);
  const values: Record<string, unknown> = {};
  const origins: Partial<Record<SettingName, string>> = {};
  const problems: string[] = [];
  for (const name of settingNames) {
    const raw = given[name] ?? defaults[name];
    if (!raw) continue;
    const parsed = settings[name].form.safeParse(raw.value);
    if (parsed.success) values[name] = parsed.data;
    else problems.push(`${raw.origin}: ${show(raw.value)} is not ${formOf(parsed.error)}`);
    origins[name] = raw.origin;
  }
  if (problems.length > 0) throw wrong(problems.join('; '), { settings: problems.length });
  const config = values as unknown as NodeConfig;
  checkCluster(config);
  return { config, origins };
}

/** What the value should have been. Of a form's variants the last is the one for text, which flags and variables are. */
function formOf(error: ZodError): string {
  const issue = error.issues[0];
  const variant = issue?.code === 'invalid_union' ? issue.errors.at(-1)?.[0] : issue;
  return variant?.message ?? 'allowed';
}

/** The same from this process's environment and disk. */
export function loadNodeConfig(argv: readonly string[]): ReadConfig {
  return readNodeConfig(argv, readEnvironment(), (path) => {
    try {
      return readFileSync(path, 'utf8');
    } catch (thrown) {
      const { code, message } = thrown as NodeJS.ErrnoException;
      if (code === 'ENOENT') return undefined;
      throw wrong(message, { file: path });
    }
  });
}

/** `hivemind-node --help`. */
export function nodeHelp(): string {
  const rows = settingNames.map((name) => {
    const setting: { readonly argument?: string; readonly help: string } = settings[name];
    return [
      `${flagOf(name)}${setting.argument === undefined ? '' : ` ${setting.argument}`}`,
      setting.help,
    ] as const;
  });
  const all = [
    ...rows,
    ['--config FILE', `settings as YAML, by the names of the flags in camelCase (${usualFile})`] as const,
    ['--help, --version', 'this text; the version'] as const,
  ];
  const width = Math.max(...all.map(([flag]) => flag.length));
  return [
    'hivemind-node [flags]: runs one node in the foreground.',
    '',
    ...all.map(([flag, help]) => `  ${flag.padEnd(width)}  ${help}`),
    '',
    'Each flag is also a variable: --data-dir is HIVEMIND_DATA_DIR. Flag over variable over file.',
  ].join('\n');
}

/** A node name made of a host name: its first label, what is not allowed as `-`. */
export function nodeNameOf(host: string): string {
  const label = host
    .split('.')[0]!
    .toLowerCase()
    .replace(/[^a-z0-9-]/g, '-');
  return label.slice(0, limits.nameChars).replace(/^-+|-+$/g, '') || 'node';
}

function thisMachine(): Machine {
  return { hostname: hostname(), isRoot: process.getuid?.() === 0, home: homedir() };
}

/** In an order: the socket stands under the name, both may be given. */
function defaultsOf(machine: Machine, environment: Environment, given: RawSettings): RawSettings {
  const folder = (variable: string): string | undefined => {
    const path = environment[variable];
    return path !== undefined && isAbsolute(path) ? path : undefined;
  };
  const dataDir = machine.isRoot
    ? '/var/lib/hivemind'
    : join(folder('XDG_DATA_HOME') ?? join(machine.home, '.local', 'share'), 'hivemind');
  const name = nodeNameOf(machine.hostname);
  const own = folder('XDG_RUNTIME_DIR');
  const runDir = machine.isRoot ? '/run/hivemind' : own === undefined ? dataDir : join(own, 'hivemind');
  const values: Partial<Record<SettingName, unknown>> = {
    name,
    dataDir,
    apiAddress: '127.0.0.1:4483',
    socketPath: join(runDir, `${typeof given.name?.value === 'string' ? given.name.value : name}.sock`),
    runtime: 'containerd',
    containerdAddress: '/run/containerd/containerd.sock',
    containerdNamespace: 'hivemind',
    store: 'embedded',
    containerPool: '10.42.0.0/16',
    bridge: 'hive0',
    mtu: 1_500,
    dnsPort: 53,
    dnsUpstreams: [],
    registries: {},
    dockerConfig: join(folder('DOCKER_CONFIG') ?? join(machine.home, '.docker'), 'config.json'),
    imagesUnusedHours: 336,
    imagesDiskPercent: 85,
    labels: {},
    role: 'auto',
    membershipProfile: 'lan',
    secretKeyFile: join(
      typeof given.dataDir?.value === 'string' ? given.dataDir.value : dataDir,
      'keys',
      'secret.key',
    ),
    logLevel: 'info',
    acceptStore: false,
  };
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => [key, { value, origin: 'default' }]),
  );
}
