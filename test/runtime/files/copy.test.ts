/** Archives of folders and back again: what was packed is there with modes and links, and nothing ever gets outside. */
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pack } from 'tar-stream';
import { CodedError } from '../../../protocols/errors.ts';
import { openBelow } from '../../../runtime/files/anchored.ts';
import { readFiles, writeFiles } from '../../../runtime/files/copy.ts';
import { partName } from '../../../runtime/files/whole-file.ts';
import { until } from '../../kit/until.ts';

let dir: string;
let root: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'hm-copy-'));
  root = join(dir, 'root');
  await mkdir(join(root, 'srv'), { recursive: true });
  await writeFile(join(dir, 'secret'), 'of the machine');
});
afterEach(() => rm(dir, { recursive: true }));

const at = (path: string) => join(root, path);
const text = (path: string) => readFile(at(path), 'utf8');

type Entry = {
  name: string;
  type?: 'file' | 'symlink' | 'link' | 'directory' | 'character-device';
  linkname?: string;
  content?: string;
};

function tarOf(...entries: readonly Entry[]): AsyncIterable<Uint8Array> {
  const tar = pack();
  for (const { content = '', type = 'file', ...header } of entries)
    tar.entry(
      { mode: type === 'directory' ? 0o750 : 0o640, ...header, type },
      type === 'file' ? content : '',
    );
  tar.finalize();
  return tar as AsyncIterable<Uint8Array>;
}

async function codeOf(asked: Promise<unknown>): Promise<string> {
  const error = await asked.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof CodedError) return error.reason.code;
  throw error instanceof Error ? error : new Error('was not refused');
}

describe('a folder', () => {
  it('arrives as it was: files, modes, times, links', async () => {
    const from = join(dir, 'from');
    await mkdir(join(from, 'deep/er'), { recursive: true });
    await writeFile(join(from, 'deep/er/tool'), 'x'.repeat(100_000));
    await chmod(join(from, 'deep/er/tool'), 0o4711);
    await utimes(join(from, 'deep/er/tool'), 1_000, 1_000);
    await chmod(join(from, 'deep'), 0o700);
    await symlink('../../outside', join(from, 'deep/link'));
    await writeFile(join(from, 'empty'), '');
    expect(await writeFiles(root, '/srv', await readFiles('/', from))).toEqual({ entries: 6 });
    const tool = await lstat(at('srv/from/deep/er/tool'));
    expect([tool.size, tool.mode & 0o7777, tool.mtimeMs]).toEqual([100_000, 0o4711, 1_000_000]);
    expect((await lstat(at('srv/from/deep'))).mode & 0o777).toBe(0o700);
    expect(await readlink(at('srv/from/deep/link'))).toBe('../../outside');
  });

  it('keeps names of any script as they are, also those that only look alike', async () => {
    const from = join(dir, 'from');
    const names = ['\u00e9', 'e\u0301', '\u202Etxt', 'a\u200Bb', '🐝', ' ', '服'.repeat(85), '-rf', 'a\nb'];
    await mkdir(from);
    for (const name of names) await writeFile(join(from, name), name);
    await writeFiles(root, '/srv', await readFiles('/', from));
    expect((await readdir(at('srv/from'))).toSorted()).toEqual(names.toSorted());
    for (const name of names) expect(await text(`srv/from/${name}`)).toBe(name);
  });

  it('gets the name that is not there yet, and what is there is replaced', async () => {
    await writeFile(join(dir, 'one'), 'first');
    await writeFiles(root, '/srv/two', await readFiles('/', join(dir, 'one')));
    expect(await text('srv/two')).toBe('first');
    await writeFile(join(dir, 'one'), 'second');
    await writeFiles(root, '/srv/two', await readFiles('/', join(dir, 'one')));
    expect(await text('srv/two')).toBe('second');
    expect(await codeOf(writeFiles(root, '/none/two', tarOf({ name: 'x' })))).toBe('HM-FILE-MISSING');
    expect(await codeOf(writeFiles(root, '/srv/new', tarOf({ name: 'x' }, { name: 'y' })))).toBe(
      'HM-FILE-ARCHIVE',
    );
  });
});

describe('an archive that wants out', () => {
  it.each<[string, readonly Entry[]]>([
    ['by its name', [{ name: '../secret' }]],
    ['by a name in the middle', [{ name: 'a/../../secret' }]],
    [
      'by a link it brings',
      [
        { name: 'l', type: 'symlink', linkname: '../..' },
        { name: 'l/secret', content: 'changed' },
      ],
    ],
    ['by an absolute link it brings', [{ name: 'l', type: 'symlink', linkname: '/' }, { name: 'l/x' }]],
    ['by a hard link', [{ name: 'l', type: 'link', linkname: '../../secret' }]],
    [
      'by a hard link through a link',
      [
        { name: 's', type: 'symlink', linkname: '../..' },
        { name: 'l', type: 'link', linkname: 's/secret' },
      ],
    ],
    [
      'by a folder in the place of a link',
      [
        { name: 'l', type: 'symlink', linkname: '../..' },
        { name: 'l', type: 'directory' },
      ],
    ],
    ['as a device', [{ name: 'd', type: 'character-device' }]],
  ])('%s is refused, and nothing outside is touched', async (_name, entries) => {
    expect(await codeOf(writeFiles(root, '/srv', tarOf(...entries)))).toBe('HM-FILE-ARCHIVE');
    expect(await readFile(join(dir, 'secret'), 'utf8')).toBe('of the machine');
    expect((await lstat(root)).mode & 0o777).toBe(0o755);
  });

  it('by a link that is there already is refused; a file at its end is replaced, not followed', async () => {
    await symlink('../..', at('srv/way'));
    await symlink('../../secret', at('srv/file'));
    expect(await codeOf(writeFiles(root, '/srv', tarOf({ name: 'way/secret' })))).toBe('HM-FILE-ARCHIVE');
    await writeFiles(root, '/srv', tarOf({ name: 'file', content: 'inside' }));
    expect(await text('srv/file')).toBe('inside');
    expect(await readFile(join(dir, 'secret'), 'utf8')).toBe('of the machine');
  });

  it('cut off in a file leaves what was there before, and nothing of its own', async () => {
    await writeFile(at('srv/long'), 'before');
    const whole: Uint8Array[] = [];
    for await (const chunk of tarOf({ name: 'long', content: 'x'.repeat(5_000) })) whole.push(chunk);
    const broken = async function* () {
      yield Buffer.concat(whole).subarray(0, 2_000);
      await until('it is begun', async () => (await readdir(at('srv'))).includes(partName('long')));
      throw new Error('connection lost');
    };
    expect(await codeOf(writeFiles(root, '/srv', broken()))).toBe('HM-FILE-ARCHIVE');
    expect(await readdir(at('srv'))).toEqual(['long']);
    expect(await text('srv/long')).toBe('before');
  });

  it('replaces what a killed writer left, and never takes what another one writes for its own', async () => {
    const name = 'n'.repeat(255);
    await writeFile(at(`srv/${partName(name)}`), 'hal');
    await writeFiles(root, '/srv', tarOf({ name, content: 'whole' }));
    expect(await readdir(at('srv'))).toEqual([name]);
    const whole: Uint8Array[] = [];
    for await (const chunk of tarOf({ name, content: 'first'.repeat(1_000) })) whole.push(chunk);
    const overtaken = async function* () {
      yield Buffer.concat(whole).subarray(0, 2_000);
      await until('it is begun', async () => (await readdir(at('srv'))).includes(partName(name)));
      await writeFiles(root, '/srv', tarOf({ name, content: 'second' }));
      yield Buffer.concat(whole).subarray(2_000);
    };
    expect(await codeOf(writeFiles(root, '/srv', overtaken()))).toBe('HM-FILE-ARCHIVE');
    expect(await readdir(at('srv'))).toEqual([name]);
    expect(await text(`srv/${name}`)).toBe('second');
  });

  it('damaged or cut off is refused', async () => {
    const whole: Uint8Array[] = [];
    for await (const chunk of tarOf({ name: 'long', content: 'x'.repeat(5_000) })) whole.push(chunk);
    const cut = Buffer.concat(whole).subarray(0, 2_000);
    const cutOff = async function* () {
      yield cut;
    };
    expect(await codeOf(writeFiles(root, '/srv', cutOff()))).toBe('HM-FILE-ARCHIVE');
    const bytes = Buffer.alloc(1_024, 'x');
    expect(
      await codeOf(
        writeFiles(
          root,
          '/srv',
          (async function* () {
            yield bytes;
          })(),
        ),
      ),
    ).toBe('HM-FILE-ARCHIVE');
  });
});

describe('a path', () => {
  it.each([
    ['/abs/word', 'inside'],
    ['/up/word', 'inside'],
    ['/../../srv/word', 'inside'],
    ['/srv/../srv/./word', 'inside'],
  ])('%s is followed as inside its root', async (path, expected) => {
    await writeFile(at('srv/word'), expected);
    await symlink('/srv', at('abs'));
    await symlink('../../../../srv', at('up'));
    const anchor = await openBelow(root, path);
    expect(await readFile(anchor.path, 'utf8')).toBe(expected);
    await anchor.close();
  });

  it('that leads in a circle or through a file is refused', async () => {
    await symlink('/b', at('a'));
    await symlink('/a', at('b'));
    await writeFile(at('file'), '');
    expect(await codeOf(readFiles(root, '/a/x'))).toBe('HM-FILE-MISSING');
    expect(await codeOf(readFiles(root, '/file/x'))).toBe('HM-FILE-MISSING');
    expect(await codeOf(readFiles(root, '/none'))).toBe('HM-FILE-MISSING');
  });
});
