/** A containerd of our own: started where there is none, adopted, restarted, stopped; and never instead of one that holds containers. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  ensureContainerd,
  stopOwnContainerd,
  type BootstrapOptions,
} from '../../../runtime/drivers/container/containerd/bootstrap.ts';
import { refusal } from '../../kit/port-call.ts';
import { missingForContainerd, realClock, startContainerd } from '../../kit/containerd.ts';
import { until } from '../../kit/until.ts';

const missing = missingForContainerd();

/** Pid of the process with our configuration. */
function ownPid(dataDir: string): number {
  const wanted = join(dataDir, 'containerd/config.toml');
  const found = readProcesses().filter(({ args }) => args.includes(wanted));
  expect(found).toHaveLength(1);
  return found[0]!.pid;
}

function readProcesses(): { pid: number; args: string[] }[] {
  return readdirNumbers().map((pid) => ({ pid, args: read(`/proc/${pid}/cmdline`).split('\0') }));
}
function readdirNumbers(): number[] {
  return readdirSync('/proc').map(Number).filter(Number.isInteger);
}
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

describe.skipIf(missing)(`bootstrap${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let folder: string;
  let options: BootstrapOptions;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hm-boot-'));
    options = { address: join(folder, 'nobody.sock'), dataDir: folder, clock: realClock };
  });
  afterEach(async () => {
    await stopOwnContainerd(options);
    await rm(options.dataDir, { recursive: true, force: true });
    await rm(folder, { recursive: true, force: true });
  });

  it('starts one where none answers, and finds it again', async () => {
    const place = await ensureContainerd(options);
    expect(place).toMatchObject({ own: true, address: join(folder, 'containerd/containerd.sock') });
    const pid = ownPid(folder);
    // A session of its own: no signal to the daemon's group or terminal reaches it.
    expect(read(`/proc/${pid}/stat`).split(') ')[1]!.split(' ')[3]).toBe(String(pid));
    expect(read(`/proc/${pid}/environ`)).toMatch(/^PATH=[^\0]*\0?$/);
    expect(await ensureContainerd(options)).toEqual(place);
    expect(ownPid(folder)).toBe(pid);
  });

  it('starts it again after a kill, over its stale sockets', async () => {
    const place = await ensureContainerd(options);
    const pid = ownPid(folder);
    process.kill(pid, 'SIGKILL');
    await until('it is gone', () => read(`/proc/${pid}/cmdline`) === '');
    expect(existsSync(place.address)).toBe(true);
    expect(await ensureContainerd(options)).toEqual(place);
    expect(ownPid(folder)).not.toBe(pid);
  });

  it('says that it hangs and leaves it alone', async () => {
    await ensureContainerd(options);
    const pid = ownPid(folder);
    process.kill(pid, 'SIGSTOP');
    expect((await refusal(ensureContainerd(options))).code).toBe('HM-RUNTIME-TIMEOUT');
    expect(ownPid(folder)).toBe(pid);
    process.kill(pid, 'SIGCONT');
    await ensureContainerd(options);
  });

  it('keeps its sockets short where the data folder is deep', async () => {
    const deep = join(folder, 'a-folder-with-a-long-name/'.repeat(5));
    await mkdir(deep, { recursive: true });
    options = { ...options, dataDir: deep };
    const place = await ensureContainerd(options);
    expect(place.address).toMatch(/^\/run\/hivemind\/containerd-[0-9a-f]{12}\/containerd\.sock$/);
    await stopOwnContainerd(options);
    expect(existsSync(join(place.address, '..'))).toBe(false);
  });

  it('stops only its own, once', async () => {
    await ensureContainerd(options);
    const pid = ownPid(folder);
    expect(await stopOwnContainerd({ ...options, dataDir: join(folder, 'another') })).toBe(false);
    expect(ownPid(folder)).toBe(pid);
    expect(await stopOwnContainerd(options)).toBe(true);
    expect(read(`/proc/${pid}/cmdline`)).toBe('');
    expect(await stopOwnContainerd(options)).toBe(false);
  });

  it('uses the one that answers, and waits for it when it goes', async () => {
    const theirs = await startContainerd();
    try {
      options = { ...options, address: theirs.address };
      const { address } = theirs;
      const place = { own: false, address, stateDir: join(dirname(address), 'state') };
      expect(await ensureContainerd(options)).toEqual(place);
      await theirs.kill();
      const reason = await refusal(ensureContainerd(options));
      expect(reason).toMatchObject({ code: 'HM-RUNTIME-DOWN', evidence: { address: theirs.address } });
      expect(existsSync(join(folder, 'containerd'))).toBe(false);
      await theirs.start();
      expect(await ensureContainerd(options)).toMatchObject({ own: false });
    } finally {
      await theirs.stop();
    }
  });

  it('stays with its own when another appears', async () => {
    const place = await ensureContainerd(options);
    const theirs = await startContainerd();
    try {
      expect(await ensureContainerd({ ...options, address: theirs.address })).toEqual(place);
    } finally {
      await theirs.stop();
    }
  });

  it('says what is missing when it cannot be started', async () => {
    const absent = await refusal(ensureContainerd({ ...options, binary: '/no/such/containerd' }));
    expect(absent).toMatchObject({
      code: 'HM-RUNTIME-DOWN',
      hint: expect.stringContaining('apt-get') as string,
    });
    const script = join(folder, 'broken');
    await writeFile(script, '#!/bin/sh\necho it is broken >&2\nexit 1\n', { mode: 0o755 });
    const broken = await refusal(ensureContainerd({ ...options, binary: script }));
    expect(broken.code).toBe('HM-RUNTIME-DOWN');
    expect(broken.message).toContain('it is broken');
    expect(await readFile(String(broken.evidence['log']), 'utf8')).toContain('it is broken');
    // Nothing is stuck: with the cause gone it starts.
    expect(await ensureContainerd(options)).toMatchObject({ own: true });
  });
});
