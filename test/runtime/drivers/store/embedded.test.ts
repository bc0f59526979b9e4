/** The embedded store passes the suite of its oracle, keeps its folder to itself, and tells damage from health. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdtempSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
  statSync,
  readFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { until } from '../../../kit/until.ts';
import { CodedError, type Reason } from '../../../../protocols/errors.ts';
import { openEmbeddedStore } from '../../../../runtime/drivers/store/embedded/embedded-store.ts';
import type { StoreEngine } from '../../../../runtime/drivers/store/engine.ts';
import { HeapClock } from '../../../../runtime/world/heap-clock.ts';
import { seededRandom } from '../../../../runtime/world/seeded-random.ts';
import { stateStoreConformance } from '../../../conformance/state-store.ts';
import { call, type OpenedStore, type StoreArm } from '../../../conformance/state-store/rig.ts';

const folders: string[] = [];
const children: ChildProcess[] = [];
const freshFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'hivemind-store-'));
  folders.push(folder);
  return folder;
};

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

const arm: StoreArm = async (world) => {
  const path = freshFolder();
  const open = async (): Promise<OpenedStore> => {
    const store = await openEmbeddedStore({ path, ...world });
    return {
      store,
      restart: async () => {
        await store.close();
        return open();
      },
      close: () => store.close(),
    };
  };
  return open();
};

stateStoreConformance('embedded', arm);

const clock = new HeapClock();
const open = (path: string): Promise<StoreEngine> =>
  openEmbeddedStore({ path, clock, random: seededRandom(5) });

async function write(store: StoreEngine, key: string, value: unknown): Promise<void> {
  const txn = { requestId: key, compare: [], then: [{ op: 'put', key, value }] as const };
  const answer = store.txn(txn, call());
  answer.catch(() => undefined);
  await clock.settle();
  await answer;
}

async function refusal(attempt: Promise<unknown>): Promise<Reason | undefined> {
  try {
    await attempt;
    return undefined;
  } catch (error) {
    if (error instanceof CodedError) return error.reason;
    throw error;
  }
}

describe('one owner a folder', () => {
  test('a second one is refused and told who has it; afterwards the folder is free', async () => {
    const path = freshFolder();
    const store = await open(path);
    const no = await refusal(open(path));
    expect(no).toMatchObject({ code: 'HM-DATA-LOCKED', evidence: { pid: process.pid, folder: path } });
    await write(store, 'a', 1);
    await store.close();
    const again = await open(path);
    expect((await again.get({ key: 'a' })).kv!.value).toBe(1);
    await again.close();
    expect(readdirSync(path).filter((name) => name.startsWith('owner.'))).toEqual([]);
  });

  /** A process that holds the folder, in a network namespace of its own when it is asked to. */
  async function holder(path: string, ownNetwork: boolean, within: string[] = []): Promise<ChildProcess> {
    const script = `
      import { lockDataFolder } from ${JSON.stringify(join(import.meta.dirname, '../../../../runtime/drivers/store/embedded/data-lock.ts'))};
      await lockDataFolder(${JSON.stringify(path)});
      console.log('held');
      process.stdin.resume();`;
    const node = [process.execPath, '--import', 'tsx', '--input-type=module', '--eval', script];
    const [command, ...args] = [...within, ...(ownNetwork ? ['unshare', '--net', ...node] : node)];
    const child = spawn(command!, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    children.push(child);
    await once(child.stdout, 'data');
    return child;
  }

  const mayUnshare = process.getuid?.() === 0;
  test.each([
    ['of this network namespace', false],
    ['of another network namespace', true],
  ])('a process %s is named; after its kill -9 the folder is free', async (_name, ownNetwork) => {
    if (ownNetwork && !mayUnshare) return console.log('skipped: making a network namespace needs root');
    const path = freshFolder();
    const child = await holder(path, ownNetwork);
    expect(await refusal(open(path))).toMatchObject({ code: 'HM-DATA-LOCKED', evidence: { pid: child.pid } });
    child.kill('SIGKILL');
    await once(child, 'exit');
    const store = await open(path);
    expect(readdirSync(path).filter((name) => name.startsWith('owner.'))).toHaveLength(1);
    await store.close();
  });

  test('a killed process that its parent has not asked after yet holds nothing', async () => {
    const path = freshFolder();
    // The shell becomes a sleep, which asks after no child.
    const parent = await holder(path, false, ['sh', '-c', '"$@" & exec sleep 1000', 'sh']);
    const [claim] = readdirSync(path).filter((name) => name.startsWith('owner.'));
    const pid = Number(claim!.split('.')[1]);
    process.kill(pid, 'SIGKILL');
    const state = () => /\) (\w) /.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1];
    await until('it has ended', () => Promise.resolve(state() === 'Z' ? true : undefined));
    // Its other threads may end, and let go of the socket, a moment after its first.
    const store = await until('the folder is free', () => open(path).catch(() => undefined));
    await store.close();
    parent.kill('SIGKILL');
  });

  test('a claim of a process that had the same id before, or of another boot, holds nothing', async () => {
    const path = freshFolder();
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    writeFileSync(join(path, `owner.1.999999999.${boot}`), '');
    writeFileSync(join(path, `owner.1.0.00000000-0000-0000-0000-000000000000`), '');
    const store = await open(path);
    await store.close();
    expect(readdirSync(path).filter((name) => name.startsWith('owner.'))).toEqual([]);
  });

  test('a path that cannot be a folder is told as such', async () => {
    const file = join(freshFolder(), 'file');
    writeFileSync(file, '');
    expect(await refusal(open(join(file, 'store')))).toMatchObject({ code: 'HM-DATA-DIR' });
  });
});

describe('damage', () => {
  const filled = async (): Promise<string> => {
    const path = freshFolder();
    const store = await open(path);
    for (let i = 0; i < 200; i++) await write(store, `k${i}`, 'x'.repeat(500));
    await store.close();
    return path;
  };

  test.each<[string, (file: string) => void]>([
    ['text', (file) => writeFileSync(file, 'not a store\n'.repeat(2_000))],
    ['zeros', (file) => writeFileSync(file, Buffer.alloc(statSync(file).size))],
    ['cut within its first page', (file) => truncateSync(file, 100)],
    ['cut after its first page', (file) => truncateSync(file, 4_096)],
    ['cut after its second page', (file) => truncateSync(file, 8_192)],
    ['cut in half', (file) => truncateSync(file, Math.floor(statSync(file).size / 8_192) * 4_096)],
  ])('%s is HM-STORE-CORRUPT, and the folder is free again', async (_name, damage) => {
    const path = await filled();
    damage(join(path, 'data.mdb'));
    for (let i = 0; i < 2; i++) {
      expect(await refusal(open(path))).toMatchObject({
        code: 'HM-STORE-CORRUPT',
        evidence: { path: join(path, 'data.mdb') },
      });
    }
  });

  test('a store keeps its id; another folder is another store', async () => {
    const path = await filled();
    const first = await open(path);
    const { identity } = await first.status();
    await first.close();
    const again = await openEmbeddedStore({ path, clock, random: seededRandom(6) });
    expect((await again.status()).identity).toEqual(identity);
    await again.close();
    const other = await openEmbeddedStore({ path: freshFolder(), clock, random: seededRandom(6) });
    expect((await other.status()).identity.id).not.toBe(identity.id);
    await other.close();
  });
});
