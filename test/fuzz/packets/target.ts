/**
 * Datagrams and requests of exchanges, made up and mutated, against the sealed link and the membership core behind it.
 * Without a valid key nothing changes; with one, nobody's words but their own are believed, nobody is accused of what
 * he never said, and whatever comes is decoded or refused with a bounded answer.
 */
import type { PackedClaim } from '../../../protocols/membership/claims/codec.ts';
import { packGive } from '../../../protocols/membership/exchange/bodies.ts';
import { encodePacket, packetBytes, type Message } from '../../../protocols/membership/packets.ts';
import type { Random } from '../../../protocols/ports.ts';
import { decodePlain, encodePlain } from '../../../protocols/wire/codec.ts';
import { seededRandom } from '../../../runtime/world/seeded-random.ts';
import type { Outcome } from '../target.ts';
import { anyBytes, below, mutated, pick } from './mutate.ts';
import { accusation, foreign, genuine, ids, listen, ownId, peers, sealed, type Listener } from './world.ts';

/** Kept while nothing that it was sent changed it; so each seed meets one as it was at first. */
let fresh: Listener | undefined;
/** More than any packet is answered with: an acknowledgement, an exchange, and gossip to a few. */
const mostEffects = 64;
const mostNews = 16;

type Piece = (random: Random, listener: Listener) => Outcome;

/** A packet as a member might send it, with claims of every kind. */
function packet(random: Random): Uint8Array {
  const sequence = below(random, 2 ** 32);
  const target = pick(random, [...ids, 'somebody', 'é'.repeat(63)]);
  const address = { host: '10.9.9.9', port: below(random, 65_536) };
  const message = pick<Message>(random, [
    { kind: 'ping', sequence, target },
    { kind: 'ack', sequence },
    { kind: 'nack', sequence },
    { kind: 'ping-request', sequence, target, address, remainingMs: below(random, 3_600_001) },
    { kind: 'gossip' },
  ]);
  const claims = Array.from({ length: below(random, 4) }, () => claim(random));
  try {
    return encodePacket(message, claims);
  } catch {
    return encodePacket(message, []);
  }
}

function claim(random: Random): PackedClaim {
  const numbers = [0, 1, 2, 3, 4, 5, 1_000, 2 ** 31, 2 ** 32 - 2, 2 ** 32 - 1];
  switch (below(random, 4)) {
    case 0:
      return pick(random, genuine);
    case 1:
      return pick(random, foreign);
    case 2:
      // About the listener itself.
      return accusation(pick(random, ['suspected', 'dead']), ownId, 4, pick(random, numbers), peers[0]!.id);
    default:
      return accusation(
        pick(random, ['suspected', 'dead']),
        pick(random, [...ids, `made-up-${below(random, 1e9)}`]),
        pick(random, numbers),
        pick(random, numbers),
        pick(random, [...ids, '☃'.repeat(63), 'a'.repeat(63), '\u001b[2J']),
      );
  }
}

function outside(name: string, make: (random: Random) => Uint8Array, twice = false): Piece {
  return (random, listener) => {
    const datagram = make(random);
    const from = { host: '10.0.0.9', port: 1 };
    if (twice) listener.link.arrived(from, datagram);
    const refusals = { ...listener.link.counts.refused };
    const before = listener.state();
    const effects = listener.effects.length;
    listener.link.arrived(from, datagram);
    const why = Object.entries(listener.link.counts.refused).find(
      ([reason, count]) => count > refusals[reason as keyof typeof refusals],
    );
    const untouched = listener.state() === before && listener.effects.length === effects;
    if (!twice && untouched) fresh = listener;
    const outcome = `${name}: ${why?.[0] ?? 'taken'}`;
    return why && untouched ? { outcome } : { outcome, finding: `${outcome}, and it changed something` };
  };
}

/** A member's, with the key: it may say much, but not for others. */
function inside(name: string, make: (random: Random) => Uint8Array): Piece {
  return (random, listener) => {
    const before = listener.self.statement.incarnation;
    const refused = listener.swim.counts.refused;
    listener.link.arrived({ host: '10.0.0.9', port: 1 }, sealed('member', below(random, 4), make(random)));
    return judged(name, listener, before, refused);
  };
}

function judged(
  name: string,
  { swim, self, effects }: Listener,
  before: { readonly boot: number; readonly counter: number },
  refused: number,
): Outcome {
  const outcome = `${name}: ${swim.counts.refused > refused ? 'refused, or part of it' : 'taken'}`;
  const finding = ((): string | undefined => {
    const { incarnation, left, bytes } = self.statement;
    const raised = incarnation.counter - before.counter;
    if (incarnation.boot !== before.boot || left || raised < 0 || raised > 4_004)
      return `its own word became ${incarnation.boot}.${incarnation.counter}`;
    if (bytes.length > 700) return 'its own word is too long';
    const members = swim.members();
    if (members.length !== peers.length) return `it knows ${members.length} members`;
    if (members.some(({ status }) => status === 'left')) return 'somebody left who did not say so';
    if (members.some(({ status, incarnation: { counter } }) => status === 'alive' && counter > 1))
      return 'somebody lives by words that he never said';
    if (members.some(({ incarnation: { boot, counter } }) => boot > 4 || counter > 1_001))
      return 'somebody is accused of what was never said';
    if (effects.length > mostEffects) return `${effects.length} effects of one packet`;
    if (effects.some((effect) => effect.kind === 'send' && effect.packet.length > packetBytes))
      return 'it sends what is too long';
    if (swim.condition.news > mostNews) return `${swim.condition.news} pieces of news`;
    return undefined;
  })();
  return finding === undefined ? { outcome } : { outcome, finding: `${outcome}; ${finding}` };
}

/** Over a stream, which proves the peer: its bodies are checked no less. */
const body: Piece = (random, listener) => {
  const before = listener.self.statement.incarnation;
  const refused = listener.swim.counts.refused;
  const claims = Array.from({ length: below(random, 6) }, () => claim(random));
  const whole = pick<unknown>(random, [
    packGive(claims, [pick(random, ids)]),
    [0, below(random, 2 ** 32), anyBytes(random, 64), ''],
    [
      new Uint8Array(1).fill(1),
      '',
      ids.map((id) => [id, 4, below(random, 2 ** 32), below(random, 5), 4, 9, 0]),
    ],
  ]);
  const bytes = mutated(random, encodePlain(whole, 65_536));
  let value: unknown;
  try {
    value = decodePlain(bytes, 65_536);
  } catch {
    value = undefined;
  }
  const from = { id: peers[0]!.id, address: { host: '10.0.0.2', port: 4484 } };
  listener.effects.push(
    ...listener.swim.step({ kind: 'asked', from, body: value }, 1),
    ...listener.swim.step({ kind: 'answered', exchange: 1, from, body: value }, 1),
  );
  return judged('exchange', listener, before, refused);
};

const datagram = (random: Random): Uint8Array => sealed('member', below(random, 4), packet(random));
const by = (who: Parameters<typeof sealed>[0]) => (random: Random) =>
  sealed(who, below(random, 4), packet(random));

const pieces: readonly Piece[] = [
  outside('anything', (random) => anyBytes(random, 1_500)),
  outside('mutated', (random) => mutated(random, datagram(random))),
  outside('mutated', (random) => mutated(random, datagram(random))),
  outside('wrong key', by('wrong key')),
  outside('wrong label', by('wrong label')),
  outside('former life', by('former life')),
  outside('again', datagram, true),
  inside('a packet', packet),
  inside('a packet mutated', (random) => mutated(random, packet(random))),
  inside('a packet of anything', (random) => anyBytes(random, packetBytes)),
  inside('foreign words', (random) => encodePacket({ kind: 'gossip' }, [mutatedOf(random)])),
  body,
];

function mutatedOf(random: Random): Uint8Array {
  const words = pick(random, [...genuine, ...foreign]);
  return random.next() < 0.3 ? words : mutated(random, words).slice(0, 700);
}

export function fuzzPackets(seed: number): Outcome {
  const random = seededRandom(seed);
  const listener = fresh ?? listen();
  fresh = undefined;
  try {
    return pick(random, pieces)(random, listener);
  } catch (thrown) {
    return { outcome: 'thrown', finding: String(thrown) };
  }
}
