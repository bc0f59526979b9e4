/**
 * The ContainerRuntime port with plain processes of the machine: no image, no namespaces, limits as far as cgroups can be
 * written. It serves only
 * services that say `hostProcess`; what needs a container is refused (`protocols/containers/making/host-process.ts`).
 *
 * Read first: `waiting-parent.ts` (what keeps a run while no daemon is there) and `runs.ts`.
 */
import { existsSync } from 'node:fs';
import { arch, release } from 'node:os';
import type { Call, Clock, ContainerRuntime, Stop } from '../../../../protocols/ports.ts';
import { readFiles, writeFiles } from '../../../files/copy.ts';
import { codedFailure } from '../containerd/failure.ts';
import { processesOf } from '../process-table.ts';
import { createSerial } from '../serial.ts';
import { signalNumber } from '../signals.ts';
import { openCgroups } from './cgroups.ts';
import { execBeside, runBeside } from './execs.ts';
import { watchRuns } from './exits.ts';
import { endOrphans } from './orphans.ts';
import { Places } from './places.ts';
import { Runs } from './runs.ts';
import { statsOf } from './stats.ts';
import { waitingParentScript } from './waiting-parent.ts';

export interface ProcessRuntimeOptions {
  /** Made if absent; the runtime's alone. */
  readonly folder: string;
  readonly clock: Clock;
  /** Where the machine's cgroups are; default /sys/fs/cgroup. */
  readonly cgroupMount?: string;
}

export type ProcessRuntime = ContainerRuntime & {
  /** Ends the watches; processes stay. */
  close(): void;
};

export const processPlatform = `linux/${arch() === 'x64' ? 'amd64' : arch()}`;

export async function createProcessRuntime(options: ProcessRuntimeOptions): Promise<ProcessRuntime> {
  const { clock } = options;
  const places = new Places(options.folder);
  await places.prepare(waitingParentScript);
  await endOrphans(places.beside);
  const runs = new Runs(places, clock, openCgroups(options.folder, options.cgroupMount));
  const serial = createSerial();
  const watches = new Set<Stop>();
  const inTurn = <Result>(id: string, call: Call, work: () => Promise<Result>): Promise<Result> =>
    guard(id, () => serial.run(id, call.signal, work));
  const changing: Changing = (id, call, work) =>
    inTurn(id, call, async () => {
      await work();
      return {};
    });
  return {
    info: () => Promise.resolve(info(runs.withoutLimits)),
    list: () =>
      guard('', async () => {
        const all = await Promise.all((await runs.ids()).map((id) => runs.status(id)));
        return { containers: all.filter((one) => one !== undefined) };
      }),
    inspect: ({ id }) =>
      guard(id, async () => {
        const container = await runs.status(id);
        return container ? { container } : {};
      }),
    create: (args, call) => inTurn(args.id, call, () => runs.create(args, call.signal)),
    ...changes(runs, changing),
    stats: ({ ids }) => guard('', async () => ({ stats: await statsOf(runs, ids) })),
    processes: ({ id }) =>
      guard(id, async () => {
        await runs.mustLive(id);
        return { processes: await processesOf((await runs.members(id)).map(({ pid }) => pid)) };
      }),
    ...files(runs),
    run: (request, call) => guard(request.id, () => runBeside(runs, request, call)),
    exec: (request) => guard(request.id, () => execBeside(runs, request)),
    events: (notify) => {
      const sweep = (id: string): Promise<void> =>
        serial.run(id, new AbortController().signal, async () => {
          if ((await runs.status(id))?.phase === 'stopped') await runs.kill(id);
        });
      const stop = watchRuns({ places, clock, sweep }, notify);
      watches.add(stop);
      return () => {
        watches.delete(stop);
        stop();
      };
    },
    close: () => {
      for (const stop of watches) stop();
    },
  };
}

type Changing = (id: string, call: Call, work: () => Promise<void>) => Promise<Record<string, never>>;

function changes(
  runs: Runs,
  changing: Changing,
): Pick<ContainerRuntime, 'start' | 'signal' | 'kill' | 'update' | 'pause' | 'unpause' | 'remove'> {
  return {
    start: ({ id }, call) => changing(id, call, () => runs.start(id)),
    signal: ({ id, signal }, call) =>
      changing(id, call, () =>
        runs.signal(id, signal === undefined ? undefined : signalNumber(signal), signalNumber),
      ),
    kill: ({ id }, call) => changing(id, call, () => runs.kill(id)),
    update: ({ id, resources }, call) => changing(id, call, () => runs.update(id, resources)),
    pause: ({ id }, call) => changing(id, call, () => runs.pause(id)),
    unpause: ({ id }, call) => changing(id, call, () => runs.unpause(id)),
    remove: ({ id }, call) => changing(id, call, () => runs.remove(id)),
  };
}

function info(withoutLimits: string | undefined): Awaited<ReturnType<ContainerRuntime['info']>> {
  const cgroups = existsSync('/sys/fs/cgroup/cgroup.controllers') ? 2 : 1;
  return {
    ...{ name: 'process', version: release(), snapshotter: 'none', cgroups, platform: processPlatform },
    ...(withoutLimits === undefined ? {} : { withoutLimits }),
  };
}

/** A process sees the machine's files as they are. */
function files(runs: Runs): Pick<ContainerRuntime, 'readFiles' | 'writeFiles'> {
  return {
    readFiles: ({ id, path }) =>
      guard(id, async () => {
        await runs.mustLive(id);
        return readFiles('/', path);
      }),
    writeFiles: ({ id, path, archive }) =>
      guard(id, async () => {
        await runs.mustLive(id);
        return writeFiles('/', path, archive, process.getuid?.() === 0);
      }),
  };
}

async function guard<Result>(id: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (thrown) {
    throw codedFailure(thrown, id === '' ? {} : { id }, 'HM-CONTAINER-CREATE');
  }
}
