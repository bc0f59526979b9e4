/** `init`: a first compose.yaml that can be deployed as it is, with what to change next beside each line. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { isName, normalizeName } from '../../../../protocols/apps/compose/files/names.ts';
import { coded } from '../../../../protocols/errors.ts';
import { usage, type Cli, type CommonOptions } from '../../cli.ts';
import { action, leaf } from '../command.ts';

interface InitOptions extends CommonOptions {
  readonly file: string;
  readonly image: string;
  readonly port: string;
}

export function initCommand(program: Command, cli: Cli): void {
  const command = leaf(program, {
    usage: 'init [name]',
    summary: 'write a first compose.yaml here; never over one that is there',
    examples: ['hivemind init', 'hivemind init shop --image nginx:1.29-alpine --port 80'],
    group: 'Deploy:',
  })
    .option('-f, --file <file>', 'where to write it', 'compose.yaml')
    .option('--image <image>', 'image of the first service', 'nginx:1.29-alpine')
    .option('--port <port>', 'port that the image listens on', '80');
  action<InitOptions>(command, cli, (options, [name]) => runInit(cli, options, name as string | undefined));
}

async function runInit(cli: Cli, options: InitOptions, given: string | undefined): Promise<number> {
  const { directory } = cli.process;
  const { shortImageName } = await import('../../../../protocols/containers/image-name.ts');
  const name = given ?? (normalizeName(directory.split('/').at(-1) ?? '') || 'app');
  if (!isName(name)) throw coded('HM-COMPOSE-NAME', `${JSON.stringify(name)} cannot be the name of an app`);
  const port = Number(options.port);
  if (!/^\d{1,5}$/.test(options.port) || port < 1 || port > 65_535)
    throw usage(`--port ${options.port} is not a port`, 'As in --port 80.');
  if (shortImageName(options.image) === undefined)
    throw coded('HM-IMAGE-NAME', `${options.image} is not the name of an image`);
  const path = join(directory, options.file);
  try {
    await writeFile(path, firstFile(name, options.image, port), { flag: 'wx' });
  } catch (thrown) {
    const { code, message } = thrown as NodeJS.ErrnoException;
    if (code === 'EEXIST')
      throw coded(
        'HM-COMPOSE-EXISTS',
        `${options.file} is there already`,
        {},
        `hivemind plan -f ${options.file}`,
      );
    throw coded('HM-COMPOSE-FILE', `${options.file}: ${message}`);
  }
  const flag = options.file === 'compose.yaml' ? '' : ` -f ${options.file}`;
  cli.print(`${options.file} is written. Next: hivemind deploy${flag}`);
  return 0;
}

/** The published port is reachable from this machine alone: a first try should open nothing to the world. */
const firstFile = (
  name: string,
  image: string,
  port: number,
): string => `# What hivemind keeps running: hivemind deploy; then hivemind ps, hivemind logs ${name}.
# Compose files of Docker work as they are. What each key means here: hivemind docs compose
name: ${name}

services:
  web:
    image: ${image}
    # Two replicas behind one port. Remove 127.0.0.1: to let other machines in.
    ports: ["127.0.0.1:8080:${port}"]
    deploy:
      replicas: 2
    restart: unless-stopped
    # environment:
    #   LOG_LEVEL: \${LOG_LEVEL:-info} # from .env beside this file, or from the shell
    # volumes: ["data:/data"]

# volumes:
#   data: {}
`;
