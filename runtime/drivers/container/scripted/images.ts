/** The images of a scripted machine: names that are there, and what goes wrong when one is asked for. */
import { shortImageName } from '../../../../protocols/containers/image-name.ts';
import type { ImageInfo } from '../../../../protocols/containers/model.ts';
import { coded } from '../../../../protocols/errors.ts';
import { hashText } from '../../../../protocols/hash.ts';
import type { Call, ImageSource } from '../../../../protocols/ports.ts';
import type { Engine } from './engine.ts';

export class ScriptedImages {
  readonly platform: string;
  readonly #images = new Map<string, ImageInfo>();

  constructor(names: readonly string[] = [], platform = 'linux/amd64') {
    this.platform = platform;
    for (const name of names) this.add(name);
  }

  add(name: string, platform = this.platform): ImageInfo {
    const image: ImageInfo = {
      name: fullName(name),
      digest: `sha256:${hashText(name)}${hashText(`${name}:`)}`,
      platform,
      sizeBytes: 1_048_576,
      createdAt: 1_767_225_600_000,
    };
    this.#images.set(image.name, image);
    return image;
  }

  drop(name: string): void {
    this.#images.delete(fullName(name));
  }

  list(): readonly ImageInfo[] {
    return [...this.#images.values()];
  }

  find(name: string): ImageInfo | undefined {
    return this.#images.get(fullName(name));
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

const fullName = (name: string): string => shortImageName(name) ?? name;

/** `files`: what archives hold, by path; an unknown path is no archive. */
export function scriptedImageSource(
  images: ScriptedImages,
  engine: Engine,
  files: ReadonlyMap<string, readonly string[]> = new Map(),
): ImageSource {
  const work = (call: Call) => engine.work(call, 5);
  return {
    list: async (_, call) => {
      await work(call);
      return { images: images.list() };
    },
    ensure: async ({ image }, call) => {
      await work(call);
      return images.mustHave(image);
    },
    import: async ({ path, name }, call) => {
      await work(call);
      const names = files.get(path);
      if (!names) throw coded('HM-IMAGE-ARCHIVE', `${path} is not a readable OCI archive`, { path });
      return { images: (name === undefined ? names : [name]).map((each) => images.add(each)) };
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
