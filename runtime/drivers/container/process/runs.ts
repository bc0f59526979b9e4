/**
 * The life of a run: made standing still, started, signalled, paused, removed. All it knows is in files and in /proc,
 * so that a restarted daemon knows the same; whoever calls sees to it that one run's changes follow each other.
 */
import { spawn } from 'node:child_process';
import { mkdir, readdir, rm } from 'node:fs/promises';
import type { ResourceSettings } from '../../../../protocols/apps/service-model.ts';
import type { ContainerCreate, ContainerStatus } from '../../../../protocols/containers/model.ts';
import { runtimeRefusal } from '../../../../protocols/containers/making/host-process.ts';
import { resourcesMark } from '../../../../protocols/containers/oci/resources.ts';
import { refusal } from '../../../../protocols/containers/oci/refusal.ts';
import { CodedError, coded } from '../../../../protocols/errors.ts';
import { limits } from '../../../../protocols/limits.ts';
import type { Clock } from '../../../../protocols/ports.ts';
import type { CgroupUse, Cgroups } from './cgroups.ts';
import { executable, mannerOf } from './commands.ts';
import { unknownContainer, writeWhole, type Places, type RunProcesses, type RunRecord } from './places.ts';
import { bootId, find, ProcessScan, send, type Identity, type Seen } from '../process-files.ts';

/** One that has not ended yet: its processes are those that were written down. */
export interface Live {
  readonly record: RunRecord;
  readonly status: ContainerStatus;
  readonly processes: RunProcesses;
}

export class Runs {
  readonly #places: Places;
  readonly #clock: Clock;
  readonly #cgroups: Cgroups | { readonly why: string };

  constructor(places: Places, clock: Clock, cgroups: Cgroups | { readonly why: string }) {
    this.#places = places;
    this.#clock = clock;
    this.#cgroups = cgroups;
  }

  /** Why no run can be limited; absent: it can. */
  get withoutLimits(): string | undefined {
    return 'why' in this.#cgroups ? this.#cgroups.why : undefined;
  }

  async ids(): Promise<readonly string[]> {
    return (await readdir(this.#places.runs)).sort();
  }

  /** `unknown`: a create that did not come to its end, or of another start of the machine. */
  async status(id: string): Promise<ContainerStatus | undefined> {
    const places = this.#places;
    const record = await places.record(id);
    if (!record) return undefined;
    const { key, specHash, resources, createdAt } = record;
    const told = { id, key, specHash, resources, createdAt };
    const exit = await places.exitOf(id);
    if (exit) return { ...told, phase: 'stopped', exit };
    const processes = await places.processes(id);
    if (!processes || record.boot !== (await bootId())) return { ...told, phase: 'unknown' };
    const { first, parent } = processes;
    if (!(await find(first)) && !(await find(parent)))
      return { ...told, phase: 'stopped', exit: await this.#lost(id) };
    const [started, paused] = await Promise.all([
      places.has(places.started(id)),
      places.has(places.pause(id)),
    ]);
    return { ...told, phase: started ? (paused ? 'paused' : 'running') : 'created', pid: first.pid };
  }

  /** Somebody ended the parent: nobody knows the code, and now it is written down that nobody does. */
  async #lost(id: string) {
    const late = await this.#places.exitOf(id);
    if (late) return late;
    await writeWhole(this.#places.exit(id), '255\n');
    return (await this.#places.exitOf(id))!;
  }

  /** HM-CONTAINER-UNKNOWN. */
  async mustFind(id: string): Promise<ContainerStatus> {
    const status = await this.status(id);
    if (!status) throw unknownContainer(id);
    return status;
  }

  /** Running or paused. HM-CONTAINER-STOPPED. */
  async mustLive(id: string): Promise<Live> {
    const status = await this.mustFind(id);
    const [record, processes] = await Promise.all([this.#places.record(id), this.#places.processes(id)]);
    if (record && processes && (status.phase === 'running' || status.phase === 'paused'))
      return { record, status, processes };
    throw coded('HM-CONTAINER-STOPPED', `The container ${id} is not running.`, { id });
  }

  async create(create: ContainerCreate, signal: AbortSignal): Promise<{ readonly pid: number }> {
    const found = await this.status(create.id);
    if (found && found.phase !== 'unknown') return { pid: found.pid ?? 0 };
    if (found) await this.remove(create.id);
    const refused = runtimeRefusal('process', create.spec, this.withoutLimits);
    if (refused) throw refused;
    const manner = await mannerOf(create, this.#places.folder(create.id));
    const [name = '', ...rest] = create.spec.hostProcess!.command;
    executable(name, manner.environment, manner.workingDir);
    await mkdir(this.#places.folder(create.id), { recursive: true, mode: 0o700 });
    try {
      await this.#places.writeRecord({
        id: create.id,
        key: create.key,
        specHash: create.specHash,
        resources: resourcesMark(create.spec.resources),
        createdAt: this.#clock.now(),
        boot: await bootId(),
        ...manner,
        stopSignal: create.spec.stopSignal ?? 'SIGTERM',
        ...('why' in this.#cgroups ? {} : { limited: true }),
      });
      await this.#limit(create);
      await this.#launch(create, [...manner.prefix, name, ...rest], manner, signal);
      return { pid: await this.#standing(create.id) };
    } catch (thrown) {
      await this.remove(create.id);
      throw thrown;
    }
  }

  async #limit({ id, spec }: ContainerCreate): Promise<void> {
    if ('why' in this.#cgroups) return;
    try {
      await this.#cgroups.make(id, spec.resources ?? {});
    } catch (thrown) {
      if (thrown instanceof CodedError) throw thrown;
      throw refusal('deploy.resources', `the kernel refuses it: ${(thrown as Error).message}`);
    }
  }

  /** The record says so last: an update that was cut off is seen as not done. HM-CONTAINER-UPDATE. */
  async update(id: string, resources: ResourceSettings): Promise<void> {
    const { record } = await this.mustLive(id);
    const limited = record.limited && !('why' in this.#cgroups) ? this.#cgroups : undefined;
    if (!limited && Object.keys(resources).length === 0) return;
    const cannot = (why: string): Error =>
      coded('HM-CONTAINER-UPDATE', `The limits of ${id} stay as they are: ${why}`, { id });
    if (!limited) throw cannot(this.withoutLimits ?? 'it was started without a cgroup of its own');
    try {
      await limited.update(id, resources);
    } catch (thrown) {
      throw cannot((thrown as Error).message);
    }
    await this.#places.writeRecord({ ...record, resources: resourcesMark(resources) });
  }

  /** What its processes write themselves into; none where it has no cgroup. */
  joining({ id, limited }: RunRecord): readonly string[] {
    return limited && !('why' in this.#cgroups) ? this.#cgroups.joining(id) : [];
  }

  /** What its cgroup counts; nothing where it has none. */
  async counted(id: string): Promise<CgroupUse> {
    return 'why' in this.#cgroups ? {} : this.#cgroups.use(id);
  }

  get script(): string {
    return this.#places.script;
  }

  get beside(): string {
    return this.#places.beside;
  }

  #launch(
    { id, stdoutPath, stderrPath }: ContainerCreate,
    command: readonly string[],
    { environment, workingDir }: Pick<RunRecord, 'environment' | 'workingDir'>,
    signal: AbortSignal,
  ): Promise<void> {
    const places = this.#places;
    const files = [places.folder(id), places.exit(id), stdoutPath, stderrPath];
    const cgroups = 'why' in this.#cgroups ? undefined : this.#cgroups;
    const joining = [cgroups?.joining(id).join(' ') ?? '', cgroups?.oomFile(id) ?? ''];
    const args = [places.script, 'parent', ...files, environment['PATH'] ?? '', ...joining, ...command];
    return new Promise((resolve, reject) => {
      const child = spawn('/bin/sh', args, {
        cwd: workingDir,
        env: { ...environment },
        // In a session of its own: what ends the daemon's does not end it.
        detached: true,
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      const failed = (why: string): void => reject(coded('HM-CONTAINER-CREATE', why, { id }));
      const gaveUp = (): void => reject(coded('HM-RUNTIME-TIMEOUT', undefined, { id }));
      signal.addEventListener('abort', gaveUp, { once: true });
      child.on('error', (error) => failed(error.message));
      child.once('exit', (code) => failed(`its parent ended with ${code} before it began`));
      child.stdout.once('data', () => {
        signal.removeEventListener('abort', gaveUp);
        child.stdout.destroy();
        child.unref();
        resolve();
      });
    });
  }

  /** It said who it is and is about to stop itself: SIGCONT must come after that. */
  async #standing(id: string): Promise<number> {
    const processes = await this.#places.processes(id);
    if (!processes) throw coded('HM-CONTAINER-CREATE', 'its first process wrote nothing down', { id });
    await this.#waitUntil(async () => {
      const seen = await find(processes.first);
      return !seen || seen.state === 'T';
    });
    return processes.first.pid;
  }

  async start(id: string): Promise<void> {
    const { phase } = await this.mustFind(id);
    if (phase === 'running' || phase === 'paused') return;
    const processes = await this.#places.processes(id);
    if (phase !== 'created' || !processes)
      throw coded('HM-CONTAINER-STOPPED', `The container ${id} has ended and cannot be started again.`, {
        id,
      });
    await send(processes.first, 'SIGCONT');
    await writeWhole(this.#places.started(id), '');
  }

  /** To its first process; one that stands still goes on, or it could not take it. */
  async signal(id: string, signal: number | undefined, numberOf: (name: string) => number): Promise<void> {
    const { phase } = await this.mustFind(id);
    const [record, processes] = await Promise.all([this.#places.record(id), this.#places.processes(id)]);
    if (phase === 'stopped' || phase === 'unknown' || !record || !processes) return;
    await send(processes.first, signal ?? numberOf(record.stopSignal));
    if (phase === 'paused') await this.unpause(id);
    if (phase === 'created') await send(processes.first, 'SIGCONT');
  }

  /** All of its processes, and those that they make meanwhile. */
  async kill(id: string): Promise<void> {
    await this.mustFind(id);
    await this.#each(id, (one) => send(one, 'SIGKILL'));
  }

  async pause(id: string): Promise<void> {
    await this.mustLive(id);
    await writeWhole(this.#places.pause(id), '');
    await this.#each(id, (one) => (one.state === 'T' ? undefined : send(one, 'SIGSTOP')));
  }

  async unpause(id: string): Promise<void> {
    await this.mustLive(id);
    for (const one of await this.members(id)) await send(one, 'SIGCONT');
    await rm(this.#places.pause(id), { force: true });
  }

  /** Also what an earlier life left half made. */
  async remove(id: string): Promise<void> {
    const processes = await this.#places.processes(id);
    const own = await this.#isOwn(id);
    if (processes && own) await send(processes.parent, 'SIGKILL');
    await this.#each(id, (one) => send(one, 'SIGKILL'));
    const cgroups = 'why' in this.#cgroups ? undefined : this.#cgroups;
    // The kernel takes a moment to let go of the last one.
    if (cgroups) await this.#waitUntil(() => cgroups.remove(id));
    await this.#places.forget(id);
  }

  /** Its processes as they are now, without its parent; `scan`: a look that was taken already. */
  async members(id: string, scan?: ProcessScan): Promise<readonly Seen[]> {
    const processes = (await this.#isOwn(id)) ? await this.#places.processes(id) : undefined;
    const seen = scan ?? (await ProcessScan.take());
    const first: Identity | undefined =
      processes && (await find(processes.first)) ? processes.first : undefined;
    return seen.of(this.#places.folder(id), processes?.parent, first);
  }

  async #isOwn(id: string): Promise<boolean> {
    return (await this.#places.record(id).catch(() => undefined))?.boot === (await bootId());
  }

  /** Until `act` has nothing to do any more: processes make processes. */
  async #each(id: string, act: (one: Seen) => Promise<void> | undefined): Promise<void> {
    await this.#waitUntil(async () => {
      const acts = (await this.members(id)).map(act).filter((one) => one !== undefined);
      await Promise.all(acts);
      return acts.length === 0;
    });
  }

  /** HM-CONTAINER-STUCK when it does not come to be. */
  async #waitUntil(done: () => Promise<boolean>): Promise<void> {
    const end = this.#clock.monotonicMs() + limits.processSettleMs;
    while (!(await done())) {
      if (this.#clock.monotonicMs() > end) throw coded('HM-CONTAINER-STUCK');
      await new Promise<void>((resolve) => this.#clock.setTimer(limits.processLookMs, resolve));
    }
  }
}
