/** Which images go: never one that is used, wanted or being pulled, whatever the disk and the clock say. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AppSpec } from '../../../../protocols/apps/model.ts';
import type { ImageInfo } from '../../../../protocols/containers/model.ts';
import { collectable, wantedImages } from '../../../../protocols/containers/registry/collection.ts';
import { pinnedImageName } from '../../../../protocols/containers/registry/reference.ts';

const digestOf = (content: number): string => `sha256:${String(content).padStart(64, '0')}`;
const image = (name: string, content: number, more: Partial<ImageInfo> = {}): ImageInfo => ({
  name,
  digest: digestOf(content),
  platform: 'linux/amd64',
  sizeBytes: 100,
  createdAt: 0,
  ...more,
});
const specOf = (names: readonly string[]): AppSpec =>
  ({
    services: Object.fromEntries(names.map((name, at) => [`s${at}`, { image: name }])),
  }) as unknown as AppSpec;
const settings = { unusedMs: 1_000, highShare: 0.8, lowShare: 0.5 };
const roomy = { usedBytes: 0, totalBytes: 1_000 };

describe('by age and by disk', () => {
  const images = [image('old:1', 1), image('young:1', 2, { createdAt: 9_500 }), image('used:1', 3)];
  const wanted = wantedImages([{ spec: specOf(['used:1']), digests: {} }], [], []);
  const since = { 'old:1': 5_000, 'young:1': 9_500, 'used:1': 0 };
  it.each([
    ['nothing before its time', roomy, 5_500, []],
    ['what was unused for long', roomy, 9_900, ['old:1']],
    ['both, in the end', roomy, 20_000, ['old:1', 'young:1']],
    [
      'the oldest first when the disk is short',
      { usedBytes: 850, totalBytes: 1_700 * 0.6 },
      5_500,
      ['old:1', 'young:1'],
    ],
    ['no more than is needed', { usedBytes: 900, totalBytes: 1_000 }, 5_500, ['old:1', 'young:1']],
  ])('takes %s', (_what, disk, now, names) => {
    expect(collectable(images, wanted, since, disk, settings, now)).toEqual(names);
  });

  it('stops when enough is free', () => {
    const large = images.map((one) => ({ ...one, sizeBytes: 500 }));
    const short = { usedBytes: 900, totalBytes: 1_000 };
    expect(collectable(large, wanted, since, short, settings, 5_500)).toEqual(['old:1']);
  });
});

it('never takes what a kept revision, an assignment or a pull names, by tag or by content', () => {
  const names = fc.constantFrom('a:1', 'a:2', 'b:1', 'team/c:1', '127.0.0.1:5000/d:1');
  const content = fc.integer({ min: 0, max: 3 });
  const held = fc.record({ name: names, content, pinned: fc.boolean(), createdAt: fc.nat(2_000) });
  const use = fc.record({ name: names, content: fc.option(content) });
  fc.assert(
    fc.property(
      fc.array(held),
      fc.array(use),
      fc.array(use),
      fc.array(names),
      fc.nat(1_000),
      fc.nat(5_000),
      (things, revisions, assigned, pulling, usedBytes, now) => {
        const images = things.map((one) => {
          const found = image(one.name, one.content, { createdAt: one.createdAt });
          return one.pinned ? { ...found, name: pinnedImageName(one.name, found.digest) } : found;
        });
        const digests = ({ name, content: of }: (typeof revisions)[number]) =>
          of === null ? {} : { [name]: digestOf(of) };
        const wanted = wantedImages(
          revisions.map((one) => ({ spec: specOf([one.name]), digests: digests(one) })),
          assigned.map((one) => ({
            spec: { image: one.name } as never,
            ...(one.content === null ? {} : { digest: digestOf(one.content) }),
          })),
          pulling.map((name) => ({ image: name, phase: 'pulling', doneBytes: 0, totalBytes: 0, layers: [] })),
        );
        const going = collectable(
          images,
          wanted,
          {},
          { usedBytes, totalBytes: 1_000 },
          { ...settings, unusedMs: 0 },
          now,
        );
        const uses = [...revisions, ...assigned];
        for (const name of going) {
          expect(uses.map((one) => one.name)).not.toContain(name);
          expect(pulling).not.toContain(name);
          const pins = uses.flatMap((one) =>
            one.content === null ? [] : [pinnedImageName(one.name, digestOf(one.content))],
          );
          const digest = images.find((one) => one.name === name)!.digest;
          if (images.filter((one) => one.name === name).length === 1)
            expect(pins).not.toContain(pinnedImageName(name, digest));
        }
      },
    ),
  );
});
