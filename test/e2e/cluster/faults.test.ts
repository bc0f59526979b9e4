/**
 * Every command of `npm run cluster`, as a person types it: what it says, and what is so on the machine afterwards. That a
 * cut cuts and what nodes make of each fault is tested beside it.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readFaults } from '../../../runtime/desk/faults.ts';
import { nodesOf, type DeskNode } from '../../../runtime/desk/names.ts';
import { processesOf } from '../../../runtime/desk/processes.ts';
import { statusOf } from '../../../runtime/desk/status.ts';
import { testDesk, tracesOf, type TestDesk } from '../../kit/cluster/desk.ts';
import { missingForDaemon, type CliResult } from '../../kit/node/daemon.ts';
import { until } from '../../kit/until.ts';

const missing = missingForDaemon();
if (missing) console.log(`skipped: ${missing}`);
const root = resolve(import.meta.dirname, '../../..');

describe.skipIf(missing !== undefined)('npm run cluster', () => {
  let desk: TestDesk;
  let nodes: readonly DeskNode[];
  /** `n1`, `n2`, `n3` stand for the nodes of this desk. */
  const typed = (line: string): Promise<CliResult> => {
    const words = line
      .split(' ')
      .map((word) => word.replace(/\bn([123])\b/g, (_, at) => nodes[Number(at) - 1]!.name));
    const argv = [join(root, 'runtime/desk/main.ts'), ...words, '--desk', desk.name.tag];
    const options = { cwd: root, env: { ...desk.environment, XDG_CONFIG_HOME: '' }, timeout: 120_000 };
    return new Promise((done) => {
      execFile(process.execPath, ['--import', 'tsx', ...argv], options, (error, stdout, stderr) => {
        done({ code: error ? (typeof error.code === 'number' ? error.code : 255) : 0, stdout, stderr });
      });
    });
  };
  /** What it says, with these names again. */
  const said = async (line: string): Promise<string> => {
    const { code, stdout, stderr } = await typed(line);
    if (code !== 0) throw new Error(`${line}: ${code} ${stderr}`);
    return nodes.reduce((text, { name, number }) => text.replaceAll(name, `n${number}`), stdout.trim());
  };
  const states = async (): Promise<string> =>
    (await statusOf(desk.name)).nodes.map(({ state }) => state).join(' ');
  const cuts = async (): Promise<string[]> => {
    const shortOf = (name: string): string => `n${nodes.find((node) => node.name === name)!.number}`;
    const { cuts: all } = await readFaults(desk.name, nodes);
    return all.map(({ from, to }) => `${shortOf(from)} ${shortOf(to)}`).sort();
  };

  beforeAll(async () => {
    desk = await testDesk();
    nodes = nodesOf(desk.name, 3);
    const made = await typed('3 --runtime process');
    expect([made.code, made.stdout]).toEqual([0, expect.stringContaining('npx hivemind node ls')]);
    expect(await states()).toBe('ready ready ready');
  });
  afterAll(async () => {
    await desk?.end();
    expect(await tracesOf(desk.name)).toEqual([]);
  });

  test('cut and cut --one-way, and heal', async () => {
    expect(await said('cut n1 n2')).toBe('n1 and n2 reach each other no more');
    expect(await cuts()).toEqual(['n1 n2', 'n2 n1']);
    expect(await said('heal')).toBe('no fault is left');
    expect(await said('cut n1,n2 n3 --one-way')).toBe('n1,n2 reaches n3 no more');
    expect(await cuts()).toEqual(['n1 n3', 'n2 n3']);
    expect(await said('status')).toMatch(/^cut +n1 → n3, \d+ packets dropped$/m);
    expect(await said('heal')).toBe('no fault is left');
    expect(await cuts()).toEqual([]);
  });

  test('lose, and lose 0%', async () => {
    expect(await said('lose 12.5%')).toBe('12.5 of 100 packets between any two nodes are lost');
    expect((await readFaults(desk.name, nodes)).loss?.percent).toBe(12.5);
    expect(await said('status')).toMatch(/^lose +12.5%, \d+ packets so far$/m);
    expect(await said('lose 0%')).toBe('no packet is lost');
    expect((await readFaults(desk.name, nodes)).loss).toBeUndefined();
  });

  test('crash and start, freeze and thaw', async () => {
    expect(await said('crash n3')).toBe('n3: the daemon is dead, its containers run on');
    expect(await states()).toBe('ready ready gone');
    expect(await said('start n3')).toBe('n3: ready');
    expect(await said('freeze n2,n3')).toBe('n2,n3: frozen');
    expect(await states()).toBe('ready frozen frozen');
    expect(await said('thaw n2')).toBe('n2: runs on');
    await until('it answers', async () => (await states()) === 'ready ready frozen');
  });

  test('kill and heal: what is dead is started, and what is frozen runs on', async () => {
    expect(await said('kill n2')).toBe('n2: dead with everything in it');
    expect(await processesOf(nodes[1]!)).toEqual([]);
    await said('cut n1 n3');
    await said('lose 5%');
    expect(await said('heal')).toBe('no fault is left; started: n2');
    await until('all are ready', async () => (await states()) === 'ready ready ready');
    expect(await readFaults(desk.name, nodes)).toEqual({ cuts: [] });
  });

  test('stop, wipe and move', async () => {
    const before = (await statusOf(desk.name)).nodes[1]!.address;
    expect(await said('move n2')).toBe('n2: ready at another address');
    expect((await statusOf(desk.name)).nodes[1]!.address).not.toBe(before);
    expect(await said('stop n3')).toBe('n3: stopped; its containers run on');
    expect(await states()).toBe('ready ready gone');
    expect(await said('wipe n3')).toBe('n3: its disk is empty');
    expect(existsSync(nodes[2]!.dataDir)).toBe(false);
    expect((await said('logs n3')).length).toBeGreaterThan(0);
  });

  test.each(['cut n1', 'cutt n1 n2', 'lose 101%', '3 4', 'kill n1 --slowly'])(
    'what is not understood does nothing and says what would be: %s',
    async (line) => {
      const { code, stderr } = await typed(line);
      expect([code, stderr]).toEqual([2, expect.stringContaining('HM-CLI-USAGE')]);
    },
  );

  test('down', async () => {
    expect(await said('down')).toBe('nothing is left of the desk');
    expect(await tracesOf(desk.name)).toEqual([]);
    expect(await said('down')).toBe('no desk is up');
    expect((await typed('cut n1 n2')).stderr).toContain('HM-DESK-STATE');
  });
});
