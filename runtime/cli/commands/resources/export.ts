/** `image export`: an archive to a file that is whole or not there, or to standard output. */
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { usage, type Cli } from '../../cli.ts';
import { exitCodes } from '../../failure.ts';
import { watched } from '../../output/transfer.ts';

export interface ExportOptions {
  readonly output?: string;
  readonly format?: string;
  readonly platform?: string;
}

export async function exportArchive(cli: Cli, name: string, options: ExportOptions): Promise<number> {
  const { output, format = 'oci', platform } = options;
  if (format !== 'oci' && format !== 'docker') throw usage(`${format} is no format`, 'Write oci or docker.');
  const { stdout, interrupted, directory } = cli.process;
  if (output === undefined && stdout.isTTY === true)
    throw usage('an archive is nothing to look at', 'Name a file: --output FILE.');
  const client = await cli.client();
  const path = `/v1/images/${encodeURIComponent(name)}/export`;
  const bytes = await client.download(path, { format, platform }, interrupted);
  if (output === undefined) {
    await pipeline(bytes, stdout as unknown as NodeJS.WritableStream, { end: false });
    return exitCodes.ok;
  }
  const progress = watched(cli, bytes, { name, after: 'is written' });
  const file = resolve(directory, output);
  const part = `${file}.part`;
  try {
    await pipeline(progress.stream, createWriteStream(part));
    await rename(part, file);
    progress.clear();
  } catch (thrown) {
    progress.clear();
    await rm(part, { force: true });
    throw thrown;
  }
  cli.say(`${name} is in ${output}`);
  return exitCodes.ok;
}
