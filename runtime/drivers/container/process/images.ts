/** The images of a node that runs processes: there are none, and none can be brought. */
import { processImage } from '../../../../protocols/containers/making/host-process.ts';
import type { ImageInfo } from '../../../../protocols/containers/model.ts';
import { coded } from '../../../../protocols/errors.ts';
import type { ImageSource } from '../../../../protocols/ports.ts';

/** `platform` as in `linux/amd64`. A process service is ready at once; everything else is HM-RUNTIME-IMAGE. */
export function noImages(platform: string): ImageSource {
  const none: ImageInfo = { name: processImage, digest: '', platform, sizeBytes: 0, createdAt: 0 };
  const refuse = (image: string): Promise<never> =>
    Promise.reject(
      coded('HM-RUNTIME-IMAGE', `${image}: this node runs processes and has no images`, { image }),
    );
  return {
    list: () => Promise.resolve({ images: [] }),
    ensure: ({ image }) => (image === processImage ? Promise.resolve(none) : refuse(image)),
    resolve: ({ image }) => (image === processImage ? Promise.resolve({}) : refuse(image)),
    pulls: () => Promise.resolve({ pulls: [] }),
    onPull: () => () => undefined,
    show: ({ image }) => unknown(image),
    export: ({ image }) => refuse(image),
    import: ({ path, name }) => refuse(name ?? path),
    remove: ({ image }) => unknown(image),
  };
}

const unknown = (image: string): Promise<never> =>
  Promise.reject(coded('HM-IMAGE-UNKNOWN', `image ${image} is not on the node`, { image }));

/** The images of a node that runs containers: it says so to a service that is a process. */
export function withoutProcesses(images: ImageSource): ImageSource {
  return {
    ...images,
    ensure: async (wish, call) => {
      if (wish.image === processImage)
        throw coded('HM-RUNTIME-PROCESS', 'The service is a process, and this node runs containers');
      return images.ensure(wish, call);
    },
  };
}
