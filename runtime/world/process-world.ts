/** What a node stands on that runs processes of the machine: neither containerd nor bridge nor rules. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { coded } from '../../protocols/errors.ts';
import type { ContainerRuntime, ImageSource, NameServer } from '../../protocols/ports.ts';
import { createProcessRuntime, processPlatform } from '../drivers/container/process/driver.ts';
import { noImages } from '../drivers/container/process/images.ts';
import { realClock } from './real-clock.ts';

export const processFolder = (dataDir: string): string => join(dataDir, 'processes');

/** What another runtime left running would be nobody's: HM-CONFIG. */
export function assertRuntimeOf(dataDir: string, runtime: 'containerd' | 'process'): void {
  const other = runtime === 'process' ? 'containerd' : 'process';
  if (!existsSync(runtime === 'process' ? join(dataDir, 'io') : processFolder(dataDir))) return;
  throw coded(
    'HM-CONFIG',
    `the data folder ${dataDir} is of a node with --runtime ${other}`,
    { path: dataDir, runtime: other },
    `Start it with --runtime ${other} or another --data-dir, or remove what it made: hivemind purge`,
  );
}

export async function openProcesses(dataDir: string): Promise<{
  readonly runtime: ContainerRuntime;
  readonly images: ImageSource;
  close(): void;
}> {
  const runtime = await createProcessRuntime({ folder: processFolder(dataDir), clock: realClock });
  return { runtime, images: noImages(processPlatform), close: () => runtime.close() };
}

/** There is no bridge whose address could be listened on: without an address of its own the name server keeps silent. */
export function quietNames(names: NameServer, dnsAddress: string | undefined): NameServer {
  return dnsAddress === undefined ? { ...names, listen: () => Promise.resolve({}) } : names;
}
