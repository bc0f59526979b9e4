/** What an agent answers of what leads the cluster: its server's word on apps, by a message between actors of two nodes. */
import { expect, test } from 'vitest';
import type { AppView } from '../../../protocols/apps/status.ts';
import { reasonOf, type Reason } from '../../../protocols/errors.ts';
import { paths } from '../../../protocols/wire/paths.ts';
import { idleScript } from '../../../runtime/drivers/container/scripted/script.ts';
import { startNode, type RunningNode } from '../../../runtime/node.ts';
import { SimulatedWorld } from '../../../runtime/world/simulated/simulated-world.ts';
import { app, service } from '../api/rig.ts';

const settings = {
  version: '0.1.0',
  containerPool: '10.42.0.0/16',
  bridge: 'hive0',
  networkTag: 'test',
  mtu: 1_500,
  dnsPort: 53,
  upstreams: [],
};

/** Full nodes: n1 is the server, with the app `shop`. */
async function town() {
  const world = new SimulatedWorld(1, { images: ['hello-web'], scriptOf: () => idleScript, nodes: 3 });
  const { clock } = world;
  const started: RunningNode[] = [];
  const dead: string[] = [];
  for (const place of world.nodes) {
    const { name, role } = place;
    void startNode(
      place.boot().world,
      { ...settings, name, role },
      {
        onFrame: (frame) => {
          if (frame.type === 'message.dead' && frame.why === 'refused')
            dead.push(`${frame.node} ${frame.message}`);
        },
      },
    ).then((node) => started.push(node));
    await clock.advance(5_000);
  }
  await clock.advance(20_000);
  const [n1, n2] = started as [RunningNode, RunningNode];
  /** Its value, or why there is none, once `ms` have passed. */
  const asked = async <Value>(promise: Promise<Value>, ms = 100): Promise<Value | Reason> => {
    let told: Value | Reason | undefined;
    promise.then(
      (value) => (told = value),
      (thrown: unknown) => (told = reasonOf(thrown)),
    );
    await clock.advance(ms);
    expect(told).toBeDefined();
    return told!;
  };
  await asked(n1.ask(paths.apps, { type: 'app.deploy', spec: app('shop', service('web')) }), 10_000);
  return { world, clock, n1, n2, asked, dead };
}

test('which apps there are is answered by an agent as by its server; what they hold is not', async () => {
  const { n1, n2, asked, dead } = await town();
  const report = (node: RunningNode) =>
    asked(node.ask<{ apps: readonly AppView[] }>(paths.apps, { type: 'apps.report' }));
  const told = await report(n2);
  expect(told).toMatchObject({ apps: [{ name: 'shop', converged: true, slots: [{ slot: 'shop/web.1' }] }] });
  expect(told).toEqual(await report(n1));
  expect(JSON.stringify(told)).not.toContain('tell-nobody');
  for (const message of [
    { type: 'app.show', app: 'shop' },
    { type: 'app.remove', app: 'shop', volumes: true },
  ])
    expect(await asked(n2.ask(paths.apps, message))).toMatchObject({
      code: 'HM-CLUSTER-AGENT',
      evidence: { server: 'n1' },
    });
  // Nor does the server take it from a node that asks all the same.
  expect(
    await asked(
      n2.cluster!.calls.call(
        n2.cluster!.server(),
        'actor.ask',
        [{ type: 'app.show', app: 'shop' }, paths.apps, 0, 0, 1_000],
        { timeoutMs: 1_000 },
      ),
    ),
  ).toMatchObject({ code: 'HM-PEER-REFUSED' });
  expect(dead).toEqual(['n1 app.show']);
  expect(await report(n1)).toMatchObject({ apps: [{ name: 'shop', removing: false }] });
});

test('cut off from its server an agent says so, soon; held for dead, at once', async () => {
  const { world, clock, n2, asked } = await town();
  const others = ['n1', 'n3'];
  const mend = others.flatMap((other) => [world.hub.cut(other, 'n2'), world.hub.cut('n2', other)]);
  const ask = () => n2.ask(paths.apps, { type: 'apps.report' });
  const refused = { code: 'HM-CLUSTER-AGENT', evidence: { server: 'n1' } };
  expect(await asked(ask(), 3_000)).toMatchObject({
    ...refused,
    message: expect.stringContaining('does not answer now'),
  });
  await clock.advance(60_000);
  expect(await asked(ask(), 1)).toMatchObject(refused);
  for (const one of mend) one();
  await clock.advance(60_000);
  expect(await asked(ask())).toMatchObject({ apps: [{ name: 'shop' }] });
});
