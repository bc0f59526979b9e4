/** What a command of a run is on this machine: its file, its user, its environment. Refused before anything is made. */
import { accessSync, constants, statSync, type Stats } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { delimiter, resolve } from 'node:path';
import type { ContainerCreate } from '../../../../protocols/containers/model.ts';
import { resolveUser } from '../../../../protocols/containers/oci/user.ts';
import { refusal } from '../../../../protocols/containers/oci/refusal.ts';
import { coded } from '../../../../protocols/errors.ts';
import { markName } from '../process-files.ts';

export interface Manner {
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDir: string;
  readonly prefix: readonly string[];
}

const usualPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** `folder`: of the run. Nothing of the daemon's own environment reaches a service. HM-CONTAINER-USER, HM-CONTAINER-SETTING. */
export async function mannerOf(
  { id, spec, extraEnvironment }: ContainerCreate,
  folder: string,
): Promise<Manner> {
  const { user, workingDir = '/' } = spec.process ?? {};
  const { prefix, home } = await asUser(user);
  if (!isFolder(workingDir)) throw refusal('working_dir', `${workingDir} is no folder of this machine`);
  const environment = {
    PATH: usualPath,
    HOME: home,
    ...spec.environment,
    ...extraEnvironment,
    HIVEMIND_CONTAINER: id,
    [markName]: folder,
  };
  return { environment, workingDir, prefix };
}

/** What has to stand before a command so that it runs as this user of the machine; absent: as the node does. */
export async function asUser(
  text: string | undefined,
): Promise<{ readonly prefix: readonly string[]; readonly home: string }> {
  const own = process.getuid?.() ?? 0;
  const [passwd = '', group = ''] = await Promise.all(
    ['passwd', 'group'].map((name) => readFile(`/etc/${name}`, 'utf8').catch(() => '')),
  );
  const user = resolveUser(text ?? `${own}`, { passwd, group });
  if (text === undefined || (user.uid === own && own !== 0)) return { prefix: [], home: user.home };
  if (own !== 0)
    throw coded(
      'HM-CONTAINER-USER',
      `The node is not root: nothing can run as ${text}`,
      { user: text },
      'Leave the user out',
    );
  const { uid, gid, additionalGids } = user;
  const groups = additionalGids.length > 0 ? [`--groups=${additionalGids.join(',')}`] : ['--clear-groups'];
  const setpriv = executable('setpriv', { PATH: usualPath }, '/');
  return { prefix: [setpriv, `--reuid=${uid}`, `--regid=${gid}`, ...groups, '--'], home: user.home };
}

/** The file that a name means; HM-CONTAINER-COMMAND. */
export function executable(
  name: string,
  environment: Readonly<Record<string, string>>,
  workingDir: string,
): string {
  const folders = name.includes('/') ? [''] : (environment['PATH'] ?? usualPath).split(delimiter);
  const candidates = folders.map((folder) => resolve(workingDir, folder, name));
  const runs = candidates.find((path) => isFile(path) && mayRun(path));
  if (runs !== undefined) return runs;
  const why = candidates.some(isFile) ? 'permission denied' : 'executable file not found';
  throw coded('HM-CONTAINER-COMMAND', `exec: "${name}": ${why}`, { command: name }, 'Check the command');
}

const isFile = (path: string): boolean => kindOf(path)?.isFile() ?? false;
const isFolder = (path: string): boolean => kindOf(path)?.isDirectory() ?? false;

function kindOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

function mayRun(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
