/** The hello app on a node that runs: its images are built where they are missing, and brought to it. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gather, root, run, say } from './commands.mjs';

const bundle = (name) => join(root, 'dist', `${name}.js`);

/** `environment` says which node; false when it could not be done, which was said. */
export async function deployHello(environment) {
  const { buildHelloImages } = await import(pathToFileURL(bundle('build-hello')).href);
  const { archives } = await buildHelloImages({
    imagesDir: join(root, '.cache', 'images'),
    contentDir: join(root, 'examples', 'hello', 'web'),
    progress: (line) => say(line),
  });
  const options = { env: { ...process.env, ...environment } };
  const cli = (...args) => [process.execPath, [bundle('hivemind'), ...args], options];
  for (const archive of archives) {
    const { code, output } = gather(...cli('image', 'import', archive));
    if (code !== 0) {
      say(output.trim());
      return false;
    }
  }
  return (await run(...cli('deploy', '-f', join(root, 'examples', 'hello', 'compose.yaml')))) === 0;
}
