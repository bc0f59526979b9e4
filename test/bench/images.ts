/** A pull of 100 MB from a registry on this machine, beside containerd's own client, both into an empty namespace. */
import { execFile } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openEngine } from '../../runtime/drivers/container/containerd/engine.ts';
import { createContainerdImages } from '../../runtime/drivers/container/containerd/images/image-source.ts';
import { createCredentials } from '../../runtime/drivers/container/registry/credentials.ts';
import { createRegistryClient } from '../../runtime/drivers/container/registry/registry.ts';
import { writeOciArchive } from '../../runtime/images/oci-archive.ts';
import { realClock } from '../../runtime/world/real-clock.ts';
import { realRandom } from '../../runtime/world/real-random.ts';
import { missingForContainerd, startContainerd } from '../kit/containerd.ts';
import { newCall } from '../kit/port-call.ts';
import { missingForRegistry, startRegistry } from '../kit/registries/registry.ts';

export interface ImageFigures {
  readonly pullMs: number;
  readonly ctrMs: number;
  readonly ratio: number;
}

const layerBytes = 20_000_000;
const layers = 5;
const rounds = 5;

/** Medians of several pulls each, by turns; a containerd of its own for each pull, so that nothing is there already. */
export async function measureImages(): Promise<ImageFigures | { readonly missing: string }> {
  const missing = missingForContainerd() ?? missingForRegistry();
  if (missing !== undefined) return { missing };
  const registry = await startRegistry();
  try {
    const archive = join(registry.dir, 'image.tar');
    await writeOciArchive(archive, {
      name: 'large',
      architecture: 'amd64',
      config: {},
      layers: Array.from({ length: layers }, (_, at) => [
        { type: 'file', path: `file-${at}`, content: randomFillSync(Buffer.alloc(layerBytes)), mode: 0o644 },
      ]),
    });
    await registry.push(archive, 'large:1');
    const image = `${registry.host}/large:1`;
    const [ours, theirs]: [number[], number[]] = [[], []];
    for (let round = 0; round < rounds; round++) {
      const turns = [
        () => pullOurs(image, registry.host).then((ms) => ours.push(ms)),
        () => pullCtr(image).then((ms) => theirs.push(ms)),
      ];
      for (const turn of round % 2 === 0 ? turns : turns.reverse()) await turn();
    }
    const [pullMs, ctrMs] = [median(ours), median(theirs)];
    return { pullMs, ctrMs, ratio: pullMs / ctrMs };
  } finally {
    await registry.stop();
  }
}

async function pullOurs(image: string, host: string): Promise<number> {
  const containerd = await startContainerd();
  const registry = createRegistryClient({
    clock: realClock,
    random: realRandom,
    registries: { [host]: { plainHttp: true } },
    credentials: createCredentials({}),
  });
  const { address, namespace, dir, cgroupParent } = containerd;
  const engine = openEngine({ address, namespace, clock: realClock, ioDir: join(dir, 'io'), cgroupParent });
  try {
    const began = performance.now();
    await createContainerdImages(engine, { registry }).ensure({ image }, newCall());
    return performance.now() - began;
  } finally {
    registry.close();
    engine.connection.close();
    await containerd.stop();
  }
}

async function pullCtr(image: string): Promise<number> {
  const containerd = await startContainerd();
  try {
    const began = performance.now();
    const where = ['--address', containerd.address, '--namespace', containerd.namespace];
    await promisify(execFile)('ctr', [...where, 'images', 'pull', '--plain-http', image]);
    return performance.now() - began;
  } finally {
    await containerd.stop();
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
