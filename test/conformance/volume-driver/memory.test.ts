/** The simulated machine's volumes under the volume driver's conformance suite. */
import { MemoryVolumes } from '../../../runtime/drivers/volume/memory.ts';
import { volumeDriverConformance } from './suite.ts';

volumeDriverConformance('memory', () => {
  const volumes = new MemoryVolumes();
  volumes.missing.add('/srv/nothing/here');
  return Promise.resolve({
    volumes,
    again: () => volumes,
    write: (path, text) => Promise.resolve(void volumes.files.set(path, text)),
    read: (path) => Promise.resolve(volumes.files.get(path)),
    source: '/srv/site',
    missingSource: '/srv/nothing/here',
    fill: () => Promise.resolve(void (volumes.full = true)),
    close: () => Promise.resolve(),
  });
});
