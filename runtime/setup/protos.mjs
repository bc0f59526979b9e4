/** `npm run protos`: the TypeScript of our .proto files, made anew. The result is committed. */
import { join } from 'node:path';
import { packageProgram, root, run } from './commands.mjs';
import { ensureNpmPackages } from './npm-packages.mjs';

const folder = join(root, 'runtime', 'drivers', 'container', 'containerd');

ensureNpmPackages();
const path = `${join(root, 'node_modules', '.bin')}:${process.env.PATH}`;
process.exitCode = await run(packageProgram('buf'), ['generate'], {
  cwd: folder,
  env: { ...process.env, PATH: path },
});
