/** The simulated machine's granted files under their conformance suite. */
import { MemoryGrants } from '../../../runtime/drivers/grants/memory-grants.ts';
import { grantFilesConformance, movableClock } from './suite.ts';

grantFilesConformance('memory', (unseal) => {
  const { clock, age } = movableClock();
  const grants = new MemoryGrants(clock, unseal);
  return Promise.resolve({
    grants,
    again: () => grants,
    see: (source, below) => {
      const [, , id = '', ...path] = source.split('/');
      const file = grants.runs.get(id)?.files.get([...path, ...(below === '' ? [] : [below])].join('/'));
      return Promise.resolve(
        file && {
          text: Buffer.from(file.content).toString(),
          mode: file.mode,
          uid: file.uid,
          gid: file.gid,
        },
      );
    },
    holders: () => Promise.resolve([...grants.runs.keys()].sort()),
    age,
    close: () => Promise.resolve(),
  });
});
