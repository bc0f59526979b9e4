/**
 * Archives that somebody brings: images that are imported, files that are copied into a container. Each is read or
 * refused with a code, in bounded time and memory, and nothing outside of the folder is ever touched.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { catalogue, CodedError } from '../../../protocols/errors.ts';
import type { Random } from '../../../protocols/ports.ts';
import { checkArchive } from '../../../runtime/drivers/container/containerd/images/archive.ts';
import { writeFiles } from '../../../runtime/files/copy.ts';
import { seededRandom } from '../../../runtime/world/seeded-random.ts';
import { fuzzFolder, type Outcome } from '../target.ts';
import { madeArchive, madeFiles } from './make.ts';

const megabyte = 1_048_576;
/** What an archive may hold here, so that bombs are met soon. */
const roomBytes = 64 * megabyte;
/** Beyond what the process had before: documents of 16 MB as values, and chunks on their way. */
const mostMemory = 400 * megabyte;
const mostMs = 20_000;

let folder: Promise<string> | undefined;

async function fuzzImage(random: Random, room: string): Promise<Outcome> {
  const { shape, bytes } = madeArchive(random);
  const path = join(room, 'image.tar');
  await writeFile(path, bytes);
  const before = process.memoryUsage().rss;
  const began = performance.now();
  const refused = await checkArchive(path, new AbortController().signal, roomBytes).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  const grown = process.memoryUsage().rss - before;
  if (grown > mostMemory)
    return { outcome: shape, finding: `${Math.round(grown / megabyte)} MB for ${shape}` };
  const ms = performance.now() - began;
  if (ms > mostMs) return { outcome: shape, finding: `${Math.round(ms)} ms for ${shape}` };
  if (refused === undefined) return { outcome: `${shape}: read` };
  return judged(shape, refused, ['HM-IMAGE-ARCHIVE']);
}

async function fuzzFiles(random: Random, room: string): Promise<Outcome> {
  const outside = join(room, 'machine');
  const root = join(outside, 'root');
  rmSync(outside, { recursive: true, force: true });
  mkdirSync(join(root, 'srv'), { recursive: true });
  writeFileSync(join(outside, 'secret'), 'of the machine', { mode: 0o640 });
  const bytes = await madeFiles(random);
  const archive = async function* () {
    yield bytes;
  };
  const refused = await writeFiles(root, '/srv', archive()).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  const { mode } = statSync(join(outside, 'secret'));
  const left = [...readdirSync(outside), readFileSync(join(outside, 'secret'), 'utf8'), mode & 0o7777];
  if (String(left) !== String(['root', 'secret', 'of the machine', 0o640]))
    return { outcome: 'files', finding: `outside there is now ${left.join(' ')}` };
  if (readdirSync(root).join() !== 'srv') return { outcome: 'files', finding: 'it left its folder' };
  if (refused === undefined) return { outcome: 'files: written' };
  return judged('files', refused, ['HM-FILE-ARCHIVE', 'HM-FILE-MISSING', 'HM-FILE-PATH']);
}

function judged(what: string, refused: unknown, codes: readonly string[]): Outcome {
  if (!(refused instanceof CodedError))
    return { outcome: what, finding: `thrown: ${(refused as Error).stack ?? String(refused)}` };
  const { code, message } = refused.reason;
  if (!Object.hasOwn(catalogue, code) || !codes.includes(code))
    return { outcome: what, finding: `${code} ${message}` };
  if (message.length > 2_000) return { outcome: what, finding: `a message of ${message.length} characters` };
  return { outcome: `${what}: ${code}` };
}

export async function fuzzArchives(seed: number): Promise<Outcome> {
  const random = seededRandom(seed);
  const room = await (folder ??= fuzzFolder('archives'));
  try {
    return await (random.next() < 0.5 ? fuzzImage(random, room) : fuzzFiles(random, room));
  } catch (thrown) {
    return { outcome: 'thrown', finding: String((thrown as Error).stack ?? thrown) };
  }
}
