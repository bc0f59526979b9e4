/**
 * npm asks for this of every folder that it installs. Into the machine (`npm install -g .`), and at the first
 * `npx hivemind` here, it makes links to programs: they are built first, as npm links nothing that is not there, and
 * never looks again. In all other cases nothing is done.
 */
if (process.env['npm_config_global'] === 'true' || process.env['npm_command'] === 'exec') {
  // What is set up in this folder itself is not meant for the machine.
  for (const name of ['global', 'location', 'global_prefix', 'local_prefix', 'prefix'])
    delete process.env[`npm_config_${name}`];
  const { ensureNpmPackages } = await import('./npm-packages.mjs');
  const { build } = await import('./build.mjs');
  ensureNpmPackages();
  await build();
}
