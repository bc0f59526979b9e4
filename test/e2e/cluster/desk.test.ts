/**
 * The cluster on a desk, for real: namespaces, links, packets, daemons and containers of this machine. The faults do what
 * they are called, and nothing is left when it goes, however the command before ended.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { reasonOf } from '../../../protocols/errors.ts';
import { crash, cut, freeze, heal, kill, move, start, stop, thaw, wipe } from '../../../runtime/desk/desk.ts';
import { losePackets, readFaults } from '../../../runtime/desk/faults.ts';
import { processesOf } from '../../../runtime/desk/processes.ts';
import { statusOf } from '../../../runtime/desk/status.ts';
import { arriving } from '../../kit/cluster/packets.ts';
import { testDesk, tracesOf, type TestDesk } from '../../kit/cluster/desk.ts';
import { missingForDaemon } from '../../kit/node/daemon.ts';
import { importBusybox } from '../../kit/node/images.ts';
import { findProcesses } from '../../kit/node/processes.ts';
import { until } from '../../kit/until.ts';

const missing = missingForDaemon();
if (missing) console.log(`skipped: ${missing}`);
const run = promisify(execFile);
const root = resolve(import.meta.dirname, '../../..');

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (thrown: unknown) => reasonOf(thrown).code,
  );

describe.skipIf(missing !== undefined)('a desk of three nodes', () => {
  let desk: TestDesk;
  let addresses: readonly string[];
  const passes = (from: number, to: number, count: number): Promise<number> =>
    arriving(desk.nodes[from - 1]!, desk.nodes[to - 1]!, addresses[to - 1]!, count);
  const named = (...numbers: number[]): string =>
    numbers.map((number) => desk.nodes[number - 1]!.name).join(',');
  const stateOf = async (number: number): Promise<string> =>
    (await statusOf(desk.name)).nodes[number - 1]!.state;

  beforeAll(async () => {
    desk = await testDesk();
    expect(await tracesOf(desk.name)).toEqual([]);
    await desk.up({ count: 3, runtime: 'containerd' });
    addresses = (await statusOf(desk.name)).nodes.map(({ address }) => address);
  });
  afterAll(async () => {
    await desk?.end();
    expect(await tracesOf(desk.name)).toEqual([]);
  });

  test('the tool finds the first node by itself and the others by name', async () => {
    const asked = await desk.cli('version', '--json');
    expect([asked.code, asked.stderr]).toEqual([0, '']);
    expect(asked.stdout).toContain(`"${named(1)}"`);
    const other = await desk.cli('version', '--json', '--context', named(3));
    expect(other.stdout).toContain(`"${named(3)}"`);
  });

  test('packets pass; a cut ends them in both directions, one-way in one, and healing brings them back', async () => {
    expect(await passes(1, 2, 20)).toBe(20);
    await cut(desk.name, named(1), named(2), false);
    expect([await passes(1, 2, 20), await passes(2, 1, 20), await passes(1, 3, 20)]).toEqual([0, 0, 20]);
    await heal(desk.name);
    await cut(desk.name, named(1), named(2, 3), true);
    expect([await passes(1, 2, 20), await passes(2, 1, 20), await passes(1, 3, 20)]).toEqual([0, 20, 0]);
    const { cuts } = await readFaults(desk.name, desk.nodes);
    const told = cuts.map(({ from, to, dropped }) => `${from} ${to} ${dropped >= 20}`);
    expect(told.sort()).toEqual([`${named(1)} ${named(2)} true`, `${named(1)} ${named(3)} true`]);
    await heal(desk.name);
    expect([await passes(1, 2, 20), await passes(1, 3, 20)]).toEqual([20, 20]);
  });

  test('of all packets the share is lost that was asked for', async () => {
    await losePackets(desk.name, 50);
    // Six standard deviations of 400 throws: what is beyond comes once in a thousand million runs.
    const arrived = await passes(1, 2, 400);
    expect(arrived).toBeGreaterThan(140);
    expect(arrived).toBeLessThan(260);
    const { loss } = await readFaults(desk.name, desk.nodes);
    await losePackets(desk.name, 0);
    // The nodes' own packets are among them.
    expect([loss!.percent, loss!.dropped >= 400 - arrived]).toEqual([50, true]);
    expect(await passes(1, 2, 20)).toBe(20);
  });

  test('crashed: containers run on and are adopted; killed: nothing of it runs, and all of it comes back', async () => {
    const [first] = desk.nodes;
    await importBusybox({ dir: desk.dir, socketPath: first!.socketPath });
    const file = join(desk.dir, 'compose.yaml');
    await writeFile(
      file,
      'name: shop\nservices:\n  web:\n    image: busybox:latest\n    command: sleep 1000\n    restart: always\n',
    );
    const deployed = await desk.cli('deploy', '-f', file, '--context', first!.name);
    expect([deployed.code, deployed.stderr]).toEqual([0, expect.any(String)]);
    const [pid] = findProcesses(first!, 'shop/web.1');
    expect(pid).toBeGreaterThan(0);

    await crash(desk.name, first!.name);
    expect(await stateOf(1)).toBe('crashed');
    await start(desk.name, first!.name);
    expect(await stateOf(1)).toBe('ready');
    expect(findProcesses(first!, 'shop/web.1')).toEqual([pid]);

    await kill(desk.name, first!.name);
    expect(await processesOf(first!)).toEqual([]);
    expect(await stateOf(1)).toBe('gone');
    expect(await stateOf(2)).toBe('ready');
    expect(await heal(desk.name)).toEqual([first!.name]);
    const again = await until('it runs again', () => findProcesses(first!, 'shop/web.1')[0]);
    expect(again).not.toBe(pid);
  });

  test('moved: it is ready at another address, and the others find its containers’ network there', async () => {
    const [, second] = desk.nodes;
    await move(desk.name, second!.name);
    const { address } = (await statusOf(desk.name)).nodes[1]!;
    expect(address).not.toBe(addresses[1]);
    expect(await stateOf(2)).toBe('ready');
    expect(await arriving(desk.nodes[0]!, second!, address, 20)).toBe(20);
    // The bridge of its containers, which the host reaches through the node.
    const route = await run('ip', ['route', 'get', address.replace(/\.0\.\d+$/, '.130.1')]);
    expect(route.stdout).toContain(`via ${address} `);
  });

  test('stopped: it starts again, and no disk is taken from one that runs', async () => {
    const [, second] = desk.nodes;
    expect(await codeOf(wipe(desk.name, second!.name))).toBe('HM-DESK-NODE');
    await stop(desk.name, second!.name);
    expect(await stateOf(2)).toBe('gone');
    await start(desk.name, second!.name);
    expect(await stateOf(2)).toBe('ready');
  });

  test('frozen: it stands still until it is thawed', async () => {
    const [, second] = desk.nodes;
    await freeze(desk.name, second!.name);
    expect(new Set((await processesOf(second!)).map(({ state }) => state))).toEqual(new Set(['T']));
    expect(await stateOf(2)).toBe('frozen');
    await thaw(desk.name, second!.name);
    await until('it answers', async () => (await stateOf(2)) === 'ready');
  });

  test('what cannot be done is refused with a code', async () => {
    const { name } = desk;
    expect({
      unknown: await codeOf(crash(name, 'nobody')),
      both: await codeOf(cut(name, named(1, 2), named(2), false)),
      running: await codeOf(start(name, named(1))),
      second: await codeOf(desk.up({ count: 2, runtime: 'process' })),
      many: await codeOf(desk.up({ count: 1_000, runtime: 'process' })),
    }).toEqual({
      unknown: 'HM-DESK-NODE',
      both: 'HM-DESK-NODE',
      running: 'HM-DESK-NODE',
      second: 'HM-DESK-STATE',
      many: 'HM-DESK-NODE',
    });
    expect(await stateOf(1)).toBe('ready');
  });
});

describe.skipIf(missing !== undefined)('a command that is killed in the middle', () => {
  test.each([
    ['while it makes the network', 'containerd'],
    ['while nodes start', 'is ready'],
  ])('%s: the next one says so, and down leaves nothing', async (_, line) => {
    const desk = await testDesk();
    try {
      const program = join(root, 'node_modules', '.bin', 'tsx');
      const args = ['runtime/desk/main.ts', '3', '--desk', desk.name.tag];
      const making = spawn(program, args, {
        cwd: root,
        // A group of its own: tsx has a child, and both are to die.
        detached: true,
        stdio: ['ignore', 'ignore', 'pipe'],
        env: { ...process.env, HOME: desk.dir, XDG_CONFIG_HOME: '' },
      });
      let said = '';
      making.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
      await until(`it says "${line}"`, () => {
        if (making.exitCode !== null) throw new Error(said);
        return said.includes(line);
      });
      process.kill(-making.pid!, 'SIGKILL');
      await once(making, 'exit');
      expect((await tracesOf(desk.name)).length).toBeGreaterThan(0);
      expect(await codeOf(desk.up({ count: 3, runtime: 'process' }))).toBe('HM-DESK-STATE');
      expect(await desk.down()).toBe(true);
      expect(await tracesOf(desk.name)).toEqual([]);
      expect(await desk.down()).toBe(false);
    } finally {
      await desk.end();
    }
  });
});

describe.skipIf(missing !== undefined)('a desk whose folder somebody removed', () => {
  test('is found by its names, and goes whole', async () => {
    const desk = await testDesk();
    try {
      await desk.up({ count: 1, runtime: 'containerd' });
      await rm(desk.name.folder, { recursive: true, force: true });
      expect(await codeOf(desk.up({ count: 1, runtime: 'process' }))).toBe('HM-DESK-STATE');
      expect(await desk.down()).toBe(true);
      expect(await tracesOf(desk.name)).toEqual([]);
    } finally {
      await desk.end();
    }
  });
});
