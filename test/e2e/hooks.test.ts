/** Hooks and probes of a real container, as a Compose file says them: what they did is seen from inside it. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { missingForDaemon, startDaemon, type TestDaemon } from '../kit/node/daemon.ts';
import { importHelloImages } from '../kit/node/images.ts';
import { until } from '../kit/until.ts';

const missing = missingForDaemon();
if (missing) console.log(`skipped: ${missing}`);

const app = `name: care
services:
  web:
    image: hello-web
    restart: always
    volumes: ['kept:/kept']
    post_start:
      - { command: ['sh', '-c', 'echo "$$GREETING from $$PWD" >> /kept/told'], working_dir: /kept, environment: { GREETING: started } }
    pre_stop:
      - { command: ['sh', '-c', 'echo stopping >> /kept/told'] }
    x-hivemind:
      probes:
        startup: { exec: ['test', '-f', '/kept/told'], interval: 1s, failures: 30 }
        readiness: { http: { port: 8000, path: /healthz }, interval: 1s, failures: 1 }
        liveness: { exec: ['test', '!', '-f', '/kept/dead'], interval: 1s, failures: 2 }
        drain: 1s
volumes:
  kept:
`;

describe.skipIf(missing !== undefined)('a service that is looked after', () => {
  let daemon: TestDaemon;
  const inside = async (text: string) =>
    (await daemon.cli('exec', 'care/web.1', '--', 'sh', '-c', text)).stdout.trim();
  const slot = async () => (await daemon.slots()).find((one) => one.slot === 'care/web.1');

  beforeAll(async () => {
    daemon = await startDaemon();
    await importHelloImages(daemon);
    const file = join(daemon.dir, 'care.yaml');
    await writeFile(file, app);
    expect(await daemon.cli('deploy', '-f', file, '--progress', 'quiet')).toMatchObject({ code: 0 });
    await daemon.converged('care');
  });
  afterAll(async () => {
    await daemon?.end();
  });

  test('its hooks run once a run, also when the daemon is killed while it drains', async () => {
    expect(await inside('cat /kept/told')).toBe('started from /kept');
    await daemon.cli('restart', 'care/web');
    await until('it drains', async () => (await daemon.cli('events')).stdout.includes('container.draining'));
    await daemon.stop('SIGKILL');
    await daemon.start();
    await until('the next one runs', async () => (await slot())?.placement === 2);
    await daemon.converged('care');
    expect((await inside('cat /kept/told')).split('\n')).toEqual([
      'started from /kept',
      'stopping',
      'started from /kept',
    ]);
  });

  test('a failed liveness probe restarts it, and the chain is told', async () => {
    await inside('touch /kept/dead');
    const told = 'the liveness probe (test ! -f /kept/dead) failed 2 times in a row';
    // Between two restarts, while it waits for the next.
    await until('why tells it', async () => (await daemon.cli('why', 'care/web.1')).stdout.includes(told));
    const events = (await daemon.cli('events')).stdout;
    for (const type of ['health.failed', 'container.restarting', 'hook.ran']) expect(events).toContain(type);
    await daemon.cli('rm', 'care', '--volumes', '--yes');
  });
});
