/**
 * The images of a scripted machine: names that are there, what its registry would give and how badly, and what goes
 * wrong when one is asked for.
 */
import type { PullPolicy } from '../../../../protocols/apps/service-model.ts';
import { shortImageName } from '../../../../protocols/containers/image-name.ts';
import type { ImageInfo, ImageWish, PullProgress } from '../../../../protocols/containers/model.ts';
import { pullDecision, usualPolicy } from '../../../../protocols/containers/registry/policy.ts';
import { pinnedImageName, pinOf } from '../../../../protocols/containers/registry/reference.ts';
import { coded, reasonOf, type ErrorCode } from '../../../../protocols/errors.ts';
import { hashText } from '../../../../protocols/hash.ts';
import type { Call, ImageSource } from '../../../../protocols/ports.ts';
import type { Engine } from './engine.ts';

/** What the registry does when it is asked for an image. */
export interface ScriptedPull {
  /** All of the pull; a slow one is long. */
  readonly tookMs: number;
  /** Refused half way: `HM-REGISTRY-UNREACHABLE`, or `HM-IMAGE-DIGEST` for one that lies. */
  readonly fails?: ErrorCode;
  /** Changes what the tag stands for. */
  readonly content?: string;
}

export class ScriptedImages {
  readonly platform: string;
  readonly #images = new Map<string, ImageInfo>();
  readonly #registry = new Map<string, ScriptedPull>();

  constructor(names: readonly string[] = [], platform = 'linux/amd64') {
    this.platform = platform;
    for (const name of names) this.add(name);
  }

  add(name: string, platform = this.platform, content = name): ImageInfo {
    const image: ImageInfo = {
      name: fullName(name),
      digest: scriptedDigest(content),
      platform,
      sizeBytes: 1_048_576,
      createdAt: 1_767_225_600_000,
    };
    this.#images.set(image.name, image);
    return image;
  }

  /** From now on the registry has it, and does this with who asks. */
  publish(name: string, pull: ScriptedPull): void {
    this.#registry.set(fullName(name), pull);
  }

  unpublish(name: string): void {
    this.#registry.delete(fullName(name));
  }

  offered(name: string): (ScriptedPull & { readonly digest: string }) | undefined {
    const pull = this.#registry.get(fullName(name));
    return pull && { ...pull, digest: scriptedDigest(pull.content ?? name) };
  }

  drop(name: string): void {
    const gone = this.find(name);
    if (!gone) return;
    this.#images.delete(gone.name);
    this.#images.delete(pinnedImageName(gone.name, gone.digest));
  }

  list(): readonly ImageInfo[] {
    const all = [...this.#images.values()];
    const tagged = new Set(all.map(({ name, digest }) => (pinOf(name) ? '' : pinnedImageName(name, digest))));
    return all.filter(({ name }) => !tagged.has(name));
  }

  find(name: string): ImageInfo | undefined {
    return this.#images.get(fullName(name));
  }

  /** The same content under its pinned name. */
  pin(image: ImageInfo): void {
    const name = pinnedImageName(image.name, image.digest);
    this.#images.set(name, { ...image, name });
  }

  /** HM-IMAGE-MISSING or HM-IMAGE-PLATFORM. */
  mustHave(name: string): ImageInfo {
    const image = this.find(name);
    if (!image) throw coded('HM-IMAGE-MISSING', `image ${name} is not on the node`, { image: name });
    if (image.platform !== this.platform)
      throw coded(
        'HM-IMAGE-PLATFORM',
        `image ${name} is for ${image.platform}, the node is ${this.platform}`,
        {
          image: name,
          platform: this.platform,
        },
      );
    return image;
  }
}

const scriptedLayer = 'application/vnd.oci.image.layer.v1.tar';

const fullName = (name: string): string => shortImageName(name) ?? name;
/** What the registry and archives of a scripted machine hold under a name. */
export const scriptedDigest = (content: string): string => {
  const name = fullName(content);
  return `sha256:${hashText(name)}${hashText(`${name}:`)}`;
};

/** Pulls of a scripted machine: one for all who want the same, told in four steps. */
class ScriptedPulls {
  readonly #images: ScriptedImages;
  readonly #engine: Engine;
  readonly #flights = new Map<
    string,
    { progress: PullProgress; done: Promise<void>; end: AbortController; waiting: number }
  >();
  readonly #listeners = new Set<(progress: PullProgress) => void>();

  constructor(images: ScriptedImages, engine: Engine) {
    this.#images = images;
    this.#engine = engine;
  }

  get underWay(): readonly PullProgress[] {
    return [...this.#flights.values()].map(({ progress }) => progress);
  }

  watch(notify: (progress: PullProgress) => void): () => void {
    this.#listeners.add(notify);
    return () => this.#listeners.delete(notify);
  }

  async pull(name: string, digest: string | undefined, call: Call): Promise<void> {
    const key = `${fullName(name)} ${digest ?? ''}`;
    const flight = this.#flights.get(key) ?? this.#begin(key, fullName(name), digest);
    flight.waiting += 1;
    const gone = new Promise<never>((_, reject) =>
      call.signal.addEventListener('abort', () => reject(coded('HM-RUNTIME-TIMEOUT')), { once: true }),
    );
    try {
      await Promise.race([flight.done, gone]);
    } finally {
      flight.waiting -= 1;
      if (flight.waiting === 0) flight.end.abort();
    }
  }

  #begin(key: string, name: string, digest: string | undefined) {
    const end = new AbortController();
    const progress: PullProgress = {
      image: name,
      phase: 'resolving',
      doneBytes: 0,
      totalBytes: 0,
      layers: [],
    };
    const flight = { progress, end, waiting: 0, done: Promise.resolve() };
    const tell = (step: Partial<PullProgress>) => {
      flight.progress = { ...flight.progress, ...step };
      for (const notify of [...this.#listeners]) notify(flight.progress);
    };
    this.#flights.set(key, flight);
    flight.done = this.#fly(name, digest, { key, signal: end.signal }, tell)
      .catch((thrown: unknown) => {
        tell({ phase: 'failed', reason: reasonOf(thrown) });
        throw thrown;
      })
      .finally(() => this.#flights.delete(key));
    flight.done.catch(() => {});
    return flight;
  }

  async #fly(
    name: string,
    digest: string | undefined,
    call: Call,
    tell: (step: Partial<PullProgress>) => void,
  ): Promise<void> {
    const offered = this.#images.offered(name);
    if (!offered || (digest !== undefined && digest !== offered.digest))
      throw coded('HM-IMAGE-MISSING', `image ${name} is not on the node, nor in a registry`, { image: name });
    const steps = 4;
    for (let step = 0; step < steps; step++) {
      tell({ phase: 'pulling', totalBytes: steps * 262_144, doneBytes: step * 262_144 });
      await this.#engine.work(call, offered.tookMs / steps);
      if (offered.fails && step === steps / 2) throw coded(offered.fails, undefined, { image: name });
    }
    const image = this.#images.add(name, this.#images.platform, offered.content ?? name);
    tell({ phase: 'done', doneBytes: steps * 262_144, digest: image.digest });
  }
}

/** `files`: what archives hold, by path; an unknown path is no archive. */
export function scriptedImageSource(
  images: ScriptedImages,
  engine: Engine,
  files: Map<string, readonly string[]> = new Map(),
): ImageSource {
  const work = (call: Call) => engine.work(call, 5);
  const pulls = new ScriptedPulls(images, engine);
  return {
    list: async (_, call) => {
      await work(call);
      return { images: images.list() };
    },
    ensure: async (wish, call) => {
      await work(call);
      return ensure(images, pulls, wish, call);
    },
    resolve: async ({ image, policy = usualPolicy }, call) => {
      await work(call);
      const held = images.find(image)?.digest;
      const decision = decisionOf(policy, held !== undefined, pinOf(fullName(image)) !== undefined);
      const digest =
        decision === 'use' || decision === 'nothing' ? held : (images.offered(image)?.digest ?? held);
      return digest === undefined ? {} : { digest };
    },
    pulls: () => Promise.resolve({ pulls: pulls.underWay }),
    onPull: (notify) => pulls.watch(notify),
    show: async ({ image }, call) => {
      await work(call);
      const found = images.find(image);
      if (!found) throw coded('HM-IMAGE-UNKNOWN', `image ${image} is not on the node`, { image });
      const layer = { digest: found.digest, mediaType: scriptedLayer, sizeBytes: found.sizeBytes };
      const { volumes } = found;
      return {
        ...{ ...found, platforms: [found.platform], layers: [layer] },
        config: { command: ['run'], ...(volumes ? { volumes } : {}) },
      };
    },
    import: async ({ path, name }, call) => {
      await work(call);
      const names = files.get(path);
      if (!names) throw coded('HM-IMAGE-ARCHIVE', `${path} is not a readable OCI archive`, { path });
      const content = name === undefined ? undefined : names[0];
      return {
        images: (name === undefined ? names : [name]).map((each) =>
          images.add(each, images.platform, content),
        ),
      };
    },
    export: async ({ image, path }, call) => {
      await work(call);
      const found = images.find(image);
      if (!found) throw coded('HM-IMAGE-UNKNOWN', `image ${image} is not on the node`, { image });
      files.set(path, [found.name]);
      return {};
    },
    remove: async ({ image }, call) => {
      await work(call);
      if (!images.find(image))
        throw coded('HM-IMAGE-UNKNOWN', `image ${image} is not on the node`, { image });
      images.drop(image);
      return {};
    },
  };
}

/** A scripted registry is looked at by name alone: the last look is always too long ago. */
const decisionOf = (policy: PullPolicy, present: boolean, fixed: boolean) =>
  pullDecision(policy, { present, lookedAtMs: 0, fixed }, Number.MAX_SAFE_INTEGER);

async function ensure(
  images: ScriptedImages,
  pulls: ScriptedPulls,
  { image, digest, policy = usualPolicy }: ImageWish,
  call: Call,
): Promise<ImageInfo> {
  const name = digest === undefined ? image : pinnedImageName(fullName(image), digest);
  const tagged = images.find(image);
  const held = images.find(name) ?? (tagged?.digest === digest ? tagged : undefined);
  const decision = decisionOf(policy, held !== undefined, digest !== undefined);
  const offered = images.offered(image);
  if (decision === 'pull' || (decision === 'ask' && offered && offered.digest !== held?.digest))
    await pulls.pull(image, digest, call);
  const found = images.mustHave(held && decision !== 'pull' ? held.name : image);
  if (digest !== undefined) images.pin(found);
  return { ...found, name: fullName(image) };
}
