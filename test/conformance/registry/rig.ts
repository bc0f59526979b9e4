/** A private containerd with an image source that pulls: what the tests of pulls stand on. */
import { join } from 'node:path';
import { Content } from '../../../runtime/drivers/container/containerd/gen/services/content_pb.ts';
import { Leases } from '../../../runtime/drivers/container/containerd/gen/services/leases_pb.ts';
import { Snapshots } from '../../../runtime/drivers/container/containerd/gen/services/snapshots_pb.ts';
import { openEngine } from '../../../runtime/drivers/container/containerd/engine.ts';
import { createContainerdImages } from '../../../runtime/drivers/container/containerd/images/image-source.ts';
import {
  createCredentials,
  type CredentialPlaces,
} from '../../../runtime/drivers/container/registry/credentials.ts';
import { createRegistryClient } from '../../../runtime/drivers/container/registry/registry.ts';
import type { Registries } from '../../../protocols/containers/registry/endpoints.ts';
import type { ImageSource } from '../../../protocols/ports.ts';
import { seededRandom } from '../../../runtime/world/seeded-random.ts';
import { realClock, type TestContainerd } from '../../kit/containerd.ts';

export interface PullRig {
  readonly source: ImageSource;
  /** What the store holds once its collector has run. */
  kept(): Promise<{ blobs: number; snapshots: number; ingests: number; leases: number }>;
  close(): void;
}

export interface PullRigOptions {
  readonly registries: Registries;
  readonly credentials?: CredentialPlaces;
  readonly silenceMs?: number;
  readonly unpackedBytes?: number;
}

let count = 0;

/** Between two attempts nothing is learnt: the waits are a twentieth of what they are. */
const hurried = {
  ...realClock,
  setTimer: (delayMs: number, fire: () => void) => realClock.setTimer(delayMs / 20, fire),
};

/** In a namespace of its own. */
export function pullRig(containerd: TestContainerd, options: PullRigOptions): PullRig {
  const engine = openEngine({
    address: containerd.address,
    namespace: `${containerd.namespace}-pull-${++count}`,
    clock: realClock,
    ioDir: join(containerd.dir, `io-pull-${count}`),
    cgroupParent: containerd.cgroupParent,
  });
  const { registries, credentials = {}, silenceMs, unpackedBytes } = options;
  const registry = createRegistryClient({
    clock: hurried,
    random: seededRandom(1),
    registries,
    credentials: createCredentials(credentials),
    ...(silenceMs === undefined ? {} : { silenceMs }),
  });
  const source = createContainerdImages(engine, {
    registry,
    ...(unpackedBytes === undefined ? {} : { unpackedBytes }),
  });
  const soon = { timeoutMs: 10_000 };
  return {
    source,
    kept: async () => {
      const { connection } = engine;
      const { lease } = await connection.unary(Leases.method.create, {}, soon);
      await connection.unary(Leases.method.delete, { id: lease!.id, sync: true }, soon);
      let [blobs, snapshots] = [0, 0];
      for await (const { info } of connection.serverStream(Content.method.list, {}, soon))
        blobs += info.length;
      for await (const { info } of connection.serverStream(
        Snapshots.method.list,
        { snapshotter: 'overlayfs' },
        soon,
      ))
        snapshots += info.length;
      const { statuses } = await connection.unary(Content.method.listStatuses, {}, soon);
      const { leases } = await connection.unary(Leases.method.list, {}, soon);
      return { blobs, snapshots, ingests: statuses.length, leases: leases.length };
    },
    close: () => {
      registry.close();
      engine.connection.close();
    },
  };
}
