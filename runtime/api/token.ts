/** The bearer token of the TCP door: made at first start, kept in a file that only its owner may read. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { chmod, readFile, rename, writeFile } from 'node:fs/promises';
import { coded } from '../../protocols/errors.ts';
import type { Random } from '../../protocols/ports.ts';
import type { Gate } from './rules/gate.ts';

const tokenBytes = 32;
/** A shorter one was not made by us, or was cut by a crash. */
const tokenChars = 32;

/** Answers the token in the file, making both when they are not there. Rejects with HM-DATA-DIR. */
export async function ensureToken(path: string, random: Random): Promise<string> {
  try {
    const present = await readToken(path);
    if (present !== undefined) {
      await chmod(path, 0o600);
      return present;
    }
    const token = random.hex(tokenBytes);
    // Whole or not at all: a reader must never find half a token.
    await writeFile(`${path}.new`, `${token}\n`, { mode: 0o600 });
    await rename(`${path}.new`, path);
    return token;
  } catch (thrown) {
    throw coded('HM-DATA-DIR', `The token file cannot be used: ${(thrown as Error).message}`, { file: path });
  }
}

async function readToken(path: string): Promise<string | undefined> {
  try {
    const token = (await readFile(path, 'utf8')).trim();
    return token.length >= tokenChars ? token : undefined;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw thrown;
  }
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** The root token's owner may do everything. */
export const rootGate = (token: string): Gate => ({
  admit: (authorization) => {
    if (!mayPass(authorization, token)) throw coded('HM-API-TOKEN');
    return { name: 'root', scope: 'admin' };
  },
});

/** Does the `Authorization` header carry the token? Takes the same time whatever is wrong with it. */
export function mayPass(header: string | undefined, token: string): boolean {
  return timingSafeEqual(digest(bearerOf(header)), digest(token));
}

/** What an `Authorization` header carries; empty when it is of another kind. */
export function bearerOf(header: string | undefined): string {
  return /^Bearer +(\S+) *$/i.exec(header ?? '')?.[1] ?? '';
}
