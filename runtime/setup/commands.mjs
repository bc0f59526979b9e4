/**
 * Running other programs from the set-up scripts. Everything in this folder runs on bare Node, before anything is
 * installed: plain JavaScript, nothing imported but `node:`.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository. */
export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Progress, on standard error: standard output belongs to what was asked for. */
export const say = (line) => void process.stderr.write(`${line}\n`);

/** Ends the program with a message and the next step. */
export function giveUp(message, next) {
  say(`\n✗ ${message}`);
  if (next) say(`  next  ${next}`);
  process.exit(1);
}

export const isRoot = () => process.getuid?.() === 0;

/** Is a program of this name on the PATH? */
export function hasProgram(name) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders.some((folder) => folder && existsSync(join(folder, name)));
}

/** A program of one of the installed npm packages. */
export const packageProgram = (name) => join(root, 'node_modules', '.bin', name);

/** Run to the end with this terminal; answers the exit code (128 + 15 when a signal ended it). */
export function run(command, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: 'inherit', ...options });
    // Ctrl-C reaches it by itself; whoever ends only us means it too.
    const pass = () => child.kill('SIGTERM');
    const done = (code) => {
      process.off('SIGTERM', pass);
      resolve(code);
    };
    process.on('SIGTERM', pass);
    child.once('error', (error) => {
      say(`${command}: ${error.message}`);
      done(127);
    });
    child.once('exit', (code) => done(code ?? 143));
  });
}

/** As `gather`, while others run beside it. */
export function gatherBeside(command, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], ...options });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
    child.once('error', (error) => resolve({ code: 127, output: `${output}${error.message}` }));
    child.once('close', (code) => resolve({ code: code ?? 143, output }));
  });
}

/** Run to the end and gather what it writes: `{ code, output }`, both streams together. */
export function gather(command, args, options = {}) {
  const done = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    ...options,
  });
  return {
    code: done.status ?? 127,
    output: `${done.stdout ?? ''}${done.stderr ?? ''}${done.error?.message ?? ''}`,
  };
}
