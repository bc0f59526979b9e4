/** `npm run states`: writes each room's STATES.md from its machines. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './sources.ts';
import { diagrams } from './states.ts';

for (const { file, text } of diagrams()) {
  writeFileSync(join(root, file), text);
  console.log(file);
}
