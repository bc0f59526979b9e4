/** The simulated machine's keys under the secret box's conformance suite. */
import { MemoryKeys } from '../../../runtime/drivers/secrets/key-ring.ts';
import { createSecretBox } from '../../../runtime/drivers/secrets/secret-box.ts';
import { seededRandom } from '../../../runtime/world/seeded-random.ts';
import { secretBoxConformance } from './suite.ts';

secretBoxConformance('memory', () => {
  const storage = new MemoryKeys();
  const random = seededRandom(7);
  return Promise.resolve({
    open: (store) => createSecretBox({ storage, random, store: () => store }),
    loseKeys: () => Promise.resolve(void (storage.ring = undefined)),
    kept: () => Promise.resolve(''),
    close: () => Promise.resolve(),
  });
});
