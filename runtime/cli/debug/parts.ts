/** The parts of a bundle: each a file, gathered by itself, so that one that cannot be had costs only itself. */
import { execFile } from 'node:child_process';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { AppSpec } from '../../../protocols/apps/model.ts';
import type { AppView } from '../../../protocols/apps/status.ts';
import { reasonOf } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import type { Cli } from '../cli.ts';
import { appPath, type AppAnswer, type AppsAnswer } from '../connection/answers.ts';
import type { ApiClient } from '../connection/client.ts';
import { maskedSpec, maskedValue, type Blackout } from './masked.ts';

export interface Part {
  readonly name: string;
  read(): Promise<string>;
}

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

/** What the node says of itself. Apps come first: what they hide is hidden in all that follows. */
export async function nodeParts(cli: Cli, blackout: Blackout): Promise<readonly Part[]> {
  const client = await cli.client();
  const { apps } = await client.get<AppsAnswer>('/v1/apps');
  const of = (name: string, path: string, query: Record<string, number> = {}): Part => ({
    name,
    read: async () => json(await client.get<unknown>(path, query)),
  });
  const app = ({ name }: AppView): Part => ({
    name: `apps/${name}.json`,
    read: async () => {
      const { view, spec, record } = await client.get<AppAnswer>(appPath(name));
      blackout.learn(await trueSpec(client, name));
      return json({ record, spec: maskedSpec(spec), view });
    },
  });
  const lines = async (path: string, limit: number): Promise<string> => {
    let text = '';
    for await (const line of client.lines<unknown>(path, { limit }, cli.process.interrupted))
      text += `${JSON.stringify(line)}\n`;
    return text;
  };
  return [
    ...apps.slice(0, limits.debugApps).map(app),
    of('version.json', '/v1/version'),
    of('doctor.json', '/v1/doctor'),
    of('nodes.json', '/v1/nodes'),
    of('containers.json', '/v1/containers'),
    of('images.json', '/v1/images'),
    of('networks.json', '/v1/networks'),
    of('volumes.json', '/v1/volumes'),
    of('events.json', '/v1/events', { limit: limits.debugLines }),
    of('actors.json', '/v1/actors'),
    { name: 'transcript.jsonl', read: () => lines('/v1/actors/transcript', limits.debugLines) },
    {
      name: 'metrics.txt',
      read: async () => textOf(await client.download('/metrics', {}, cli.process.interrupted)),
    },
  ];
}

/** What is hidden must be known to be found where it was told by mistake. Who may not see it sees none of it here either. */
async function trueSpec(client: ApiClient, name: string): Promise<AppSpec> {
  const asked = client.get<AppAnswer>(appPath(name), { reveal: true }).catch((thrown: unknown) => {
    if (reasonOf(thrown).code === 'HM-API-SCOPE') return client.get<AppAnswer>(appPath(name));
    throw thrown;
  });
  return (await asked).spec;
}

async function textOf(stream: AsyncIterable<Uint8Array | string>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString();
}

/** What can be had of this machine also when no node answers. */
export function machineParts(cli: Cli, flags: readonly string[]): readonly Part[] {
  const settings = async () => {
    const { loadLocalConfig } = await import('./settings.ts');
    return loadLocalConfig(flags, cli.process.environment);
  };
  return [
    {
      name: 'settings.json',
      read: async () => {
        const { config, origins } = await settings();
        const told = Object.entries(config).map(([name, value]) => ({
          name,
          value: maskedValue([name], value),
          origin: (origins as Record<string, string | undefined>)[name] ?? 'default',
        }));
        return json(told);
      },
    },
    {
      name: 'store-and-journal.txt',
      read: async () => (await sizesBelow((await settings()).config.dataDir)).join('\n') + '\n',
    },
    {
      name: 'kernel.txt',
      read: async () => {
        const files = [
          '/proc/version',
          '/proc/cgroups',
          '/proc/self/cgroup',
          '/proc/meminfo',
          '/proc/loadavg',
          '/etc/os-release',
          '/proc/sys/net/ipv4/ip_forward',
        ];
        const texts = files.map(
          async (path) => `== ${path}\n${await readFile(path, 'utf8').catch(String)}\n`,
        );
        const mounts = (await readFile('/proc/self/mounts', 'utf8'))
          .split('\n')
          .filter((line) => line.includes('cgroup'));
        return [...(await Promise.all(texts)), '== cgroup mounts', ...mounts, ''].join('\n');
      },
    },
    { name: 'programs.txt', read: () => programs() },
  ];
}

/** Names and sizes, never contents. Two folders deep: the store, the journal, the logs as wholes. */
async function sizesBelow(folder: string, depth = 2): Promise<string[]> {
  const out: string[] = [];
  for (const entry of (await readdir(folder, { withFileTypes: true })).slice(0, limits.debugLines)) {
    const path = join(folder, entry.name);
    if (entry.isFile()) out.push(`${(await stat(path)).size} ${path}`);
    else if (entry.isDirectory() && depth > 0) out.push(`- ${path}/`, ...(await sizesBelow(path, depth - 1)));
  }
  return out;
}

async function programs(): Promise<string> {
  const asked = [
    ['containerd', '--version'],
    ['runc', '--version'],
    ['nft', '--version'],
    ['ip', '-V'],
    ['uname', '-a'],
  ] as const;
  const told = asked.map(
    ([program, flag]) =>
      new Promise<string>((done) => {
        const timeout = limits.debugProgramMs;
        execFile(program, [flag], { timeout }, (error, stdout) =>
          done(error ? `${program}: ${error.message}` : stdout),
        );
      }),
  );
  return `node ${process.version}\n${(await Promise.all(told)).join('')}`;
}
