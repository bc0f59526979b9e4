/** The CDI files of this machine, and the device nodes that they name. What they mean: protocols/containers/cdi. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { CdiStock } from '../../../../../../protocols/containers/cdi/choose.ts';
import {
  readCdi,
  type CdiDeviceNode,
  type CdiReading,
} from '../../../../../../protocols/containers/cdi/document.ts';
import { refusal } from '../../../../../../protocols/containers/oci/refusal.ts';
import type { OciDevice } from '../../../../../../protocols/containers/oci/types.ts';
import { limits } from '../../../../../../protocols/limits.ts';
import { nodeOf } from './facts.ts';

/** Read anew each time: a driver's service writes them when the machine starts, and when its devices change. */
export async function readCdiStock(folders: readonly string[]): Promise<CdiStock> {
  const readings: CdiReading[] = [];
  for (const folder of folders) {
    const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') readings.push({ ignored: [`${folder}: ${error.message}`] });
      return [];
    });
    for (const name of names.filter((one) => /\.(json|yaml)$/.test(one)).toSorted())
      readings.push(await read(join(folder, name)));
  }
  return {
    folders,
    files: readings.flatMap(({ file }) => file ?? []),
    ignored: readings.flatMap(({ ignored }) => ignored),
  };
}

async function read(path: string): Promise<CdiReading> {
  try {
    const { size } = await stat(path);
    if (size > limits.cdiFileBytes)
      return { ignored: [`${path}: ${size} bytes, more than ${limits.cdiFileBytes}`] };
    const text = await readFile(path, 'utf8');
    return readCdi(path, path.endsWith('.json') ? (JSON.parse(text) as unknown) : parse(text));
  } catch (error) {
    return { ignored: [`${path}: ${String(error).split('\n')[0]}`] };
  }
}

/** With what the file leaves open read from the machine's node. HM-CONTAINER-SETTING when there is none. */
export async function cdiDevicesOf(nodes: readonly CdiDeviceNode[]): Promise<readonly OciDevice[]> {
  return Promise.all(
    nodes.map(async ({ path, hostPath, type, major, minor, fileMode, permissions, uid, gid }) => {
      const source = hostPath || path;
      const access = permissions || 'rwm';
      const stats = await stat(source).catch(() => undefined);
      const found = stats && nodeOf(stats, path, access);
      const said =
        type && major !== undefined && minor !== undefined
          ? { type: type === 'u' ? ('c' as const) : type, major, minor }
          : undefined;
      if (!found && !said) throw refusal('gpus', `${source} is not a device of this machine`);
      return {
        ...(found ?? { fileMode: 0o666, uid: 0, gid: 0 }),
        ...(said ?? found!),
        path,
        access,
        ...(fileMode === undefined ? {} : { fileMode }),
        ...(uid === undefined ? {} : { uid }),
        ...(gid === undefined ? {} : { gid }),
      };
    }),
  );
}
