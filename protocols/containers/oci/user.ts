/**
 * Who a process in a container is: an image's or an exec's `USER` text resolved with the image's own
 * /etc/passwd and /etc/group. Names of the host play no part.
 */
import { coded } from '../../errors.ts';
import type { OciUser, UserDatabase } from './types.ts';

/** The Linux kernel's largest id that is not "none". */
const maxId = 2 ** 32 - 2;

export interface ResolvedUser extends OciUser {
  /** What HOME is when nothing sets it. */
  readonly home: string;
}

/**
 * `''`, `1000`, `1000:1000`, `redis`, `redis:adm` or any mix. A number needs no entry; a name must have one, or
 * it is HM-CONTAINER-USER. Further groups come from the group file unless the text names a group itself.
 */
export function resolveUser(text: string, database: UserDatabase): ResolvedUser {
  const [userText = '', groupText] = text.split(':', 2) as [string?, string?];
  const wanted = userText === '' ? '0' : userText;
  const entry = records(database.passwd, 7).find(([name, , uid]) => name === wanted || uid === wanted);
  const uid = entry ? idOf(entry[2]) : idOf(wanted);
  if (uid === undefined) throw unknown('user', userText);
  const home = entry?.[5] || (uid === 0 ? '/root' : '/');

  const groups = records(database.group, 4);
  if (groupText) {
    const group = groups.find(([name, , gid]) => name === groupText || gid === groupText);
    const gid = group ? idOf(group[2]) : idOf(groupText);
    if (gid === undefined) throw unknown('group', groupText);
    return { uid, gid, additionalGids: [], home };
  }
  const gid = (entry && idOf(entry[3])) ?? 0;
  const further = groups
    .filter(([, , , members = '']) => entry !== undefined && members.split(',').includes(entry[0]!))
    .map(([, , id]) => idOf(id))
    .filter((id): id is number => id !== undefined && id !== gid);
  return { uid, gid, additionalGids: [...new Set(further)].sort((a, b) => a - b), home };
}

/** Numbers of further groups; a name must have an entry, or it is HM-CONTAINER-USER. */
export function groupIds(wanted: readonly string[], database: UserDatabase): readonly number[] {
  const groups = records(database.group, 4);
  return wanted.map((text) => {
    const id = idOf(groups.find(([name]) => name === text)?.[2]) ?? idOf(text);
    if (id === undefined) throw unknown('group', text);
    return id;
  });
}

function records(text: string, fields: number): string[][] {
  return text
    .split('\n')
    .map((line) => line.trim().split(':'))
    .filter((record) => record.length >= fields && record[0] !== '');
}

function idOf(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d+$/.test(text)) return undefined;
  const id = Number(text);
  return id <= maxId ? id : undefined;
}

function unknown(what: 'user' | 'group', name: string): Error {
  return coded('HM-CONTAINER-USER', `The image has no ${what} "${name}".`, { [what]: name });
}
