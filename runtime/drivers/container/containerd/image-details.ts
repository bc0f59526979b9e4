/** All that is known of one image: its layers as they are stored, how its author wants it run, and for which platforms it is here. */
import { z } from 'zod';
import type { ImageConfigView, ImageDetails } from '../../../../protocols/containers/model.ts';
import { coded } from '../../../../protocols/errors.ts';
import type { Call } from '../../../../protocols/ports.ts';
import { storedDocuments } from './images/content.ts';
import { infoOf, nameOf, platformImageOf, type Images } from './images/image-source.ts';
import { readLayout } from './images/layout.ts';
import { findImages, targetOf } from './images/records.ts';

const text = z.string().nullish();
const texts = z.array(z.string()).nullish();
const names = z.record(z.string(), z.unknown()).nullish();
const configuration = z.object({
  created: text,
  config: z
    .object({
      User: text,
      Env: texts,
      Entrypoint: texts,
      Cmd: texts,
      WorkingDir: text,
      StopSignal: text,
      ExposedPorts: names,
      Volumes: names,
      Labels: z.record(z.string(), z.string()).nullish(),
    })
    .nullish(),
});

/** HM-IMAGE-UNKNOWN; a LayoutError when parts of it are gone. */
export async function showImage(images: Images, reference: string, call: Call): Promise<ImageDetails> {
  const name = nameOf(reference);
  const [record] = await findImages(images.connection, images.callLimits(call), name);
  if (!record) throw coded('HM-IMAGE-UNKNOWN', `No image ${name} is on the node.`, { image: name });
  const image = await platformImageOf(images, record, call);
  const documents = storedDocuments(images.connection, images.callLimits(call));
  const { platforms } = await readLayout([targetOf(record)], documents, image.platform);
  const read = configuration.safeParse(await documents(image.config.digest));
  return {
    ...infoOf(record, image),
    name,
    platforms: [...new Set([image, ...platforms].map(({ platform }) => platform))],
    layers: image.layers.map(({ digest, mediaType, size }) => ({ digest, mediaType, sizeBytes: size })),
    config: read.success ? viewOf(read.data) : {},
  };
}

/** What is empty is not said. */
function viewOf({ created, config }: z.infer<typeof configuration>): ImageConfigView {
  const keysOf = (map: object | null | undefined) => Object.keys(map ?? {});
  const all = {
    created,
    user: config?.User,
    entrypoint: config?.Entrypoint,
    command: config?.Cmd,
    environment: config?.Env,
    workingDir: config?.WorkingDir,
    stopSignal: config?.StopSignal,
    ports: keysOf(config?.ExposedPorts),
    volumes: keysOf(config?.Volumes),
    labels: config?.Labels,
  };
  const said = Object.entries(all).filter(([, value]) =>
    typeof value === 'string' ? value !== '' : value && Object.keys(value).length > 0,
  );
  return Object.fromEntries(said) as ImageConfigView;
}
