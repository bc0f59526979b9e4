/**
 * The key ring as a file of mode 0600. With a passphrase the file holds the ring sealed under a key that scrypt makes
 * of it, so that a stolen disk or backup opens nothing. Replaced whole, by rename.
 */
import { scrypt } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { coded, type CodedError } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import type { Random } from '../../../protocols/ports.ts';
import { keyOf, type KeyRing, type KeyStorage } from './key-ring.ts';
import { decrypt, encrypt, keyBytes, randomBytesOf } from './sealing.ts';

export interface KeyFileOptions {
  /** Absolute. */
  readonly path: string;
  /** The first seals the file, any opens it: a passphrase is changed by writing the new one above the old. */
  readonly passphrases: readonly string[];
  readonly random: Random;
}

const format = 'hivemind-keys/1';
const bound = 'key ring';
const base64 = z.base64();
const key = base64.transform((text) => Buffer.from(text, 'base64')).refine((k) => k.length === keyBytes);
const openFile = z.strictObject({
  format: z.literal(format),
  digestKey: key,
  keys: z.array(key).min(1),
});
const sealedFile = z.strictObject({
  format: z.literal(format),
  salt: base64,
  cost: z
    .int()
    .min(2 ** 14)
    .max(2 ** 20),
  sealed: base64,
});

/** 32 MiB and ≈ 100 ms a guess. */
const cost = 2 ** 15;
const blockSize = 8;

export function createKeyFile(options: KeyFileOptions): KeyStorage {
  const { path, passphrases, random } = options;
  const refuse = (what: string, hint?: string): CodedError =>
    coded('HM-SECRET-KEY', `the key file ${path} ${what}`, { path }, hint);

  const load = async (): Promise<KeyRing | undefined> => {
    const text = await readKeyFile(path, refuse);
    if (text === undefined) return undefined;
    const file = parse(text);
    const plain = openFile.safeParse(file);
    if (plain.success) {
      const ring = { keys: plain.data.keys.map(keyOf), digestKey: plain.data.digestKey };
      // A passphrase was given since: from now on the file needs it.
      if (passphrases.length > 0) await save(ring);
      return ring;
    }
    const sealed = sealedFile.safeParse(file);
    if (!sealed.success) throw refuse('is damaged', 'Put it back from a backup, and start the node again.');
    if (passphrases.length === 0)
      throw refuse(
        'needs its passphrase',
        'Give it with HIVEMIND_SECRET_PASSPHRASE_FILE, and start the node again. What runs keeps running.',
      );
    for (const [nth, passphrase] of passphrases.entries()) {
      const derived = await derive(passphrase, Buffer.from(sealed.data.salt, 'base64'), sealed.data.cost);
      const bytes = decrypt(derived, bound, Buffer.from(sealed.data.sealed, 'base64'));
      const opened = bytes && openFile.safeParse(parse(bytes.toString('utf8')));
      if (!opened?.success) continue;
      const ring = { keys: opened.data.keys.map(keyOf), digestKey: opened.data.digestKey };
      if (nth > 0) await save(ring);
      return ring;
    }
    throw refuse('does not open with this passphrase');
  };

  const save = async (ring: KeyRing): Promise<void> => {
    const plain = JSON.stringify({
      format,
      digestKey: ring.digestKey.toString('base64'),
      keys: ring.keys.map((one) => one.key.toString('base64')),
    });
    await replaceFile(path, passphrases[0] === undefined ? plain : await seal(plain, passphrases[0]));
  };

  const seal = async (plain: string, passphrase: string): Promise<string> => {
    const salt = randomBytesOf(random, 16);
    const derived = await derive(passphrase, salt, cost);
    const sealed = encrypt(derived, random, bound, Buffer.from(plain, 'utf8'));
    return JSON.stringify({
      format,
      salt: salt.toString('base64'),
      cost,
      sealed: sealed.toString('base64'),
    });
  };

  return { where: path, load, save };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function readKeyFile(
  path: string,
  refuse: (what: string, hint?: string) => CodedError,
): Promise<string | undefined> {
  let file;
  try {
    file = await open(path, 'r');
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw refuse(`cannot be read: ${code}`);
  }
  try {
    const { mode, size } = await file.stat();
    if ((mode & 0o077) !== 0)
      throw refuse('can be read by others', `chmod 600 ${path}, and start the node again.`);
    if (size > limits.secretKeyFileBytes) throw refuse('is too large for a key file');
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

function derive(passphrase: string, salt: Buffer, scryptCost: number): Promise<Buffer> {
  const options = { cost: scryptCost, blockSize, maxmem: 256 * scryptCost * blockSize };
  return new Promise((resolve, reject) => {
    scrypt(passphrase.normalize('NFKC'), salt, keyBytes, options, (error, derived) =>
      error ? reject(error) : resolve(derived),
    );
  });
}

async function replaceFile(path: string, text: string): Promise<void> {
  const next = `${path}.next`;
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await rm(next, { force: true });
    const file = await open(next, 'wx', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(next, path);
    const folder = await open(dirname(path), 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code === 'ENOSPC' || code === 'EDQUOT')
      throw coded('HM-DISK-FULL', `no room for the key file ${path}`, { path });
    throw coded(
      'HM-SECRET-KEY',
      `the key file ${path} cannot be written: ${code}`,
      { path },
      'Make its folder writable for hivemind-node, or name another file: --secret-key-file',
    );
  }
}
