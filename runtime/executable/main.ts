/**
 * Both programs as one file that needs no Node: called `hivemind-node` it is the daemon, by any other name the tool.
 * `runtime/setup/package.mjs` makes it.
 */
import { basename } from 'node:path';

if (basename(process.argv0) === 'hivemind-node') void import('../hivemind-node.ts');
else void import('../hivemind.ts');
