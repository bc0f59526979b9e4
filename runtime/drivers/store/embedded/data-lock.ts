/**
 * One owner a data folder. Two locks, because neither does it alone: an abstract unix socket, which the kernel gives
 * to one process of a network namespace and takes back at any death; and a claim file named after its process, which
 * is seen across network namespaces. A claim is made first and then the others are read: of two, the later one sees
 * the earlier. Dead claims carry names of their own, so that removing one can never hit a living owner.
 *
 * Not covered: two processes that share neither a network nor a process namespace.
 */
import { mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { coded, type CodedError } from '../../../../protocols/errors.ts';

export interface DataLock {
  release(): Promise<void>;
}

const claimPrefix = 'owner.';

/**
 * Clock ticks since boot at which a process started, `undefined` when there is none: tells it from a later one of its
 * id. One that ended and that its parent has not asked after yet (`Z`, `X`) holds nothing any more.
 */
function startOf(pid: number | 'self'): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name and may hold anything, brackets too.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return /[ZX]/.test(fields[0]!) ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

const bootId = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();

const ownClaim = (): string => `${claimPrefix}${process.pid}.${startOf('self')}.${bootId()}`;

/** The process of a claim, if it lives. */
function livingOwner(claim: string): number | undefined {
  const [pid, start, boot] = claim.slice(claimPrefix.length).split('.');
  return boot === bootId() && start === startOf(Number(pid)) ? Number(pid) : undefined;
}

function claimsIn(folder: string): string[] {
  return readdirSync(folder).filter((name) => name.startsWith(claimPrefix));
}

function locked(folder: string, pid: number | undefined): CodedError {
  const who = pid === undefined ? 'Another process' : `Process ${pid}`;
  return coded('HM-DATA-LOCKED', `${who} uses ${folder}.`, { folder, ...(pid === undefined ? {} : { pid }) });
}

/** Removes the claims of the dead; throws for a living one, and takes our own back. */
function refuseOthers(folder: string, claim: string): void {
  for (const other of claimsIn(folder).filter((name) => name !== claim)) {
    const pid = livingOwner(other);
    rmSync(join(folder, pid === undefined ? other : claim), { force: true });
    if (pid !== undefined) throw locked(folder, pid);
  }
}

function bindSocket(name: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error),
    );
    server.listen(`\0${name}`, () => resolve(server));
    server.unref();
  });
}

/** Makes the folder if need be. Rejects with HM-DATA-LOCKED (the owner's pid in the evidence), HM-DATA-DIR. */
export async function lockDataFolder(folder: string): Promise<DataLock> {
  let server: Server | undefined;
  const claim = ownClaim();
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const { dev, ino } = statSync(realpathSync(folder));
    server = await bindSocket(`hivemind-data-${dev}-${ino}`);
    if (!server) throw locked(folder, claimsIn(folder).map(livingOwner).find(Boolean));
    writeFileSync(join(folder, claim), '', { flag: 'wx', mode: 0o600 });
    refuseOthers(folder, claim);
    const held = server;
    return {
      release: async () => {
        rmSync(join(folder, claim), { force: true });
        await closed(held);
      },
    };
  } catch (error) {
    if (server) await closed(server);
    throw refusal(error, folder);
  }
}

function refusal(error: unknown, folder: string): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === undefined) return error;
  if (code === 'EEXIST') return locked(folder, process.pid);
  if (code === 'ENOSPC') return coded('HM-DISK-FULL', `No space left for ${folder}.`, { folder });
  return coded('HM-DATA-DIR', `${folder} cannot be used: ${String(error)}`, { folder });
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}
