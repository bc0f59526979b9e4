/**
 * Stands in for `node-gyp-build-optional-packages` inside the executable: lmdb's native part is one of its assets.
 * The kernel loads only files, so it is written to a folder that nobody else can enter, loaded and removed again.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { getAsset } from 'node:sea';

export default function load(): unknown {
  const folder = mkdtempSync(join(tmpdir(), 'hivemind-'));
  const file = join(folder, 'lmdb.node');
  try {
    writeFileSync(file, new Uint8Array(getAsset('lmdb.node')), { mode: 0o600 });
    const loaded = { exports: {} };
    process.dlopen(loaded, file, constants.dlopen.RTLD_NOW);
    return loaded.exports;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
