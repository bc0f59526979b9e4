/** The files that make a node one of its cluster, on a simulated disk: whole or as they were before, through every loss of power. */
import { coded } from '../../../protocols/errors.ts';
import { isDiskFull, type Disk } from '../../drivers/journal/disk.ts';
import { refusedFile, type ClusterFiles } from '../../cluster/secret-file.ts';

export function filesOn(disk: Disk): ClusterFiles {
  const read = async (path: string): Promise<string | undefined> => {
    const bytes = await disk.read(path);
    return bytes && Buffer.from(bytes).toString('utf8');
  };
  return {
    readSecret: read,
    writeSecret: async (path, text) => {
      try {
        const part = `${path}.part`;
        const file = await disk.create(part);
        await file.append(Buffer.from(text));
        await file.sync();
        await file.close();
        await disk.rename(part, path);
        await disk.syncFolder(path.slice(0, path.lastIndexOf('/')));
      } catch (thrown) {
        if (isDiskFull(thrown)) throw coded('HM-DISK-FULL', `no room for ${path}`, { path });
        throw refusedFile(path, 'cannot be written');
      }
    },
    remove: (path) => disk.remove(path),
    readText: async (path) => {
      const text = await read(path);
      if (text === undefined) throw Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' });
      return text;
    },
  };
}
