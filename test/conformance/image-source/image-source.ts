/** What every image source promises, whatever keeps its images. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ImageSource } from '../../../protocols/ports.ts';
import { newCall, refusal } from '../../kit/port-call.ts';

export interface ImageSourceArm {
  readonly source: ImageSource;
  /** Path of an archive with an image of this name for this node's platform. */
  archive(name: string): Promise<string>;
  /** Puts an image for a platform that no node has there. */
  placeForeign(name: string): Promise<void>;
  /** Path of something that is no archive. */
  rubbish(): Promise<string>;
  /** A path where no file is. */
  room(): string;
  close(): Promise<void>;
}

export function imageSourceConformance(name: string, makeArm: () => Promise<ImageSourceArm>): void {
  describe(`image source: ${name}`, () => {
    let arm: ImageSourceArm;
    beforeEach(async () => {
      arm = await makeArm();
    });
    afterEach(() => arm.close());

    const names = async (): Promise<string[]> =>
      (await arm.source.list({}, newCall())).images.map((image) => image.name).sort();
    const importNow = async (image: string, as?: string) =>
      arm.source.import({ path: await arm.archive(image), ...(as ? { name: as } : {}) }, newCall());

    it('lists what was imported', async () => {
      expect(await names()).toEqual([]);
      const { images } = await importNow('box');
      expect(images).toEqual([
        {
          name: 'box:latest',
          digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) as string,
          platform: expect.stringMatching(/^linux\//) as string,
          sizeBytes: expect.any(Number) as number,
          createdAt: expect.any(Number) as number,
        },
      ]);
      expect(images[0]!.sizeBytes).toBeGreaterThan(0);
      expect((await arm.source.list({}, newCall())).images).toEqual(images);
    });

    it('knows an image by every name people give it', async () => {
      const [image] = (await importNow('box')).images;
      for (const text of ['box', 'box:latest', 'docker.io/library/box', 'docker.io/library/box:latest'])
        expect(await arm.source.ensure({ image: text }, newCall())).toEqual(image);
      expect(await names()).toEqual(['box:latest']);
    });

    it('imports under the name it is told', async () => {
      await importNow('box', 'docker.io/team/crate:2');
      expect(await names()).toEqual(['team/crate:2']);
      expect((await refusal(arm.source.ensure({ image: 'box' }, newCall()))).code).toBe('HM-IMAGE-MISSING');
    });

    it('imports again without a second copy', async () => {
      const first = (await importNow('box')).images[0]!;
      const second = (await importNow('box')).images[0]!;
      expect(second.digest).toBe(first.digest);
      expect(await names()).toEqual(['box:latest']);
    });

    it('refuses what is not there, naming it and the next step', async () => {
      const reason = await refusal(arm.source.ensure({ image: 'nowhere' }, newCall()));
      expect(reason).toMatchObject({
        code: 'HM-IMAGE-MISSING',
        hint: expect.stringContaining('import') as string,
      });
      expect(reason.message).toContain('nowhere');
    });

    it('refuses an image for another platform, naming both', async () => {
      await arm.placeForeign('alien');
      await importNow('box');
      const { platform } = await arm.source.ensure({ image: 'box' }, newCall());
      const reason = await refusal(arm.source.ensure({ image: 'alien' }, newCall()));
      expect(reason.code).toBe('HM-IMAGE-PLATFORM');
      expect(reason.evidence).toMatchObject({ platform });
      expect(reason.message).toContain('linux/s390x');
      expect(reason.message).toContain(platform);
    });

    it('removes once, and only what it is told', async () => {
      await importNow('box');
      await importNow('crate');
      await arm.source.remove({ image: 'box' }, newCall());
      expect(await names()).toEqual(['crate:latest']);
      expect((await refusal(arm.source.ensure({ image: 'box' }, newCall()))).code).toBe('HM-IMAGE-MISSING');
      expect((await refusal(arm.source.remove({ image: 'box' }, newCall()))).code).toBe('HM-IMAGE-UNKNOWN');
      await arm.source.ensure({ image: 'crate' }, newCall());
    });

    it.each(['oci', 'docker'] as const)('exports what can be imported again: %s', async (format) => {
      const [image] = (await importNow('box')).images;
      const path = arm.room();
      await arm.source.export({ image: 'box', path, format }, newCall());
      await arm.source.remove({ image: 'box' }, newCall());
      const [again] = (await arm.source.import({ path }, newCall())).images;
      expect(again).toMatchObject({ name: 'box:latest', platform: image!.platform });
      if (format === 'oci') expect(again!.digest).toBe(image!.digest);
      await arm.source.ensure({ image: 'box' }, newCall());
      const reason = await refusal(
        arm.source.export({ image: 'crate', path: arm.room(), format }, newCall()),
      );
      expect(reason.code).toBe('HM-IMAGE-UNKNOWN');
    });

    it('shows an image with its layers and its configuration', async () => {
      const [image] = (await importNow('box')).images;
      const shown = await arm.source.show({ image: 'docker.io/library/box' }, newCall());
      expect(shown).toMatchObject({ ...image!, platforms: [image!.platform] });
      expect(shown.layers.length).toBeGreaterThan(0);
      for (const { sizeBytes } of shown.layers) expect(sizeBytes).toBeGreaterThan(0);
      expect(shown.config.command?.length).toBeGreaterThan(0);
      expect((await refusal(arm.source.show({ image: 'nowhere' }, newCall()))).code).toBe('HM-IMAGE-UNKNOWN');
    });

    it('keeps to the content that a digest names, also when the tag moves on', async () => {
      const [image] = (await importNow('box')).images;
      const { digest } = image!;
      expect(await arm.source.resolve({ image: 'box' }, newCall())).toEqual({ digest });
      expect(await arm.source.resolve({ image: 'nowhere' }, newCall())).toEqual({});
      await arm.source.ensure({ image: 'box', digest }, newCall());
      // The pin is not shown beside its tag, and goes with it.
      expect(await names()).toEqual(['box:latest']);
      await importNow('crate', 'box');
      expect(await names()).toEqual([`box@${digest}`, 'box:latest'].sort());
      expect((await arm.source.ensure({ image: 'box', digest }, newCall())).digest).toBe(digest);
      await arm.source.remove({ image: `box@${digest}` }, newCall());
      await arm.source.remove({ image: 'box' }, newCall());
      expect(await names()).toEqual([]);
    });

    it('refuses what is no archive and changes nothing', async () => {
      await importNow('box');
      const before = await arm.source.list({}, newCall());
      const path = await arm.rubbish();
      expect((await refusal(arm.source.import({ path }, newCall()))).code).toBe('HM-IMAGE-ARCHIVE');
      expect(await arm.source.list({}, newCall())).toEqual(before);
    });
  });
}
