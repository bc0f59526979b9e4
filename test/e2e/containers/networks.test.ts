/** Networks as a user has them: a port at both families of localhost, and a service in the network of another one. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort, missingForDaemon, startDaemon, type TestDaemon } from '../../kit/node/daemon.ts';
import { importBusybox } from '../../kit/node/images.ts';
import { findProcess } from '../../kit/node/processes.ts';
import { until } from '../../kit/until.ts';

const missing = missingForDaemon();
if (missing) console.log(`skipped: ${missing}`);

const compose = (port: number): string => `name: lent
services:
  web:
    image: busybox
    command: sh -c "/bin/busybox mkdir -p /www && echo $$HIVEMIND_SLOT > /www/index.html && exec /bin/busybox httpd -f -p 80 -h /www"
    ports: ["${port}:80"]
    restart: always
  side:
    image: busybox
    command: sleep 100000
    network_mode: service:web
    restart: always
`;

describe.skipIf(missing !== undefined)('networks', () => {
  let daemon: TestDaemon;
  let port: number;
  const page = async (host: string): Promise<string> => {
    const answer = await fetch(`http://${host}:${port}/`).catch(() => undefined);
    return answer ? (await answer.text()).trim() : '';
  };
  const inside = async (): Promise<string> => {
    const { stdout } = await daemon.cli(
      'exec',
      'lent/side',
      '--',
      '/bin/busybox',
      'wget',
      '-q',
      '-O',
      '-',
      'http://127.0.0.1/',
    );
    return stdout.trim();
  };
  const runOf = async (slot: string): Promise<number> =>
    (await daemon.slots()).find((one) => one.slot === slot)?.run ?? 0;

  beforeAll(async () => {
    daemon = await startDaemon();
    port = await freePort();
    await importBusybox(daemon);
    const file = join(daemon.dir, 'lent.yaml');
    await writeFile(file, compose(port));
    expect(await daemon.cli('deploy', '-f', file)).toMatchObject({ code: 0 });
  });
  afterAll(async () => {
    await daemon?.end();
  });

  test('a published port answers at both families of localhost', async () => {
    for (const host of ['127.0.0.1', '[::1]'])
      await until(`${host} answers`, async () => (await page(host)) === 'lent/web.1');
  });

  test('a service in the network of another one shares its localhost and its address', async () => {
    await until('the other one answers', async () => (await inside()) === 'lent/web.1');
    const [one, other] = await daemon.slots();
    expect(one?.address).toBe(other?.address);
  });

  test('it is back in the network of the next container when that one was killed', async () => {
    const [web, side] = [await runOf('lent/web.1'), await runOf('lent/side.1')];
    process.kill(findProcess(daemon, 'lent/web.1'), 'SIGKILL');
    await until('both run anew', async () => {
      return (await runOf('lent/web.1')) > web && (await runOf('lent/side.1')) > side;
    });
    await until('they share one network', async () => (await inside()) === 'lent/web.1');
    for (const host of ['127.0.0.1', '[::1]'])
      await until(`${host} answers`, async () => (await page(host)) === 'lent/web.1');
  });
});
