/** `hivemind run` on a real node: output and exit codes pass through, what ends is not restarted, what is left is what was asked. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { missingForDaemon, startDaemon, type CliResult, type TestDaemon } from '../kit/node/daemon.ts';
import { importBusybox } from '../kit/node/images.ts';
import { until } from '../kit/until.ts';

const missing = missingForDaemon();
if (missing) console.log(`skipped: ${missing}`);

describe.skipIf(missing !== undefined)('hivemind run', () => {
  let daemon: TestDaemon;
  beforeAll(async () => {
    daemon = await startDaemon();
    await importBusybox(daemon);
  });
  afterAll(() => daemon?.end());

  const run = (...args: string[]): Promise<CliResult> => daemon.cli('run', ...args);
  const apps = async (): Promise<string> => (await daemon.cli('ls', '-o', 'name')).stdout;
  const gone = (name: string): Promise<unknown> =>
    until(`${name} is gone`, async () => !(await apps()).includes(name));

  test('every line of output, each to its own stream, and the exit code', async () => {
    const script = 'i=0; while [ $i -lt 500 ]; do i=$((i+1)); echo line $i; done; echo bad >&2; exit 7';
    const { code, stdout, stderr } = await run(
      '--rm',
      '--name',
      'seven',
      'busybox',
      '--',
      'sh',
      '-c',
      script,
    );
    expect(code).toBe(7);
    expect(stdout).toBe(Array.from({ length: 500 }, (_, i) => `line ${i + 1}\n`).join(''));
    expect(stderr).toBe('bad\n');
    await gone('seven');
  });

  test('variables and volumes; without --rm it stays, done', async () => {
    const { code, stdout } = await run(
      ...['--name', 'kept', '-e', 'WHO=world', '-v', 'data:/data'],
      ...['busybox', '--', 'sh', '-c', 'echo "hello $WHO" > /data/x; cat /data/x'],
    );
    expect([code, stdout]).toEqual([0, 'hello world\n']);
    expect((await daemon.app('kept')).slots[0]?.status?.phase).toBe('completed');
    const again = await run('--name', 'kept', 'busybox', '--', 'true');
    expect(again.code).toBe(125);
    expect(again.stderr).toContain('HM-APP-CONFLICT');
  });

  test.each([
    ['no such command', 127, ['busybox', '--', 'nowhere'], 'HM-CONTAINER-COMMAND'],
    ['a folder as command', 126, ['busybox', '--', '/etc'], 'HM-CONTAINER-COMMAND'],
    ['an option that cannot be read', 125, ['-p', 'x', 'busybox'], 'HM-COMPOSE-TYPE'],
  ])('%s: %i, and nothing is left', async (_what, code, args, reason) => {
    const name = `never${code}`;
    const result = await run('--name', name, ...args);
    expect(result.stderr).toContain(reason);
    expect(result.code).toBe(code);
    await gone(name);
  });

  test('detached it goes on, and is a service where it is to be restarted', async () => {
    const { code, stdout } = await run(
      ...['-d', '--name', 'service', '--restart', 'always', 'busybox', '--'],
      ...['sh', '-c', 'trap "exit 0" TERM; sleep 1000 & wait'],
    );
    expect([code, stdout]).toEqual([0, 'service\n']);
    await daemon.converged('service');
    expect((await daemon.cli('rm', '-y', 'service')).code).toBe(0);
  });
});
