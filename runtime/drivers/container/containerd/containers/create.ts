/**
 * Making a container: record → snapshot → task. The record comes first on purpose: it refers to the snapshot, so
 * garbage collection leaves that alone from its first moment, and whatever a died create leaves behind is listed
 * under its id and can be removed. No lease is needed, and none can leak.
 */
import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { LRUCache } from 'lru-cache';
import type { ContainerCreate } from '../../../../../protocols/containers/model.ts';
import { buildOciSpec, ociText, stopSignalOf } from '../../../../../protocols/containers/oci/spec.ts';
import type { UserDatabase } from '../../../../../protocols/containers/oci/types.ts';
import { coded } from '../../../../../protocols/errors.ts';
import type { Call } from '../../../../../protocols/ports.ts';
import type { Engine } from '../engine.ts';
import { failedWith, isGone } from '../failure.ts';
import { Containers } from '../gen/services/containers_pb.ts';
import { Snapshots } from '../gen/services/snapshots_pb.ts';
import { Tasks } from '../gen/services/tasks_pb.ts';
import type { Mount } from '../gen/types/types_pb.ts';
import { prepareSnapshot } from '../snapshot.ts';
import { createImageCache, resolveImage, type ResolvedImage } from '../image-config.ts';
import { find } from './lookup.ts';
import { fillVolumes } from './machine/fill.ts';
import { holdSubpaths } from './machine/held-mounts.ts';
import { surroundingsOf } from './machine/surroundings.ts';
import { makePipes } from './pipes.ts';
import { isContainerId, labelsOf } from './record.ts';
import { bundleOf } from './leftovers.ts';
import { removeContainer } from './remove.ts';
import { createSerial } from '../../serial.ts';
import { userDatabaseOfImage } from './user-database.ts';

export const specTypeUrl = 'types.containerd.io/opencontainers/runtime-spec/1/Spec';

export type CreateContainer = (args: ContainerCreate, call: Call) => Promise<{ readonly pid: number }>;

/** Remembers what it read of images, by digest. */
export function createContainerCreator(engine: Engine): CreateContainer {
  const images = createImageCache();
  const users = new LRUCache<string, UserDatabase>({ max: 256 });

  const life = engine.clock.now().toString(36);
  let views = 0;
  const filling = createSerial();
  const usersOf = async ({ chainId }: ResolvedImage, call: Call) => {
    const view = `hivemind-view-${life}-${++views}`;
    const known = users.get(chainId) ?? (await userDatabaseOfImage(engine, chainId, view, call));
    users.set(chainId, known);
    return known;
  };

  return async (args, call) => {
    await checkRequest(args);
    const { platform } = await engine.facts(call);
    const limits = engine.callLimits(call);
    const wanted = args.spec.platform ?? platform;
    const image = await resolveImage(engine.connection, args.spec.image, wanted, limits, images);
    const userDatabase = await usersOf(image, call).catch((error: unknown) => {
      throw isGone(error) ? notUnpacked(image) : error;
    });
    const present = await existing(engine, args, image, userDatabase, call);
    if (present !== undefined) return { pid: present };
    try {
      const rootfs = await prepareRootfs(engine, args.id, image, call);
      const pid = await createTask(engine, args, rootfs, call);
      await fillVolumes(join(bundleOf(engine, args.id), 'rootfs'), args.mounts, filling, call);
      return { pid };
    } catch (error) {
      await undo(engine, args.id, error);
      throw error;
    }
  };
}

/** Without its files, the shim would take the paths for pipes and wait for somebody to open them. */
async function checkRequest({ id, stdoutPath, stderrPath }: ContainerCreate): Promise<void> {
  if (!isContainerId(id))
    throw coded('HM-CONTAINER-CREATE', `${id} cannot be the id of a container.`, { id });
  for (const path of [stdoutPath, stderrPath]) {
    const isFile =
      path === '' ||
      (await stat(path).then(
        (found) => found.isFile(),
        () => false,
      ));
    if (!isFile) throw coded('HM-CONTAINER-CREATE', `The log file ${path} does not exist.`, { id, path });
  }
}

/** Makes the record. If there is one already: the pid of its task; a record without a task is cleared away first. */
async function existing(
  engine: Engine,
  args: ContainerCreate,
  image: ResolvedImage,
  userDatabase: UserDatabase,
  call: Call,
): Promise<number | undefined> {
  try {
    await createRecord(engine, args, image, userDatabase, call);
    return undefined;
  } catch (error) {
    if (!failedWith(error, status.ALREADY_EXISTS)) throw error;
  }
  const found = await find(engine, args.id, call);
  if (found?.task) return found.task.pid;
  await removeContainer(engine, args.id, call);
  await createRecord(engine, args, image, userDatabase, call);
  return undefined;
}

async function createRecord(
  engine: Engine,
  args: ContainerCreate,
  image: ResolvedImage,
  userDatabase: UserDatabase,
  call: Call,
): Promise<void> {
  const { snapshotter } = await engine.facts(call);
  const machine = await surroundingsOf(engine, args, call);
  const spec = buildOciSpec({
    create: { ...args, mounts: await holdSubpaths(engine.mountsDir, args.id, args.mounts) },
    image: image.config,
    architecture: image.architecture,
    cgroupsPath: engine.cgroupOf(args.id),
    machine,
    userDatabase,
    ...(engine.openFilesHard === undefined ? {} : { openFilesHard: engine.openFilesHard }),
  });
  const container = {
    id: args.id,
    labels: labelsOf(args, engine.namespace, stopSignalOf(args.spec, image.config)),
    image: image.name,
    runtime: { name: 'io.containerd.runc.v2' },
    spec: { typeUrl: specTypeUrl, value: Buffer.from(ociText(spec)) },
    snapshotter,
    snapshotKey: args.id,
  };
  await engine.connection.unary(Containers.method.create, { container }, engine.callLimits(call));
}

async function prepareRootfs(
  engine: Engine,
  id: string,
  image: ResolvedImage,
  call: Call,
): Promise<readonly Mount[]> {
  const { snapshotter } = await engine.facts(call);
  const wish = { snapshotter, key: id, parent: image.chainId };
  const limits = engine.callLimits(call);
  try {
    return await prepareSnapshot(engine.connection, wish, limits);
  } catch (error) {
    if (isGone(error)) throw notUnpacked(image);
    if (!failedWith(error, status.ALREADY_EXISTS)) throw error;
    // Of a died create, whose record was removed by other hands: its contents are nobody's.
    await engine.connection.unary(Snapshots.method.remove, { snapshotter, key: id }, limits);
    return prepareSnapshot(engine.connection, wish, limits);
  }
}

async function createTask(
  engine: Engine,
  args: ContainerCreate,
  rootfs: readonly Mount[],
  call: Call,
): Promise<number> {
  const { tty: terminal = false, stdinOpen = false } = args.spec.process ?? {};
  const task = {
    containerId: args.id,
    rootfs: [...rootfs],
    stdout: args.stdoutPath,
    // A terminal has one output.
    stderr: terminal ? '' : args.stderrPath,
    terminal,
    stdin: stdinOpen ? await standingInput(engine, args.id) : '',
  };
  const limits = { timeoutMs: engine.createMs, signal: call.signal };
  return (await engine.connection.unary(Tasks.method.create, task, limits)).pid;
}

/** A pipe that nobody ends: whoever reads from it waits, as at a terminal where nobody types. */
async function standingInput(engine: Engine, id: string): Promise<string> {
  const folder = join(engine.mountsDir, id);
  const path = join(folder, 'stdin');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await rm(path, { force: true });
  await makePipes([path]);
  return path;
}

/**
 * A refused create leaves nothing. After a lost answer nothing is known: the caller removes the id when
 * containerd answers again.
 */
async function undo(engine: Engine, id: string, cause: unknown): Promise<void> {
  if (failedWith(cause, status.UNAVAILABLE, status.DEADLINE_EXCEEDED, status.CANCELLED)) return;
  const call = { key: `undo ${id}`, signal: new AbortController().signal };
  await removeContainer(engine, id, call).catch(() => {
    // What is left is listed without a task, and the cause says more than this failure would.
  });
}

function notUnpacked(image: ResolvedImage): Error {
  return coded(
    'HM-IMAGE-MISSING',
    `The layers of ${image.name} are not unpacked on the node.`,
    { image: image.name, digest: image.digest },
    'hivemind image import ARCHIVE',
  );
}
