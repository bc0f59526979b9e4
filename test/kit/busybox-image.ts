/**
 * The smallest useful image: Debian's static busybox, fetched once into `.cache/` and written as an OCI archive.
 * Its user `app` (uid 1000) is there for tests of user names.
 */
import { access, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ImageRunConfig } from '../../protocols/containers/oci/types.ts';
import { unpackPackages } from '../../runtime/images/debian-packages.ts';
import { writeOciArchive, type LayerEntry } from '../../runtime/images/oci-archive.ts';

const cache = join(import.meta.dirname, '../../.cache');
const applets = [
  'sh',
  'cat',
  'echo',
  'sleep',
  'true',
  'false',
  'id',
  'tail',
  'dd',
  'head',
  'stty',
  'env',
  'yes',
];

/** Writes the archive to `path`; answers the manifest's digest. */
export async function writeBusyboxArchive(
  path: string,
  image: {
    readonly name: string;
    readonly architecture?: string;
    readonly config?: ImageRunConfig;
    readonly marker?: string;
    /** Scripts, by path without a leading slash. */
    readonly programs?: Readonly<Record<string, string>>;
  },
): Promise<{ readonly digest: string }> {
  const directory = (name: string, mode = 0o755): LayerEntry => ({ type: 'directory', path: name, mode });
  const file = (name: string, content: Uint8Array | string, mode = 0o644): LayerEntry => ({
    type: 'file',
    path: name,
    content,
    mode,
  });
  return writeOciArchive(path, {
    name: image.name,
    architecture: image.architecture ?? 'amd64',
    config: { Cmd: ['/bin/sh'], ...image.config },
    layers: [
      [
        ...['bin', 'dev', 'etc', 'proc', 'sys', 'root'].map((name) => directory(name)),
        directory('tmp', 0o1777),
        file('bin/busybox', await busybox(), 0o755),
        ...applets.map((name): LayerEntry => ({ type: 'symlink', path: `bin/${name}`, target: 'busybox' })),
        file('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\n'),
      ],
      // A second layer, over the first: more than one is the common case.
      [
        directory('etc'),
        file('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/tmp:/bin/sh\n'),
        ...(image.marker === undefined ? [] : [file('etc/marker', image.marker)]),
        ...Object.entries(image.programs ?? {}).map(([at, text]) => file(at, text, 0o755)),
        file('etc/group', 'root:x:0:\napp:x:1000:\nextra:x:2000:app\nvideo:x:44:\n'),
        // Says it is a program and is none.
        file('bin/broken', 'neither a script nor a binary\n', 0o755),
      ],
    ],
  });
}

async function busybox(): Promise<Uint8Array> {
  const folder = join(cache, 'busybox-static');
  const binary = join(folder, 'bin/busybox');
  const cached = await access(binary).then(
    () => true,
    () => false,
  );
  if (!cached) {
    // Beside it first: test files run at the same time, and the first one wins.
    await mkdir(cache, { recursive: true });
    const fresh = await mkdtemp(join(cache, 'busybox-static-'));
    await unpackPackages(['busybox-static'], fresh);
    await rename(fresh, folder).catch(() => rm(fresh, { recursive: true, force: true }));
  }
  return readFile(binary);
}
