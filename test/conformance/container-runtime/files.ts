/** Files into a container and out of it, as tar archives. */
import { extract, pack } from 'tar-stream';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { call, refusal, started, type Given } from './rig.ts';

function tarOf(name: string, content: string): AsyncIterable<Uint8Array> {
  const tar = pack();
  tar.entry({ name, mode: 0o640, uid: 12, gid: 34 }, content);
  tar.finalize();
  return tar as AsyncIterable<Uint8Array>;
}

async function entriesOf(archive: AsyncIterable<Uint8Array>): Promise<object[]> {
  const entries = extract();
  const found: object[] = [];
  const source = Readable.from(archive, { objectMode: false });
  source.on('data', (chunk: Uint8Array) => entries.write(chunk));
  source.on('end', () => entries.end(undefined));
  source.on('error', (error) => entries.destroy(error));
  for await (const entry of entries) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of entry) chunks.push(chunk as Uint8Array);
    const { name, mode, uid, gid } = entry.header;
    found.push({ name, mode, uid, gid, content: Buffer.concat(chunks).toString('utf8') });
  }
  return found;
}

export function fileTests(given: () => Given): void {
  test('a file that is written into it is there with mode and owner, and comes out the same', async () => {
    const { runtime } = given();
    const { id } = await started(given(), { of: 'runs' });
    const content = 'words\n'.repeat(20_000);
    const written = await runtime.writeFiles({ id, path: '/tmp', archive: tarOf('note', content) }, call());
    expect(written).toEqual({ entries: 1 });
    expect(await entriesOf(await runtime.readFiles({ id, path: '/tmp/note' }, call()))).toEqual([
      { name: 'note', mode: 0o640, uid: 12, gid: 34, content },
    ]);
  });

  test('what is not there, and an archive that leads out, are refused', async () => {
    const { runtime } = given();
    const { id } = await started(given(), { of: 'runs' });
    expect(await refusal(runtime.readFiles({ id, path: '/tmp/nothing' }, call()))).toBe('HM-FILE-MISSING');
    const out = { id, path: '/tmp', archive: tarOf('../note', 'out') };
    expect(await refusal(runtime.writeFiles(out, call()))).toBe('HM-FILE-ARCHIVE');
    expect(await refusal(runtime.readFiles({ id: 'nobody-1', path: '/' }, call()))).toBe(
      'HM-CONTAINER-UNKNOWN',
    );
  });
}
