/** The scripted images under the image source's conformance suite. */
import { ScriptedImages, scriptedImageSource } from '../../../runtime/drivers/container/scripted/images.ts';
import { ScriptedMachine } from '../../../runtime/drivers/container/scripted/machine.ts';
import { realClock } from '../../../runtime/world/real-clock.ts';
import { seededRandom } from '../../../runtime/world/seeded-random.ts';
import { imageSourceConformance } from './image-source.ts';

imageSourceConformance('scripted', () => {
  const images = new ScriptedImages();
  const files = new Map<string, readonly string[]>();
  const { engine } = new ScriptedMachine(realClock, seededRandom(1));
  return Promise.resolve({
    source: scriptedImageSource(images, engine, files),
    archive: (name) => {
      files.set(`/archives/${name}.tar`, [name]);
      return Promise.resolve(`/archives/${name}.tar`);
    },
    placeForeign: (name) => {
      images.add(name, 'linux/s390x');
      return Promise.resolve();
    },
    room: () => '/archives/exported',
    rubbish: () => Promise.resolve('/archives/rubbish'),
    close: () => Promise.resolve(),
  });
});
