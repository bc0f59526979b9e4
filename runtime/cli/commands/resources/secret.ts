/** Secrets: `secret set|ls|rotate|rm|rekey`. A value comes from a file or standard input, never from the command line, where others see it. */
import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Readable } from 'node:stream';
import type { Command } from 'commander';
import { coded, CodedError } from '../../../../protocols/errors.ts';
import { limits } from '../../../../protocols/limits.ts';
import type { SecretView } from '../../../../protocols/security/model.ts';
import { tooLargeSecret } from '../../../../protocols/security/secrets.ts';
import type { Cli, CommonOptions } from '../../cli.ts';
import { exitCodes } from '../../failure.ts';
import { printListing, type Listing } from '../../output/listing.ts';
import { age, bytes } from '../../output/units.ts';
import { forEach } from '../each.ts';
import { action, leaf } from '../command.ts';

type ValueOptions = CommonOptions & { readonly file?: string };

export function secretCommands(program: Command, cli: Cli): void {
  const secret = program
    .command('secret')
    .description('secrets of the node, sealed in its store')
    .helpGroup('Resources:');

  const set = leaf(secret, {
    usage: 'set <name>',
    summary: 'set a secret from a file or standard input, byte by byte',
    examples: [
      'hivemind secret set db-password --file password.txt',
      'printf %s "$PASSWORD" | hivemind secret set db-password',
    ],
  }).option('--file <file>', 'file with the value; - is standard input');
  action(set, cli, (options: ValueOptions, [name]) => give(cli, 'PUT', String(name), options.file));

  const ls = leaf(secret, {
    usage: 'ls',
    summary: 'list secrets: names and versions, never values',
    examples: ['hivemind secret ls', 'hivemind secret ls -o wide'],
    forms: true,
    watch: true,
  });
  action(ls, cli, async () => printListing(cli, listing(cli), () => list(cli)));

  const rotate = leaf(secret, {
    usage: 'rotate <name>',
    summary: 'give a secret another value; services that use it follow',
    examples: ['hivemind secret rotate db-password --file new-password.txt'],
  }).option('--file <file>', 'file with the new value; - is standard input');
  action(rotate, cli, (options: ValueOptions, [name]) => give(cli, 'POST', String(name), options.file));

  const rm = leaf(secret, {
    usage: 'rm <name...>',
    summary: 'remove secrets that no app uses',
    examples: ['hivemind secret rm db-password'],
  });
  action(rm, cli, (_options, [names]) => removeSecrets(cli, [names].flat() as string[]));

  const rekey = leaf(secret, {
    usage: 'rekey',
    summary: 'seal all secrets under a new key; no value changes, nothing restarts',
    examples: ['hivemind secret rekey'],
  });
  action(rekey, cli, async () => {
    const client = await cli.client();
    const { keyId, rewrapped } = await client.send<{ keyId: string; rewrapped: number }>(
      'POST',
      '/v1/secrets/rekey',
    );
    cli.print(`${rewrapped} sealed value${rewrapped === 1 ? ' is' : 's are'} under the new key ${keyId}`);
    return exitCodes.ok;
  });
}

async function give(
  cli: Cli,
  method: 'PUT' | 'POST',
  name: string,
  file: string | undefined,
): Promise<number> {
  const content = await valueFrom(cli, file);
  const client = await cli.client();
  const path = `/v1/secrets/${encodeURIComponent(name)}${method === 'POST' ? '/rotate' : ''}`;
  const answer = await client.put<{ version: number; changed: boolean }>(method, path, content);
  cli.print(
    answer.changed
      ? `${name} is at version ${answer.version}`
      : `${name} has this value already (version ${answer.version})`,
  );
  return exitCodes.ok;
}

async function valueFrom(cli: Cli, file: string | undefined): Promise<Uint8Array> {
  const fromInput = file === undefined || file === '-';
  if (fromInput && cli.process.stdin.isTTY === true)
    throw coded(
      'HM-CLI-USAGE',
      'The value is missing',
      {},
      'Name a file with --file, or pipe the value in: printf %s "$VALUE" | hivemind secret set NAME',
    );
  const content = fromInput
    ? await gather(cli.process.stdin)
    : await readFrom(resolve(cli.process.directory, file), file);
  if (content.length === 0)
    throw coded('HM-CLI-USAGE', 'The value is empty', {}, 'Check the file or the pipe.');
  return content;
}

async function readFrom(path: string, shown: string): Promise<Uint8Array> {
  const file = await open(path, 'r').catch((thrown: NodeJS.ErrnoException) => {
    throw coded('HM-CLI-USAGE', `${shown} cannot be read: ${thrown.code}`, { path });
  });
  try {
    return await gather(file.createReadStream({ autoClose: false }));
  } finally {
    await file.close();
  }
}

async function gather(input: Readable): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of input as AsyncIterable<Buffer | string>) {
    const part = Buffer.from(chunk as Buffer);
    size += part.length;
    if (size > limits.secretBytes) throw new CodedError(tooLargeSecret(size));
    chunks.push(part);
  }
  return Buffer.concat(chunks);
}

async function removeSecrets(cli: Cli, names: readonly string[]): Promise<number> {
  const client = await cli.client();
  const remove = (name: string) => client.send('DELETE', `/v1/secrets/${encodeURIComponent(name)}`);
  return forEach(cli, names, remove, (name) => `${name} is removed`);
}

const list = async (cli: Cli): Promise<readonly SecretView[]> =>
  (await (await cli.client()).get<{ secrets: readonly SecretView[] }>('/v1/secrets')).secrets;

function listing(cli: Cli): Listing<SecretView> {
  const present = (secret: SecretView) => secret.versions.at(-1);
  return {
    name: (secret) => secret.name,
    fields: ['name', 'version', 'versions', 'usedBy'],
    empty: 'No secrets. Next: hivemind secret set NAME --file FILE',
    columns: [
      { title: 'NAME', cell: (secret) => secret.name },
      { title: 'VERSION', cell: (secret) => String(secret.version) },
      { title: 'SIZE', cell: (secret) => bytes(present(secret)?.sizeBytes ?? 0), wide: true },
      { title: 'USED BY', cell: (secret) => secret.usedBy.join(', ') || '-' },
      { title: 'AGE', cell: (secret) => age(cli.now() - (present(secret)?.createdAt ?? cli.now())) },
    ],
  };
}
