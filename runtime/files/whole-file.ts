/**
 * A file that is there whole, or as it was before: what is written has a name of its own beside it until it is done.
 * That name follows from the file's: what a killed writer left is cleared by whoever writes the file again.
 */
import { constants } from 'node:fs';
import { lstat, open, rename, unlink, type FileHandle } from 'node:fs/promises';
import { coded } from '../../protocols/errors.ts';
import { hashText } from '../../protocols/hash.ts';

/** Short whatever the file's name is: one of the greatest length has room for no ending. */
export const partName = (name: string): string => `.hivemind-part-${hashText(name)}`;

/** `write` gets the file while nobody but its owner can read it. HM-FILE-ARCHIVE: another writer took it over. */
export async function writeWhole(
  folder: string,
  name: string,
  write: (file: FileHandle) => Promise<void>,
): Promise<void> {
  const part = `${folder}/${partName(name)}`;
  await unlink(part).catch(unlessMissing);
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const file = await open(part, flags, 0o600);
  try {
    const own = await file.stat();
    const isOurs = async () => (await lstat(part).catch(unlessMissing))?.ino === own.ino;
    try {
      await write(file);
      if (!(await isOurs()))
        throw coded('HM-FILE-ARCHIVE', `Somebody else writes ${name} at the same time`, { entry: name });
      await rename(part, `${folder}/${name}`);
    } catch (error) {
      if (await isOurs()) await unlink(part).catch(unlessMissing);
      throw error;
    }
  } finally {
    await file.close();
  }
}

function unlessMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
