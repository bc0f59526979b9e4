/** Digests of records in gossip: everybody hears of them, each piece of news once, and membership suffers nothing. */
import { expect, test } from 'vitest';
import type { RecordDigest } from '../../../protocols/observed/digest.ts';
import { idOf, Swarm } from '../../../runtime/simulation/membership/swarm.ts';
import { calm } from '../../../transport/memory/datagrams.ts';

const digestOf = (index: number, sequence: number): RecordDigest => ({
  id: idOf(index),
  boot: 1,
  sequence,
  hash: sequence.toString(16).padStart(16, '0'),
});

/** What each member heard of; of what is newer to it, it tells the others on. */
function following(swarm: Swarm): Map<string, number> {
  const heard = new Map<string, number>();
  const newest = new Map<string, number>();
  swarm.onDigest = (by, { digest }) => {
    if (digest.id === idOf(by)) return;
    const of = `${by} ${digest.id}`;
    const key = `${of} ${digest.sequence}`;
    heard.set(key, (heard.get(key) ?? 0) + 1);
    if (digest.sequence <= (newest.get(of) ?? 0)) return;
    newest.set(of, digest.sequence);
    swarm.tell(by, { kind: 'tell-digest', digest });
  };
  return heard;
}

test('of 40 members, a tenth of their packets lost, all hear of one’s new records within three seconds', () => {
  const swarm = new Swarm({ seed: 7, members: 40 });
  expect(swarm.runUntil(() => swarm.agreed(), 30_000)).toBeDefined();
  swarm.network.faults = { ...calm, loss: 0.1, meanMs: 1 };
  const heard = following(swarm);
  swarm.tell(5, { kind: 'tell-digest', digest: digestOf(5, 1) });
  expect(swarm.runUntil(() => heard.size === 39, 3_000)).toBeDefined();
  expect(new Set(heard.values())).toEqual(new Set([1]));
});

test('everybody changes every second: the newest of each reaches all, in two packets more, and nobody is suspected for it', () => {
  const swarm = new Swarm({ seed: 8, members: 20 });
  expect(swarm.runUntil(() => swarm.agreed(), 30_000)).toBeDefined();
  const heard = following(swarm);
  swarm.sightings.length = 0;
  swarm.run(30_000);
  const before = swarm.network.counts.sent;
  for (let sequence = 1; sequence <= 30; sequence++) {
    for (const by of swarm.up()) swarm.tell(by, { kind: 'tell-digest', digest: digestOf(by, sequence) });
    swarm.run(1_000);
  }
  // Two probes a second and their answers, and the two who hear of it first: on those packets they ride.
  expect(swarm.network.counts.sent - before).toBeLessThanOrEqual(20 * (4 + 2) * 30 + 20);
  swarm.run(3_000);
  const newest = [...heard.keys()].filter((key) => key.endsWith(' 30'));
  expect(newest.length).toBe(20 * 19);
  expect(swarm.sightings.filter(({ member }) => member.status !== 'alive')).toEqual([]);
});
