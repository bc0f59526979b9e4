/**
 * Visitors while a service with two replicas is restarted, redeployed, scaled and broken: none of them is refused, and
 * a revision whose health fails leaves the old replicas serving.
 */
import { writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort, missingForDaemon, startDaemon, type TestDaemon } from '../kit/node/daemon.ts';
import { importHelloImages } from '../kit/node/images.ts';
import { until } from '../kit/until.ts';

const missing = missingForDaemon();
if (missing) console.log(`skipped: ${missing}`);

interface Visits {
  readonly answered: number;
  /** What went wrong, in words. */
  readonly failed: readonly string[];
}

/** A connection of its own. */
function visit(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const asked = request(
      { host: '127.0.0.1', port, path: '/healthz', agent: false, timeout: 20_000 },
      (answer) => {
        answer.resume();
        answer.once('end', () =>
          resolve(answer.statusCode === 200 ? undefined : `status ${answer.statusCode}`),
        );
        answer.once('error', (error) => resolve(error.message));
      },
    );
    asked.on('timeout', () => asked.destroy(new Error('no answer')));
    asked.on('error', (error) => resolve(error.message));
    asked.end();
  });
}

/** Four visitors, one visit after the other, as long as the work takes. */
async function visitDuring(port: number, work: () => Promise<void>): Promise<Visits> {
  let over = false;
  let answered = 0;
  const failed: string[] = [];
  const visitors = Array.from({ length: 4 }, async () => {
    while (!over) {
      const problem = await visit(port);
      if (problem === undefined) answered += 1;
      else failed.push(problem);
    }
  });
  try {
    await work();
  } finally {
    over = true;
    await Promise.all(visitors);
  }
  return { answered, failed };
}

describe.skipIf(missing !== undefined)('a service with two replicas', () => {
  let daemon: TestDaemon;
  let port: number;
  const deploy = async (version: number, probePort = 8_000, ...more: readonly string[]) => {
    const probe = `{ tcp: { port: ${probePort} }, interval: 1s, timeout: 1s, failures: 2 }`;
    const text = [
      'name: roll',
      'services:',
      '  web:',
      '    image: hello-web',
      "    entrypoint: [/bin/sh, -c, 'echo serving; exec /srv/serve']",
      `    environment: { VERSION: '${version}' }`,
      `    ports: ['127.0.0.1:${port}:8000']`,
      '    deploy: { replicas: 2 }',
      '    restart: always',
      '    x-hivemind:',
      '      probes:',
      `        readiness: ${probe}`,
      ...(probePort === 8_000 ? [] : [`        liveness: ${probe}`]),
      '',
    ];
    const file = join(daemon.dir, 'roll.yaml');
    await writeFile(file, text.join('\n'));
    return daemon.cli('deploy', '-f', file, '--progress', 'quiet', ...more);
  };

  beforeAll(async () => {
    daemon = await startDaemon();
    port = await freePort();
    await importHelloImages(daemon);
    expect(await deploy(1)).toMatchObject({ code: 0 });
    await daemon.converged('roll');
  });
  afterAll(async () => {
    await daemon?.end();
  });

  const changes: Readonly<Record<string, () => Promise<unknown>>> = {
    restarted: () => daemon.cli('restart', 'roll/web'),
    redeployed: () => deploy(2),
    'scaled down': () => daemon.cli('scale', 'roll/web=1'),
    'scaled up': () => daemon.cli('scale', 'roll/web=2'),
  };

  test.each(Object.entries(changes))('refuses no visitor while it is %s', async (_, change) => {
    const before = await daemon.slots();
    const { answered, failed } = await visitDuring(port, async () => {
      await change();
      await until(
        'it has changed',
        async () => JSON.stringify(await daemon.slots()) !== JSON.stringify(before),
      );
      await daemon.converged('roll');
    });
    expect(failed).toEqual([]);
    expect(answered).toBeGreaterThan(20);
  });

  test('a revision whose health fails: told with code, log and next step; the other replica serves on', async () => {
    const { failed } = await visitDuring(port, async () => {
      const { code, stderr } = await deploy(3, 8_001, '--timeout', '60s');
      expect(code).not.toBe(0);
      expect(stderr).toMatch(/HM-(CRASH-LOOP|HEALTH-FAILED)/);
      expect(stderr).toContain('the liveness probe (tcp :8001) failed');
      const logs = stderr.split('\n').filter((line) => line.startsWith('        '));
      expect(logs.length).toBeGreaterThanOrEqual(1);
      expect(logs.length).toBeLessThanOrEqual(10);
      const next = /next {2}hivemind (.*)$/m.exec(stderr)?.[1] ?? '';
      expect((await daemon.cli(...next.split(' '))).code).toBe(0);
    });
    expect(failed).toEqual([]);
    const serving = (await daemon.slots()).filter((slot) => slot.readiness === 'ready');
    expect(serving.map((slot) => slot.revision)).toEqual([2]);
    const events = (await daemon.cli('events')).stdout;
    for (const told of ['health.failed', 'container.restarting', 'container.draining', 'container.stopping'])
      expect(events).toContain(told);
    await until('why names it, also while the next run starts', async () =>
      (await daemon.cli('why', 'roll/web')).stdout.includes('HM-CRASH-LOOP'),
    );
  });
});
