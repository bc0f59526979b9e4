/** Images on the node: `image pull`, `image import`, `image ls`, `image rm`. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Readable } from 'node:stream';
import type { Command } from 'commander';
import type { ImageInfo, ImageUse } from '../../../../protocols/containers/model.ts';
import { coded } from '../../../../protocols/errors.ts';
import type { Cli, CommonOptions } from '../../cli.ts';
import type { ImagesAnswer } from '../../connection/answers.ts';
import { printListing, type Listing } from '../../output/listing.ts';
import { watched } from '../../output/transfer.ts';
import { age, bytes } from '../../output/units.ts';
import { forEach } from '../each.ts';
import { action, leaf } from '../command.ts';
import { exportArchive, type ExportOptions } from './export.ts';
import { goesText, showImage } from './show.ts';
import { pullImage, type PullOptions } from './pull.ts';

export function imageCommands(program: Command, cli: Cli): void {
  const image = program.command('image').description('images on the node').helpGroup('Resources:');

  const add = leaf(image, {
    usage: 'import <archive>',
    summary: 'bring an OCI image archive to the node; - is standard input',
    examples: ['hivemind image import hello.tar', 'hivemind image import hello.tar --name hello:latest'],
    forms: true,
  }).option('--name <name>', 'name of the image, over the one in the archive');
  action(add, cli, (options: CommonOptions & { name?: string }, [archive]) =>
    importImage(cli, String(archive), options.name),
  );

  const pull = leaf(image, {
    usage: 'pull <name>',
    summary: 'bring an image from its registry to the node',
    examples: ['hivemind image pull redis:7', 'hivemind image pull redis:7 --platform linux/arm64'],
    forms: true,
  })
    .option('--platform <platform>', 'OS/ARCHITECTURE[/VARIANT] in place of the own one of the node')
    .option('--policy <when>', 'always, missing, never, daily, weekly or every_12h (always)');
  action(pull, cli, (options: CommonOptions & PullOptions, [name]) => pullImage(cli, String(name), options));

  lookCommands(image, cli);

  const out = leaf(image, {
    usage: 'export <name>',
    summary: 'write an image to an archive; to standard output without --output',
    examples: [
      'hivemind image export hello:1 --output hello.tar',
      'hivemind image export hello:1 --format docker --output h.tar',
    ],
  })
    .option('--output <file>', 'where to')
    .option('--format <format>', 'oci, or docker for docker load (oci)')
    .option('--platform <platform>', 'OS/ARCHITECTURE in place of the own one of the node');
  action(out, cli, (options: CommonOptions & ExportOptions, [name]) =>
    exportArchive(cli, String(name), options),
  );

  const prune = leaf(image, {
    usage: 'prune',
    summary: 'remove every image that no kept revision of an app wants',
    examples: ['hivemind image prune'],
    forms: true,
  });
  action(prune, cli, async () => {
    const client = await cli.client();
    const { images } = await client.send<ImagesAnswer>('POST', '/v1/images/prune');
    const freed = images.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    if (images.length > 0) cli.say(`${images.length} removed, ${bytes(freed)} in all`);
    return printListing(cli, { ...listing(cli), empty: 'Nothing to remove' }, () => Promise.resolve(images));
  });

  const rm = leaf(image, {
    usage: 'rm <name...>',
    summary: 'remove images that no app uses',
    examples: ['hivemind image rm hello:latest', 'hivemind image rm hello:1 hello:2'],
  });
  action(rm, cli, (_options, [names]) => removeImages(cli, [names].flat() as string[]));
}

function lookCommands(image: Command, cli: Cli): void {
  const ls = leaf(image, {
    usage: 'ls',
    summary: 'list images',
    examples: ['hivemind image ls', 'hivemind image ls -o wide'],
    forms: true,
    watch: true,
  });
  action(ls, cli, async () => printListing(cli, usedListing(cli), async () => (await list(cli)).images));

  const show = leaf(image, {
    usage: 'show <name>',
    summary: 'what an image holds, who uses it and when it would go',
    examples: ['hivemind image show redis:7', 'hivemind image show redis:7 --json'],
    forms: true,
  });
  action(show, cli, (_options, [name]) => showImage(cli, String(name)));
}

async function removeImages(cli: Cli, names: readonly string[]): Promise<number> {
  const client = await cli.client();
  const remove = (name: string) => client.send('DELETE', `/v1/images/${encodeURIComponent(name)}`);
  return forEach(cli, names, remove, (name) => `${name} is removed`);
}

type UsedImage = ImageInfo & ImageUse;

const list = async (cli: Cli): Promise<{ readonly images: readonly UsedImage[] }> =>
  (await cli.client()).get<{ images: readonly UsedImage[] }>('/v1/images');

async function importImage(cli: Cli, archive: string, name: string | undefined): Promise<number> {
  const client = await cli.client();
  const path = resolve(cli.process.directory, archive);
  const found = archive === '-' ? undefined : await stat(path).catch(() => undefined);
  if (archive !== '-' && !found?.isFile())
    throw coded('HM-IMAGE-ARCHIVE', `${archive} is not a file`, { path });
  const content = archive === '-' ? (cli.process.stdin as Readable) : createReadStream(path);
  const size = found ? { totalBytes: found.size } : {};
  const progress = watched(cli, content, { name: archive, after: 'is checked and unpacked', ...size });
  try {
    const { images } = await client.upload<ImagesAnswer>('/v1/images/import', progress.stream, { name });
    progress.clear();
    return await printListing(cli, listing(cli), () => Promise.resolve(images));
  } catch (thrown) {
    progress.clear();
    throw thrown;
  }
}

function listing(cli: Cli): Listing<ImageInfo> {
  return {
    name: (image) => image.name,
    fields: ['name', 'digest', 'platform', 'sizeBytes', 'createdAt'],
    empty: 'No images. Next: hivemind image pull NAME, or hivemind image import ARCHIVE',
    columns: [
      { title: 'NAME', cell: (image) => image.name },
      { title: 'PLATFORM', cell: (image) => image.platform },
      { title: 'SIZE', cell: (image) => bytes(image.sizeBytes) },
      { title: 'DIGEST', cell: (image) => image.digest, wide: true },
      { title: 'AGE', cell: (image) => age(cli.now() - image.createdAt) },
    ],
  };
}

/** With what they are for: what is listed, and not what was just brought or removed. */
function usedListing(cli: Cli): Listing<UsedImage> {
  const now = cli.process.clock.now();
  const { columns, fields, name, empty } = listing(cli);
  return {
    ...{ name, empty },
    fields: [...fields, 'usedBy', 'wanted', 'goesAt'],
    columns: [
      ...columns.slice(0, -1),
      { title: 'USED BY', cell: ({ usedBy }) => usedBy.join(' ') || '-', wide: true },
      { title: 'GOES', cell: (image) => goesText(image, now), wide: true },
      ...columns.slice(-1),
    ],
  };
}
