/** Real daemons: whose name went to another machine ends when it comes back, says who has the name, and stays out. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { freePort, makeDaemon, missingForDaemon, type TestDaemon } from '../../kit/node/daemon.ts';
import { until } from '../../kit/until.ts';

const missing = missingForDaemon();
if (missing) console.log(`skipped: ${missing}`);

describe.skipIf(missing !== undefined)('a former owner of a name', () => {
  const daemons: TestDaemon[] = [];
  const made = async (): Promise<TestDaemon> => {
    const daemon = await makeDaemon({ runtime: 'process' });
    daemons.push(daemon);
    return daemon;
  };
  afterAll(async () => {
    for (const daemon of daemons.reverse()) await daemon.end();
  });

  test('that starts again ends with 1 and a coded error, and so does its next start', async () => {
    const [server, owner, successor] = [await made(), await made(), await made()];
    const at = async (): Promise<string[]> => [
      ...['--membership-profile', 'fast', '--cluster-address', `127.0.0.1:${await freePort()}`],
    ];
    const there = await at();
    await server.start(there);
    const token = join(server.dir, 'token');
    await writeFile(token, (await server.cli('cluster', 'token', '--uses', '2')).stdout);
    const asN3 = ['--name', 'n3', '--join', there.at(-1)!, '--token-file', token];
    const shows = async (what: string): Promise<boolean> =>
      new RegExp(`^n3 +${what} `, 'm').test((await server.cli('node', 'ls')).stdout);

    await owner.start([...(await at()), ...asN3]);
    await until('n3 is alive', () => shows('alive'));
    await owner.stop('SIGKILL');
    await until('n3 is dead', () => shows('dead'));
    await successor.start([...(await at()), ...asN3]);
    await until('n3 is alive again', () => shows('alive'));

    const again = [...(await at()), '--name', 'n3'];
    for (const told of [1, 2]) {
      // It may end before it is ready.
      await owner.start(again).catch(() => undefined);
      await until('it says why it ends', () => owner.log().split('✗ the name n3 is another').length > told);
      expect(await owner.stop('SIGCONT')).toBe(1);
    }
    expect(owner.log()).toMatch(
      /✗ the name n3 is another.*\n {2}HM-NODE-NAME-LOST\n {2}next {2}Join as a new/,
    );
    await until('n3 is alive all the same', () => shows('alive'));
  });
});
