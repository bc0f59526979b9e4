/**
 * Two real daemons in network namespaces of their own, joined by a token: what the second is without the first, what it
 * keeps over kill −9, and that it can leave.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { crash, start, stop } from '../../../runtime/desk/desk.ts';
import { daemonOf } from '../../../runtime/desk/processes.ts';
import { testDesk, tracesOf, type TestDesk } from '../../kit/cluster/desk.ts';
import { missingForDaemon } from '../../kit/node/daemon.ts';
import { until } from '../../kit/until.ts';

const missing = missingForDaemon();
if (missing) console.log(`skipped: ${missing}`);

interface Told {
  readonly place: {
    readonly id: string;
    readonly role: string;
    readonly server: { readonly name: string };
    readonly members: Readonly<Record<string, number>>;
    readonly gossipKeys: readonly string[];
  };
  readonly store: {
    readonly revision?: number;
    readonly phase: string;
    readonly reason?: { readonly code: string };
  };
}

describe.skipIf(missing !== undefined)('two nodes that joined', () => {
  let desk: TestDesk;
  const name = (number: number): string => desk.nodes[number - 1]!.name;
  const cli = (number: number, ...args: readonly string[]) => desk.cli(...args, '--context', name(number));
  const status = async (number: number): Promise<Told> => {
    const { stdout, stderr } = await cli(number, 'cluster', 'status', '--json');
    if (stdout === '') throw new Error(stderr);
    return JSON.parse(stdout) as Told;
  };

  beforeAll(async () => {
    desk = await testDesk();
    await desk.up({ count: 2, runtime: 'containerd' });
  });
  afterAll(async () => {
    await desk?.end();
    expect(await tracesOf(desk.name)).toEqual([]);
  });

  test('one is the server, the other its agent; both count two alive', async () => {
    const both = await until('both see each other', async () => {
      const told = [await status(1), await status(2)];
      return told.every(({ place }) => place.members['alive'] === 2) ? told : undefined;
    });
    expect(both.map(({ place }) => [place.role, place.server.name])).toEqual([
      ['server', name(1)],
      ['agent', name(1)],
    ]);
    expect(both[0]!.place.id).not.toBe(both[1]!.place.id);
    expect(both[1]!.store.phase).toBe('trusted');
  });

  test('an agent does not deploy, and says who does', async () => {
    const file = join(desk.dir, 'compose.yaml');
    await writeFile(file, 'name: shop\nservices: { web: { image: busybox } }\n');
    const refused = await cli(2, 'deploy', '-f', file);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain('HM-CLUSTER-AGENT');
    expect(refused.stderr).toContain(name(1));
    // What stands in rows it may not reach, too.
    expect((await cli(2, 'secret', 'ls')).stderr).toContain(`the server is ${name(1)}  HM-CLUSTER-AGENT`);
    expect((await cli(2, 'doctor')).stdout).toContain(`of the server ${name(1)}`);
  });

  test('without its server an agent lives on, says what is missing, and finds it again by itself', async () => {
    await stop(desk.name, name(1));
    const alone = await until('the agent misses its store', async () => {
      const told = await status(2);
      return told.store.reason && told;
    });
    expect(alone.store.reason?.code).toBe('HM-STORE-DOWN');
    await start(desk.name, name(1));
    await until('the agent has its store again', async () => (await status(2)).store.revision !== undefined);
    await until('both are alive', async () => (await status(1)).place.members['alive'] === 2);
  });

  test('kill −9 and a new start: the same node, without a token; a new key reaches it', async () => {
    const before = (await status(2)).place.id;
    await crash(desk.name, name(2));
    await start(desk.name, name(2));
    await until('both are alive', async () => (await status(1)).place.members['alive'] === 2);
    expect((await status(2)).place.id).toBe(before);
    const rotated = await cli(1, 'cluster', 'rotate');
    expect([rotated.code, rotated.stderr]).toEqual([0, '']);
    expect((await status(2)).place.gossipKeys).toEqual((await status(1)).place.gossipKeys);
  });

  test('no secret of the cluster stands in a log', async () => {
    const made = await cli(1, 'cluster', 'token');
    const secrets = [made.stdout.trim().split('.')[3]!];
    for (const { dataDir } of desk.nodes) {
      const given = await readFile(join(dataDir, 'cluster', 'given.json'), 'utf8');
      secrets.push(...(JSON.parse(given) as { issued: { gossipKeys: string[] } }).issued.gossipKeys);
      const key = await readFile(join(dataDir, 'cluster', 'node.key'), 'utf8');
      secrets.push((JSON.parse(key) as { key: string }).key);
    }
    for (const { logPath } of desk.nodes) {
      const log = await readFile(logPath, 'utf8');
      for (const secret of secrets) expect(log.includes(secret)).toBe(false);
    }
  });

  test('who leaves is told goodbye: its daemon ends, its name is free', async () => {
    const asked = await cli(2, 'cluster', 'leave');
    expect([asked.code, asked.stderr]).toEqual([2, expect.stringContaining('--yes')]);
    const left = await cli(2, 'cluster', 'leave', '--yes');
    expect([left.code, left.stdout]).toEqual([0, 'this node has left the cluster\n']);
    await until('its daemon has ended', async () => (await daemonOf(desk.nodes[1]!)) === undefined);
    await until('the server counts it as left', async () => (await status(1)).place.members['left'] === 1);
    const server = await cli(1, 'cluster', 'leave');
    expect(server.stderr).toContain('HM-CLUSTER-ROLE');
  });
});
