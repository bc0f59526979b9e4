/** `cp`: files between this machine and a running container, both ways; `-` is a tar on standard input or output. */
import { resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Command } from 'commander';
import { coded } from '../../../../protocols/errors.ts';
import { usage, type Cli, type CommonOptions } from '../../cli.ts';
import { containerPath } from '../../connection/answers.ts';
import { exitCodes } from '../../failure.ts';
import { loadKnown, resolveTarget, slotsOf, targetName } from '../../targets.ts';
import { action, leaf } from '../command.ts';

export function copyCommand(program: Command, cli: Cli): void {
  const command = leaf(program, {
    usage: 'cp <source> <destination>',
    summary: 'copy files into or out of a running container',
    examples: [
      'hivemind cp ./site shop/web.1:/srv',
      'hivemind cp shop/web.1:/etc/app.conf .',
      'hivemind cp shop/db.1:/data - > data.tar',
    ],
    group: 'Use:',
  }).option('-a, --archive', 'keep the numbers of owner and group');
  action<CommonOptions & { readonly archive?: boolean }>(command, cli, (options, [source, destination]) =>
    copy(cli, String(source), String(destination), options.archive ?? false),
  );
}

async function copy(cli: Cli, source: string, destination: string, archive: boolean): Promise<number> {
  const from = remoteOf(source);
  const to = remoteOf(destination);
  if ((from === undefined) === (to === undefined))
    throw usage('One of source and destination is TARGET:PATH', 'hivemind cp --help');
  if (from) await download(cli, from, destination, archive);
  else if (to) await upload(cli, source, to, archive);
  return exitCodes.ok;
}

interface Remote {
  readonly target: string;
  readonly path: string;
}

/** `shop/web.1:/srv`; what begins with `.` or `/` is of this machine, whatever follows. */
function remoteOf(text: string): Remote | undefined {
  const match = /^([^./:][^:]*):(.+)$/.exec(text);
  if (!match) return undefined;
  const path = match[2]!;
  return { target: match[1]!, path: path.startsWith('/') ? path : `/${path}` };
}

async function filesPath(cli: Cli, { target: text }: Remote): Promise<string> {
  const known = await loadKnown(cli);
  const target = resolveTarget(text, known);
  const slots = slotsOf(target, known);
  const running = slots.find((slot) =>
    known.slots.some((status) => status.slot === slot && status.phase === 'running'),
  );
  const slot = running ?? slots[0];
  if (slot === undefined) throw coded('HM-TARGET-UNKNOWN', `${targetName(target)} has no containers`);
  return containerPath(slot, 'files');
}

async function download(cli: Cli, from: Remote, destination: string, archive: boolean): Promise<void> {
  const client = await cli.client();
  const bytes = await client.download(
    await filesPath(cli, from),
    { path: from.path },
    cli.process.interrupted,
  );
  if (destination === '-') return pipeline(bytes, cli.process.stdout, { end: false });
  const local = resolve(cli.process.directory, destination);
  const { writeFiles } = await import('../../../files/copy.ts');
  const { entries } = await writeFiles('/', local, bytes as AsyncIterable<Uint8Array>, archive);
  cli.say(`${entries} copied to ${destination}`);
}

/** A file or folder of this machine as a tar stream. */
async function packed(cli: Cli, source: string, archive: boolean): Promise<Readable> {
  const { readFiles } = await import('../../../files/copy.ts');
  const owner = archive ? undefined : { uid: 0, gid: 0 };
  const chunks = await readFiles('/', resolve(cli.process.directory, source), owner);
  return Readable.from(chunks, { objectMode: false });
}

async function upload(cli: Cli, source: string, to: Remote, archive: boolean): Promise<void> {
  const client = await cli.client();
  const path = await filesPath(cli, to);
  const bytes =
    source === '-' ? (cli.process.stdin as unknown as Readable) : await packed(cli, source, archive);
  const { entries } = await client.upload<{ entries: number }>(path, bytes, { path: to.path }, 'PUT');
  cli.say(`${entries} copied to ${to.target}:${to.path}`);
}
