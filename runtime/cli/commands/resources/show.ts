/** `image show`: what an image holds, who uses it, and when it would go. */
import type { ImageDetails, ImageUse } from '../../../../protocols/containers/model.ts';
import type { Cli } from '../../cli.ts';
import { printOne } from '../../output/listing.ts';
import { age, bytes } from '../../output/units.ts';

export async function showImage(cli: Cli, name: string): Promise<number> {
  const client = await cli.client();
  const image = await client.get<ImageDetails & ImageUse>(`/v1/images/${encodeURIComponent(name)}`);
  const now = cli.process.clock.now();
  await printOne(cli, image, image.name, () => imageText(image, now));
  return 0;
}

export function imageText(image: ImageDetails & ImageUse, now: number): readonly string[] {
  const { config, layers } = image;
  const words = (list: readonly string[] | undefined): string | undefined =>
    list?.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : JSON.stringify(word))).join(' ');
  const rows: readonly (readonly [title: string, value: string | undefined])[] = [
    ['digest', image.digest],
    ['platforms', image.platforms.join(', ')],
    ['size', `${bytes(image.sizeBytes)} in ${layers.length} ${layers.length === 1 ? 'layer' : 'layers'}`],
    ['arrived', `${age(now - image.createdAt)} ago`],
    ['built', config.created],
    ['used by', image.usedBy.join(', ') || undefined],
    ['goes', goesText(image, now)],
    ['entrypoint', words(config.entrypoint)],
    ['command', words(config.command)],
    ['user', config.user],
    ['folder', config.workingDir],
    ['stop signal', config.stopSignal],
    ['ports', config.ports?.join(', ')],
    ['volumes', config.volumes?.join(', ')],
  ];
  const said = rows.flatMap(([title, value]) =>
    value === undefined ? [] : [`${title.padEnd(12)} ${value}`],
  );
  return [
    image.name,
    '',
    ...said,
    ...section('environment', config.environment ?? []),
    ...section(
      'labels',
      Object.entries(config.labels ?? {}).map(([label, value]) => `${label}=${value}`),
    ),
    ...section(
      'layers',
      layers.map(({ digest, sizeBytes }) => `${digest.slice(0, 19)}  ${bytes(sizeBytes).padStart(9)}`),
    ),
  ];
}

const section = (title: string, lines: readonly string[]): readonly string[] =>
  lines.length === 0 ? [] : ['', title, ...lines.map((line) => `  ${line}`)];

export function goesText({ wanted, goesAt }: ImageUse, now: number): string {
  if (wanted) return 'never while a kept revision wants it';
  if (goesAt === undefined) return 'only by hand: nothing wants it';
  return goesAt <= now ? 'at the next look: nothing wants it' : `in ${age(goesAt - now)}: nothing wants it`;
}
