/**
 * What a desk remembers of itself: one file, written before the first thing is made and removed after the last is gone.
 */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { coded } from '../../protocols/errors.ts';
import { network, type DeskName, type DeskNode } from './names.ts';

export interface DeskRecord {
  readonly count: number;
  /** Second byte of its addresses: 10.SECOND.0.0/16. */
  readonly second: number;
  readonly runtime: 'containerd' | 'process';
  /** Socket of the containerd that all nodes share. */
  readonly containerd?: string;
  /** By name, how often a node has got another address. */
  readonly moves?: Readonly<Record<string, number>>;
  /** The CLI's context that was in use before. */
  readonly contextBefore?: string;
}

export const addressOf = ({ second, moves }: DeskRecord, node: DeskNode): string =>
  network.node(second, node, moves?.[node.name]);

const fileOf = ({ folder }: DeskName): string => join(folder, 'desk.json');

/** `undefined` when the desk is not up. HM-DESK-STATE for a file that nobody can read. */
export async function readRecord(desk: DeskName): Promise<DeskRecord | undefined> {
  const text = await readFile(fileOf(desk), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as DeskRecord;
  } catch {
    throw coded('HM-DESK-STATE', `${fileOf(desk)} is not what a desk writes`, { file: fileOf(desk) });
  }
}

/** HM-DESK-STATE when no desk is up. */
export async function requireRecord(desk: DeskName): Promise<DeskRecord> {
  const record = await readRecord(desk);
  if (record) return record;
  throw coded('HM-DESK-STATE', 'No desk is up', {}, 'npm run cluster -- 3');
}

export async function writeRecord(desk: DeskName, record: DeskRecord): Promise<void> {
  await mkdir(desk.folder, { recursive: true, mode: 0o700 });
  await writeFile(`${fileOf(desk)}.new`, `${JSON.stringify(record, null, 2)}\n`);
  await rename(`${fileOf(desk)}.new`, fileOf(desk));
}
