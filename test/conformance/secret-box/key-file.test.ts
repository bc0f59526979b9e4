/** Key files, plain and under a passphrase, under the secret box's conformance suite; and what only files can suffer. */
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKeyFile } from '../../../runtime/drivers/secrets/key-file.ts';
import { newRing } from '../../../runtime/drivers/secrets/key-ring.ts';
import { createSecretBox } from '../../../runtime/drivers/secrets/secret-box.ts';
import { realRandom } from '../../../runtime/world/real-random.ts';
import { refusal } from '../../kit/port-call.ts';
import { secretBoxConformance } from './suite.ts';

const keyFile = (path: string, ...passphrases: string[]) =>
  createKeyFile({ path, passphrases, random: realRandom });

for (const passphrases of [[], ['open sesame']])
  secretBoxConformance(passphrases.length === 0 ? 'key file' : 'key file with a passphrase', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'hm-keys-'));
    const path = join(dir, 'keys', 'secret.key');
    return {
      open: (store) =>
        createSecretBox({ storage: keyFile(path, ...passphrases), random: realRandom, store: () => store }),
      loseKeys: () => rm(path, { force: true }),
      kept: () => readFile(path, 'utf8'),
      close: () => rm(dir, { recursive: true }),
    };
  });

describe('a key file', () => {
  let dir: string;
  beforeAll(async () => void (dir = await mkdtemp(join(tmpdir(), 'hm-keys-'))));
  afterAll(() => rm(dir, { recursive: true }));
  const ring = newRing(realRandom);
  const made = async (name: string, ...passphrases: string[]) => {
    const path = join(dir, name);
    await keyFile(path, ...passphrases).save(ring);
    return path;
  };
  const ids = async (path: string, ...passphrases: string[]) =>
    (await keyFile(path, ...passphrases).load())?.keys.map(({ id }) => id);

  it('is for its owner alone, and is refused when it is not', async () => {
    const path = await made('open');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await chmod(path, 0o640);
    const because = await refusal(keyFile(path).load());
    expect(because).toMatchObject({ code: 'HM-SECRET-KEY' });
    expect(because.hint).toContain(`chmod 600 ${path}`);
  });

  it('under a passphrase holds no key, and asks for the passphrase', async () => {
    const path = await made('sealed', 'right');
    const text = await readFile(path, 'utf8');
    for (const { key } of ring.keys) expect(text).not.toContain(key.toString('base64'));
    expect(text).not.toContain('right');
    expect(await ids(path, 'right')).toEqual(ring.keys.map(({ id }) => id));
    expect((await refusal(keyFile(path).load())).hint).toContain('HIVEMIND_SECRET_PASSPHRASE_FILE');
    const because = await refusal(keyFile(path, 'wrong-guess').load());
    expect(because.code).toBe('HM-SECRET-KEY');
    expect(JSON.stringify(because)).not.toContain('wrong-guess');
  });

  it('takes another passphrase when the new one stands above the old', async () => {
    const path = await made('changed', 'old');
    expect(await ids(path, 'new', 'old')).toHaveLength(1);
    expect(await ids(path, 'new')).toHaveLength(1);
    expect((await refusal(keyFile(path, 'old').load())).code).toBe('HM-SECRET-KEY');
  });

  it('that was plain is sealed once a passphrase is given', async () => {
    const path = await made('plain');
    await ids(path, 'now');
    expect((await refusal(keyFile(path).load())).code).toBe('HM-SECRET-KEY');
  });

  it.each(['', '{', '{"format":"hivemind-keys/1"}', 'x'.repeat(100_000)])(
    'that is damaged is refused (%#)',
    async (text) => {
      const path = await made('damaged');
      await writeFile(path, text);
      expect((await refusal(keyFile(path).load())).code).toBe('HM-SECRET-KEY');
    },
  );
});
