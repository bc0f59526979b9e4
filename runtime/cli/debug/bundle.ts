/**
 * The file that goes with a report of a defect: what the node says of itself and what the machine is, in one archive.
 * Values of environments and secrets are not in it. A part that cannot be had is a line in `about.json`.
 */
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { pack } from 'tar-stream';
import { coded, reasonOf } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import type { Cli } from '../cli.ts';
import { Blackout } from './masked.ts';
import { machineParts, nodeParts, type Part } from './parts.ts';

export interface BundleReport {
  readonly file: string;
  readonly parts: readonly string[];
  /** What is not in it, and why. */
  readonly missing: readonly { readonly part: string; readonly why: string }[];
}

/** Rejects with HM-FILE-MISSING when the file cannot be written; one that exists is not written over. */
export async function writeBundle(cli: Cli, file: string, flags: readonly string[]): Promise<BundleReport> {
  const blackout = new Blackout();
  const missing: { part: string; why: string }[] = [];
  const parts: (readonly [name: string, text: string])[] = [];
  const gather = async ({ name, read }: Part): Promise<void> => {
    try {
      const text = await read();
      const isCut = text.length > limits.debugPartChars;
      if (isCut)
        missing.push({ part: name, why: `only the first ${limits.debugPartChars} characters are in it` });
      parts.push([name, isCut ? text.slice(0, limits.debugPartChars) : text]);
    } catch (thrown) {
      missing.push({ part: name, why: whyOf(thrown) });
    }
  };
  const told = await nodeParts(cli, blackout).catch((thrown: unknown) => {
    missing.push({ part: 'everything that the node says', why: whyOf(thrown) });
    return [];
  });
  for (const part of [...told, ...machineParts(cli, flags)]) await gather(part);
  const at = cli.process.clock.now();
  const about = { tool: cli.process.version, at, parts: parts.map(([name]) => name), missing };
  const tar = pack();
  const folder = 'hivemind-debug';
  for (const [name, text] of [['about.json', `${JSON.stringify(about, null, 2)}\n`] as const, ...parts])
    tar.entry({ name: `${folder}/${name}`, mtime: new Date(at) }, blackout.over(text));
  tar.finalize();
  try {
    await pipeline(tar, createGzip(), createWriteStream(file, { flags: 'wx', mode: 0o600 }));
  } catch (thrown) {
    const { code, message } = thrown as NodeJS.ErrnoException;
    if (code !== 'EEXIST') await rm(file, { force: true });
    throw coded(
      'HM-FILE-MISSING',
      `${file} cannot be written: ${message}`,
      { file },
      'Name another place: hivemind debug bundle --file FILE',
    );
  }
  return { file, parts: about.parts, missing };
}

/** Files and programs of the machine fail in the system's own words. */
function whyOf(thrown: unknown): string {
  const { code, message } = reasonOf(thrown);
  return code === 'HM-INTERNAL' ? message : `${code}: ${message}`;
}
