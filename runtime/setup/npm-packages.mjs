/**
 * The npm packages, as the committed lock names them. They are installed when they are missing or when the lock has
 * changed since; the lock itself is never written.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gather, giveUp, root, say } from './commands.mjs';

const stampFile = join(root, 'node_modules', '.hivemind-stamp');

/** Idempotent; ends the program when npm cannot install them. */
export function ensureNpmPackages() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    giveUp(
      `Node ${process.versions.node} is too old for Hivemind`,
      'Install Node 20.19 or newer: https://nodejs.org',
    );
  }
  const stamp = `${lockDigest()} ${process.platform} ${process.arch}`;
  if (readStamp() === stamp) return;
  say('setting up: npm packages');
  install();
  // A new file: of copies that share their files by hard links, the others have not been set up by this.
  rmSync(stampFile, { force: true });
  writeFileSync(stampFile, stamp);
}

export function lockDigest() {
  return createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
}

function readStamp() {
  try {
    return readFileSync(stampFile, 'utf8');
  } catch {
    return undefined;
  }
}

function install() {
  // `npm ci` refuses a lock that leaves out optional packages of other platforms, which a registry mirror may not
  // have; `npm install` takes the same versions by the same hashes.
  const fresh = !existsSync(join(root, 'node_modules'));
  if (fresh && gather('npm', ['ci']).code === 0) return;
  const { code, output } = gather('npm', ['install', '--no-save']);
  if (code !== 0)
    giveUp(`npm install failed:\n${output.trim()}`, 'Check the network and repeat the command.');
}
