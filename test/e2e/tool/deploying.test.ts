/**
 * Deploying as a person at a terminal and as a script see it, on a real node: help and mistyped commands, plans, twenty
 * rows for many replicas, what does not fit on the machine, and Ctrl-C in the middle.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { reasonView, slotStatus } from '../../../runtime/api/schemas/views.ts';
import { missingForDaemon, startDaemon, type TestDaemon } from '../../kit/node/daemon.ts';
import { importBusybox } from '../../kit/node/images.ts';
import { openTerminal, type Terminal } from '../../kit/node/terminal.ts';

const missing = missingForDaemon();
if (missing) console.log(`skipped: ${missing}`);

describe.skipIf(missing !== undefined)('deploying', () => {
  let daemon: TestDaemon;
  let terminal: Terminal;
  beforeAll(async () => {
    daemon = await startDaemon();
    await importBusybox(daemon);
    terminal = await openTerminal(daemon, { columns: 80, rows: 24 });
  });
  afterAll(async () => {
    await terminal?.close();
    await daemon?.end();
  });

  /** The whole of a service in a line. */
  const compose = async (name: string, service: string): Promise<string> => {
    const file = `${name}.yaml`;
    await writeFile(join(daemon.dir, file), `name: ${name}\nservices:\n  web: ${service}\n`);
    return file;
  };
  const sleeper = (more: string): string => `{ image: busybox, command: [sleep, '1000'], ${more} }`;

  test.each([
    [[], 0, 'Start here:', ''],
    [['-h'], 0, 'Start here:', ''],
    [['dploy'], 2, '', 'Did you mean deploy?'],
    [['ps', '--bogus'], 2, '', "unknown option '--bogus'"],
  ])('hivemind %j: exit %i', async (args, code, stdout, stderr) => {
    const result = await daemon.cli(...args);
    expect(result.code).toBe(code);
    expect(result.stdout).toContain(stdout);
    expect(result.stderr).toContain(stderr);
    if (code === 2) expect(result.stdout).toBe('');
  });

  test('plan: 10 with the fields that changed and nothing done, 0 when all is as planned, 5 when the world moved', async () => {
    const plan = async (...more: string[]) => daemon.cli('plan', '-f', 'planned.yaml', ...more);
    await compose('planned', sleeper('stop_signal: SIGKILL, environment: { LEVEL: info }'));
    expect(await plan('--exit-code')).toMatchObject({ code: 10, stdout: expect.stringContaining('create') });
    expect((await daemon.cli('ls', '-o', 'name')).stdout).not.toContain('planned');
    expect((await daemon.cli('deploy', '-f', 'planned.yaml')).code).toBe(0);
    expect(await plan('--exit-code')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('up to date'),
    });

    await compose('planned', sleeper('stop_signal: SIGKILL, environment: { LEVEL: debug }'));
    const { code, stdout } = await plan('--exit-code');
    expect(code).toBe(10);
    expect(stdout).toMatch(/env\.LEVEL.*info.*debug/);
    expect((await daemon.app('planned')).revision).toBe(1);
    const [, shown = ''] = /^.*hivemind (deploy .*--plan \S+)$/m.exec(stdout) ?? [];
    expect((await daemon.cli('scale', 'planned/web=2')).code).toBe(0);
    const stale = await daemon.cli(...shown.split(' '));
    expect(stale).toMatchObject({ code: 5, stderr: expect.stringContaining('HM-PLAN-STALE') });
    expect((await daemon.app('planned')).revision).toBe(1);
    const [, again = ''] = /^.*hivemind (deploy .*--plan \S+)$/m.exec((await plan()).stdout) ?? [];
    expect(await daemon.cli(...again.split(' '))).toMatchObject({ code: 0 });
    expect((await plan('--exit-code')).code).toBe(0);
    expect((await daemon.cli('rm', '-y', 'planned')).code).toBe(0);
  });

  test('25 replicas in 80 columns and 24 rows: nothing scrolls, wraps or hides the cursor', async () => {
    await compose('many', sleeper('stop_signal: SIGKILL, deploy: { replicas: 25 }'));
    expect(await terminal.run('clear; hivemind deploy -f many.yaml', 120_000)).toBe(0);
    const rows = await terminal.rows();
    expect(rows.join('\n')).toMatch(/25\/25 ready/);
    expect(rows.filter((row) => row.includes('many/web.')).length).toBeLessThanOrEqual(20);
    expect(await terminal.state()).toEqual({ cursor: true, scrolled: 0, wrapped: 0 });
  });

  test('in a pipe: lines without escapes; for programs: objects of the API, one a line', async () => {
    await compose('many', sleeper('stop_signal: SIGKILL, deploy: { replicas: 3 }'));
    const piped = await daemon.cli('deploy', '-f', 'many.yaml');
    expect(piped.code).toBe(0);
    expect(piped.stdout + piped.stderr).not.toContain('\u001b[');
    expect(piped.stdout).toContain('3/3 ready');

    await compose('many', sleeper('stop_signal: SIGKILL, environment: { A: b }, deploy: { replicas: 3 }'));
    const { code, stdout } = await daemon.cli('deploy', '-f', 'many.yaml', '--progress', 'json');
    expect(code).toBe(0);
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const slot = slotStatus as unknown as z.ZodObject;
    const { slot: name, node, phase, readiness, restarts, revision } = slot.shape;
    const line = z.discriminatedUnion('type', [
      z.strictObject({
        type: z.literal('slot.changed'),
        at: z.int(),
        slot: name!,
        node: node!.optional(),
        phase: z.union([phase!, z.literal('pending')]),
        readiness: readiness!.optional(),
        settled: z.boolean(),
        revision: revision!.optional(),
        restarts: restarts!.optional(),
        reason: reasonView.optional(),
      }),
      z.strictObject({ type: z.literal('note'), at: z.int(), text: z.string() }),
      z.strictObject({
        type: z.literal('done'),
        at: z.int(),
        text: z.string(),
        app: z.literal('many'),
        revision: z.literal(3),
      }),
    ]);
    for (const each of lines) expect(line.safeParse(each)).toEqual({ success: true, data: each });
    expect(lines.length).toBeGreaterThan(3);
    expect(lines.at(-1)).toMatchObject({ type: 'done' });
    expect((await daemon.cli('rm', '-y', 'many')).code).toBe(0);
  });

  test('more memory than the machine has: exit 6 with the figures, and nothing is deployed', async () => {
    const file = await compose('big', sleeper('deploy: { resources: { reservations: { memory: 1000g } } }'));
    const { code, stdout, stderr } = await daemon.cli('deploy', '-f', file);
    expect([code, stdout]).toEqual([6, '']);
    expect(stderr).toContain('HM-NODE-CAPACITY');
    expect(stderr).toMatch(/The node has \d+ MiB.*web reserves 1024000 MiB × 1/);
    expect((await daemon.cli('ls', '-o', 'name')).stdout).not.toContain('big');
  });

  test('Ctrl-C in the middle: 130, how to look again, and the node goes on to the end', async () => {
    const health = `{ test: [CMD, /bin/busybox, test, -e, /tmp/go], interval: 500ms, start_period: 60s, start_interval: 500ms }`;
    await compose('slow', sleeper(`stop_signal: SIGKILL, healthcheck: ${health}`));
    await terminal.type('clear; hivemind deploy -f slow.yaml; echo "ended: $?"');
    await terminal.shows(/slow\/web\.1 .*running, starting/);
    await terminal.press('C-c');
    await terminal.shows(/^ended: 130$/m);
    const screen = (await terminal.rows()).join('\n');
    const [, next = ''] = /Follow: (hivemind .*)$/m.exec(screen) ?? [];
    expect((await daemon.app('slow')).converged).toBe(false);
    await terminal.type(`clear; ${next}`);
    await terminal.shows(/slow\/web\.1 .*starting/);
    expect((await daemon.cli('exec', 'slow/web.1', '--', '/bin/busybox', 'touch', '/tmp/go')).code).toBe(0);
    await terminal.shows(/slow\/web\.1 .*running +ready/);
    await terminal.press('C-c');
    expect((await daemon.app('slow')).converged).toBe(true);
    expect(await terminal.run('clear')).toBe(0);
    expect((await terminal.state()).cursor).toBe(true);
  });
});
