/** Keys are exchanged while everybody talks: added everywhere, used everywhere, removed everywhere; not a packet is lost (M9). */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { HeapClock } from '../../../runtime/world/heap-clock.ts';
import { seededRandom } from '../../../runtime/world/seeded-random.ts';
import { calm, MemoryDatagrams } from '../../../transport/memory/datagrams.ts';
import { openMemoryLink } from '../../../transport/memory/memory-link.ts';
import { aesGcm } from '../../../transport/secure/aes-gcm.ts';
import { KeyRing, ringKey } from '../../../transport/secure/key-ring.ts';
import { SealedDatagrams } from '../../../transport/secure/sealed-datagrams.ts';

const ids = ['aa', 'bb', 'cc', 'dd'].map((pair) => pair.repeat(16));
const keys = [1, 2, 3].map((fill) => ringKey(new Uint8Array(32).fill(fill)));
const addressOf = (who: number) => ({ host: `10.0.0.${who + 1}`, port: 4484 });
/** Longer than any packet is under way below. */
const apartMs = 200;

/** Each party takes each step of a rotation at a moment of its own; the steps themselves are apart. */
const moments = fc.array(fc.array(fc.integer({ min: 0, max: 100 }), { minLength: 4, maxLength: 4 }), {
  minLength: 6,
  maxLength: 6,
});

test('two rotations under way packets and at different moments lose nothing', () => {
  fc.assert(
    fc.property(fc.nat(1_000_000), moments, (seed, when) => {
      const clock = new HeapClock();
      const network = new MemoryDatagrams(clock, seededRandom(seed));
      network.faults = { ...calm, delayMs: 1, meanMs: 8 };
      const heard = new Set<string>();
      let rings = ids.map(() => new KeyRing([keys[0]!]));
      const links = ids.map((id, who) => {
        const seal = new SealedDatagrams({ cipher: aesGcm, ring: rings[who]!, label: 'shop', id, boot: 1 });
        const receive = ({ bytes }: { bytes: Uint8Array }) => heard.add(Buffer.from(bytes).toString());
        return openMemoryLink({ network, address: addressOf(who), seal, receive });
      });
      const steps: ((ring: KeyRing) => KeyRing)[] = keys
        .slice(1)
        .flatMap((key, at) => [
          (ring: KeyRing) => ring.with(key),
          (ring: KeyRing) => ring.using(key.name),
          (ring: KeyRing) => ring.without(keys[at]!.name),
        ]);
      for (const [at, step] of steps.entries()) {
        for (const who of ids.keys()) {
          clock.setTimer(at * apartMs + when[at]![who]!, () => {
            rings = rings.map((ring, one) => (one === who ? step(ring) : ring));
            links[who]!.rotate(rings[who]!);
          });
        }
      }
      let sent = 0;
      for (let ms = 0; ms < steps.length * apartMs; ms += 5) {
        clock.setTimer(ms, () => {
          for (const [who, link] of links.entries()) {
            const to = (who + 1 + (ms % 3)) % ids.length;
            if (to !== who) link.send(addressOf(to), Buffer.from(`${who} ${++sent}`));
          }
        });
      }
      while (clock.step());
      expect(heard.size).toBe(sent);
      expect(rings.map(({ names }) => names)).toEqual(ids.map(() => [keys[2]!.name]));
      for (const { counts } of links)
        expect(Object.values(counts.refused).every((count) => count === 0)).toBe(true);
    }),
    { numRuns: 25 },
  );
});

test('who takes away the old key before all use the new one loses what those send: the order matters', () => {
  const clock = new HeapClock();
  const network = new MemoryDatagrams(clock, seededRandom(1));
  let heard = 0;
  const both = new KeyRing([keys[0]!, keys[1]!]);
  const [a, b] = [0, 1].map((who) => {
    const seal = new SealedDatagrams({ cipher: aesGcm, ring: both, label: 'shop', id: ids[who]!, boot: 1 });
    return openMemoryLink({ network, address: addressOf(who), seal, receive: () => (heard += 1) });
  });
  b!.rotate(both.using(keys[1]!.name).without(keys[0]!.name));
  a!.send(addressOf(1), Buffer.from('x'));
  while (clock.step());
  expect([heard, b!.counts.refused['unknown-key']]).toEqual([0, 1]);
});
