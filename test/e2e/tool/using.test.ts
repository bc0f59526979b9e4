/** Looking and entering, on a real node: `ps` in its forms, a shell in a real terminal, the doctor. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { getJson, missingForDaemon, startDaemon, type TestDaemon } from '../../kit/node/daemon.ts';
import { importBusybox } from '../../kit/node/images.ts';
import { openTerminal, type Terminal } from '../../kit/node/terminal.ts';

const missing = missingForDaemon();
if (missing) console.log(`skipped: ${missing}`);
const escape = '\u001b';

describe.skipIf(missing !== undefined)('using', () => {
  let daemon: TestDaemon;
  let terminal: Terminal;
  beforeAll(async () => {
    daemon = await startDaemon();
    await importBusybox(daemon);
    terminal = await openTerminal(daemon, { columns: 100, rows: 24 });
    const text =
      "name: use\nservices: { web: { image: busybox, command: [sleep, '1000'], stop_signal: SIGKILL } }\n";
    await writeFile(join(daemon.dir, 'use.yaml'), text);
    expect((await daemon.cli('deploy', '-f', 'use.yaml', '--progress', 'quiet')).code).toBe(0);
  });
  afterAll(async () => {
    await terminal?.close();
    await daemon?.end();
  });

  test('ps -o json is what the API describes; fields by name, and which there are', async () => {
    const { code, stdout } = await daemon.cli('ps', '-o', 'json');
    expect(code).toBe(0);
    const rows = JSON.parse(stdout) as unknown;
    const document = await getJson<object>(daemon.socketPath, '/v1/openapi.json');
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    ajv.addSchema(document, 'api');
    const described = ajv.compile({
      type: 'array',
      minItems: 1,
      items: { $ref: 'api#/components/schemas/SlotStatus' },
    });
    expect([described(rows), described.errors]).toEqual([true, null]);
    expect((await daemon.cli('ps', '--json')).stdout).toBe(stdout);
    expect(JSON.parse((await daemon.cli('ps', '--json', 'name,node')).stdout)).toEqual([
      { name: 'use/web.1', node: daemon.name },
    ]);
    const wrong = await daemon.cli('ps', '--json=nod');
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toMatch(/Did you mean node\? Fields: name, slot, app, .*reason,.* since/);
  });

  test('colours only where they are wanted; the header of a table goes from NAME to AGE', async () => {
    const { stdout } = await daemon.cli('ps');
    expect(stdout.split('\n')[0]).toMatch(/^NAME .* AGE$/);
    // What the terminal was sent, escapes and all: a program that records it stands between.
    const sent = async (line: string): Promise<string> => {
      expect(await terminal.run(`clear; script -qec '${line}' /dev/null | cat -v > sent`)).toBe(0);
      const { readFile } = await import('node:fs/promises');
      return (await readFile(join(daemon.dir, 'sent'), 'utf8')).replaceAll('^[', escape);
    };
    expect(await sent('hivemind ps')).toContain(`${escape}[`);
    expect(await sent('NO_COLOR=1 hivemind ps')).not.toContain(escape);
    expect(await sent('TERM=dumb hivemind ps')).not.toContain(escape);
    expect(await sent('hivemind ps --no-color')).not.toContain(escape);
    expect(await sent('TERM=dumb hivemind deploy -f use.yaml')).not.toContain(escape);
  });

  test('a shell in a terminal has its size, also after it changed, and its exit code', async () => {
    await terminal.type('clear; hivemind exec -it use/web.1 -- sh; echo "ended: $?"');
    await terminal.shows(/^(\/ )?# ?$/m);
    await terminal.type('stty size');
    await terminal.shows(/^24 100$/m);
    await terminal.resize(71, 19);
    await terminal.type('clear; stty size');
    await terminal.shows(/^19 71$/m);
    await terminal.type('exit 42');
    await terminal.shows(/^ended: 42$/m);
    expect(await terminal.run('stty -a | grep -q " echo "')).toBe(0);
  });

  test.each([
    ['a program that is not there', 127, ['nowhere']],
    ['a file that is no program', 126, ['/etc/passwd']],
    ['the exit code of the command', 42, ['sh', '-c', 'exit 42']],
  ])('exec of %s: %i', async (_what, expected, command) => {
    const { code, stderr } = await daemon.cli('exec', 'use/web.1', '--', ...command);
    expect(code).toBe(expected);
    if (expected > 100) expect(stderr).toMatch(/HM-\S+\n(.*\n)? {2}next {2}\S/);
  });

  test('doctor: 0 when all is well, 1 with the remedy when something is not; the same ids in JSON', async () => {
    const well = await daemon.cli('doctor');
    expect([well.code, well.stderr]).toEqual([0, '']);
    const ids = async (): Promise<unknown> =>
      (JSON.parse((await daemon.cli('doctor', '--json')).stdout) as { id: string }[]).map(({ id }) => id);
    const healthy = await ids();
    expect(healthy).toEqual(expect.arrayContaining(['containerd', 'store', 'disk', 'ip-forward', 'bridge']));
    process.kill(daemon.containerdPid(), 'SIGSTOP');
    const [{ code, stdout }, broken] = await Promise.all([daemon.cli('doctor'), ids()]);
    process.kill(daemon.containerdPid(), 'SIGCONT');
    expect(code).toBe(1);
    expect(stdout).toMatch(/^✗ containerd .*HM-[A-Z-]+.*\n +fix: \S/m);
    expect(broken).toEqual(healthy);
  });
});
