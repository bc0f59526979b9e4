/** deploy of a new revision: who serves on, when it is done, and how it ends otherwise; for people and programs. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { AppView, SlotStatus } from '../../../../protocols/apps/status.ts';
import { reason } from '../../../../protocols/errors.ts';
import type { NodeDouble } from '../kit/node-double.ts';
import { run, type Ran, type RunOptions } from '../kit/run.ts';
import { asViews, shopNode, slot, view } from '../kit/shop.ts';

let node: NodeDouble;
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hivemind-update-'));
  node = shopNode();
  await node.listen();
  node.on('PUT /v1/apps/shop', () => ({ app: 'shop', revision: 3, changed: true }));
  const text = 'name: shop\nservices: { web: { image: "web:latest", deploy: { replicas: 2 } } }\n';
  await writeFile(join(directory, 'compose.yaml'), text);
});
afterEach(async () => {
  await node.close();
  await rm(directory, { recursive: true });
});

const hive = (line: string, options: RunOptions = {}): Promise<Ran> =>
  run(line.split(' '), { socket: node.socket, directory, ...options });

/** The node answers these views one after the other, the last one for ever. */
function progress(...views: AppView[]): void {
  let look = 0;
  node.on('GET /v1/apps/shop', () => ({
    view: views[Math.min(look++, views.length - 1)],
    spec: { volumes: {} },
    record: {},
  }));
}

/** Revision 3 crashes in the first slot; the second serves on as revision 2. */
const held = (): AppView => {
  const slots = [
    slot('web', 1, {
      ...{ phase: 'backoff', readiness: 'none', placement: 2, restarts: 3 },
      reason: reason('HM-CRASH-LOOP', 'the process exited with code 3, 3 times in a row'),
    }),
    slot('web', 2, { revision: 2 }),
    slot('web', 3, { revision: 2 }),
  ];
  const because = reason('HM-ROLLOUT-HELD', 'goes on as it is, because shop/web.1 fails');
  const [first, ...others] = asViews(slots);
  return { ...view([first!, ...others.map((one) => ({ ...one, reason: because }))]), converged: false };
};

test('an update that crashes: what fails, what serves on, and the way back; also for programs', async () => {
  progress(held());
  const { code, stderr } = await hive('deploy');
  expect(code).toBe(1);
  expect(stderr).toContain('shop/web.2 n1 running ready rev 2  goes on as it is');
  expect(stderr).toContain('✗ shop/web.1: the process exited with code 3, 3 times in a row  HM-CRASH-LOOP');
  expect(stderr).toContain('shop/web.2 and shop/web.3 serve on as rev 2.\n');
  expect(stderr.trimEnd().endsWith('To what ran before: hivemind rollback shop 2')).toBe(true);
  const json = await hive('deploy --progress json');
  expect(JSON.parse(json.stdout.trim().split('\n').at(-1)!)).toMatchObject({
    ...{ type: 'failed', slot: 'shop/web.1', reason: { code: 'HM-CRASH-LOOP' } },
    text: expect.stringContaining('is not done; the node keeps trying'),
  });
  const quiet = await hive('deploy --progress quiet');
  expect(quiet).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('HM-CRASH-LOOP') });
  const block = await hive('deploy --no-color', { terminal: [120, 24] });
  expect(block.stderr).toContain('0/3 done, 2/3 ready');
  expect(block.stderr).toContain('◐ running, ready rev 2  goes on as it is');
});

test('an update is done when what it replaced has settled; what it adds when it runs', async () => {
  const fresh = (status: SlotStatus): SlotStatus => {
    const { settled, ...rest } = status;
    return settled ? rest : status;
  };
  const update = (second: SlotStatus): AppView =>
    view(asViews([fresh(slot('web', 1)), { ...second, placement: 2 }]));
  progress(update(fresh(slot('web', 2))), update(fresh(slot('web', 2))), update(slot('web', 2)));
  expect((await hive('deploy')).code).toBe(0);
  const looks = () => node.requests.filter(({ url, method }) => method === 'GET' && url === '/v1/apps/shop');
  expect(looks()).toHaveLength(3);
  // The first revision of an app replaces nothing.
  node.on('PUT /v1/apps/shop', () => ({ app: 'shop', revision: 1, changed: true }));
  progress({ ...update(fresh(slot('web', 2))), revision: 1 });
  expect((await hive('deploy')).code).toBe(0);
  expect(looks()).toHaveLength(4);
});

test('time-outs and interrupts end the lines of a program as well', async () => {
  progress(view(asViews([slot('web', 1, { phase: 'starting', readiness: 'none' })])));
  const last = ({ stdout }: Ran): unknown => JSON.parse(stdout.trim().split('\n').at(-1)!);
  expect(last(await hive('deploy --progress json --timeout 1s'))).toMatchObject({ type: 'timed-out' });
  const stopped = await hive('deploy --progress json', { onOutput: (_text, running) => running.interrupt() });
  expect(last(stopped)).toMatchObject({ type: 'interrupted' });
});
