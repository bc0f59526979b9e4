/** `node runtime/setup/run.mjs PROGRAM ARGS…`: a program of the npm packages, which are installed first when they are missing. */
import { packageProgram, run } from './commands.mjs';
import { ensureNpmPackages } from './npm-packages.mjs';

const [program, ...args] = process.argv.slice(2);
ensureNpmPackages();
process.exitCode = await run(packageProgram(program), args);
