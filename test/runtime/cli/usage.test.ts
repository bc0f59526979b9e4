/** The command tree itself: help, suggestions, exit codes of wrong command lines. */
import type { Command } from 'commander';
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { Cli, type CliProcess } from '../../../runtime/cli/cli.ts';
import { connectionLast, declare, settleJson } from '../../../runtime/cli/main.ts';
import { run } from './kit/run.ts';

function leaves(command: Command): Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
}

const program = declare(new Cli({ version: '0', stdout: new PassThrough() } as unknown as CliProcess));

function path(command: Command): string[] {
  return command.parent ? [...path(command.parent), command.name()] : [];
}

test.each(
  leaves(program)
    .filter((command) => command.name() !== 'help')
    .map(path),
)('help of %s %s has an example that names it', async (...names) => {
  const words = names.filter((name) => name !== undefined);
  const { code, stdout } = await run([...words, '--help']);
  expect(code).toBe(0);
  const examples = stdout.slice(stdout.indexOf('Examples:'));
  expect(examples).toContain(`hivemind ${words.join(' ')}`);
});

test('no command: help on stdout, exit 0', async () => {
  const { code, stdout, stderr } = await run([]);
  expect(code).toBe(0);
  expect(stdout).toContain('Deploy:');
  expect(stdout).toContain('Start here:');
  expect(stderr).toBe('');
});

test.each([
  [['dploy'], "unknown command 'dploy'", 'Did you mean deploy?'],
  [['ps', '--bogus'], "unknown option '--bogus'", 'hivemind ps --help'],
  [['ps', '--wath'], "unknown option '--wath'", 'Did you mean --watch?'],
  [['status'], "missing required argument 'app'", 'hivemind status --help'],
  [['image'], 'A command is missing', 'hivemind image --help'],
  [['node', 'rtt', 'n2'], "too many arguments for 'rtt'", 'hivemind node rtt --help'],
  [['cluster', 'token', 'ls', '--all'], "unknown option '--all'", 'hivemind cluster token ls --help'],
  [['exec', 'shop/web.1', 'ls', '-l'], "unknown option '-l'", 'Write -- before the command'],
  [['deploy', '--timeout', 'soon'], '--timeout soon is not a duration', 'As in 90s or 5m.'],
  [['run', '--rm', '-d', 'i'], '--rm needs somebody who waits for the end', 'Leave out --rm or --detach.'],
  [['run', '--restart', 'always', 'i'], 'What is restarted has no end to wait for', 'Add --detach.'],
  [['deploy', '--progress', 'loud'], '--progress loud is not known', 'auto, tty, plain, json, quiet'],
  [['ps', '--address', 'not an address'], 'not an address is not an address', 'As in 127.0.0.1:4483'],
])('%j is a usage error', async (args, message, hint) => {
  const { code, stdout, stderr } = await run(args);
  expect(code).toBe(2);
  expect(stdout).toBe('');
  expect(stderr).toContain(message);
  expect(stderr).toContain('HM-CLI-USAGE');
  expect(stderr).toContain(hint);
});

test('where to ask may stand before the command, as in other tools', () => {
  expect(connectionLast(['--context', 'n2', '--no-color', 'node', 'ls', '-w'])).toEqual(
    'node ls -w --context n2 --no-color'.split(' '),
  );
  expect(connectionLast(['--address=a:1', 'exec', 'web.1', '--', 'ls'])).toEqual(
    'exec web.1 --address=a:1 -- ls'.split(' '),
  );
  for (const args of [[], ['ps', '--context', 'n2'], ['--help'], ['--version', '--context', 'n2']])
    expect(connectionLast(args)).toEqual(args);
});

test('--json never swallows a target', () => {
  expect(settleJson(['ps', '--json', 'shop'])).toEqual(['ps', '--json=', 'shop']);
  expect(settleJson(['ps', '--json', 'slot,node'])).toEqual(['ps', '--json=slot,node']);
  expect(settleJson(['ps', '--json=slot'])).toEqual(['ps', '--json=slot']);
  expect(settleJson(['exec', 'a', '--', 'x', '--json'])).toEqual(['exec', 'a', '--', 'x', '--json']);
});
