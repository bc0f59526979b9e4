/**
 * A node that listens, with real keys and signatures, and others that speak to it: members of its cluster, and strangers
 * whose cluster, key or authority is another.
 */
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import {
  packAccusation,
  sealStatement,
  type PackedClaim,
} from '../../../protocols/membership/claims/codec.ts';
import type { MembershipEffect } from '../../../protocols/membership/desk.ts';
import { packGive } from '../../../protocols/membership/exchange/bodies.ts';
import type { Accusation, NodeId, Notary } from '../../../protocols/membership/model.ts';
import { encodePacket } from '../../../protocols/membership/packets.ts';
import { timesOf } from '../../../protocols/membership/profile.ts';
import { Self } from '../../../protocols/membership/self.ts';
import { Swim } from '../../../protocols/membership/swim.ts';
import { seededRandom } from '../../../runtime/world/seeded-random.ts';
import { SealedLink, type Carrier } from '../../../transport/sealed-link.ts';
import { issueCredential, nodeIdOf } from '../../../transport/secure/credentials.ts';
import { KeyRing, ringKey } from '../../../transport/secure/key-ring.ts';
import { createNotary } from '../../../transport/secure/notary.ts';
import { aesGcm } from '../../../transport/secure/aes-gcm.ts';
import { SealedDatagrams } from '../../../transport/secure/sealed-datagrams.ts';

const label = 'cluster-of-the-fuzz';
const boot = 4;
const notAfter = 2_000_000_000;
const nowMs = 1_767_225_600_000;
const ring = new KeyRing([ringKey(new Uint8Array(32).fill(7))]);
const strangeRing = new KeyRing([ringKey(new Uint8Array(32).fill(8))]);

/** Of PKCS #8 around an Ed25519 key: keys are the same in every run, as the seed is to repeat what it did. */
const keyHead = Buffer.from('302e020100300506032b657004220420', 'hex');

function keyPair(number: number): { readonly publicKey: KeyObject; readonly privateKey: KeyObject } {
  const der = Buffer.concat([keyHead, Buffer.alloc(32, number)]);
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  return { publicKey: createPublicKey(privateKey), privateKey };
}

const authority = keyPair(1);
const strangeAuthority = keyPair(2);
let parties = 2;

interface Member {
  readonly id: NodeId;
  readonly notary: Notary;
}

function party(name: string, { by = authority, of = label, until = notAfter } = {}): Member {
  const { publicKey, privateKey } = keyPair(++parties);
  const words = { label: of, name, key: publicKey, notAfter: until };
  const notary = createNotary({
    label: of,
    credential: issueCredential(by.privateKey, words),
    key: privateKey,
    authorities: [authority.publicKey],
    now: () => nowMs,
  });
  return { id: nodeIdOf(publicKey), notary };
}

const listener = party('listener');
export const peers = [party('n1'), party('n2'), party('n3'), party('n4')];
const strangers = [
  party('n1', { by: strangeAuthority }),
  party('n2', { of: 'another-cluster' }),
  party('n3', { until: Math.floor(nowMs / 1_000) - 1 }),
];

const hostOf = (name: string) => ({ host: `10.0.0.${name.length}`, port: 4484 });
const profileOf = (name: string) =>
  ({ name, address: hostOf(name), condition: 'ready', versions: [1, 1], zone: 'z' }) as const;
const senderOf = (id: NodeId) => ({ id, address: hostOf(id) });

function stated({ id, notary }: Member, of: number, counter: number, left = false): Uint8Array {
  const words = { id, incarnation: { boot: of, counter }, left, profile: profileOf('n') };
  return sealStatement(words, notary).bytes;
}

/** Words that the members really said; by their text. */
export const genuine = peers.flatMap((one) => [
  stated(one, boot - 1, 3),
  stated(one, boot, 0),
  stated(one, boot, 1),
]);
/** Whoever's they are, they are not to be believed. */
export const foreign = strangers.flatMap((one) => [
  stated(one, boot, 0),
  stated(one, boot + 1, 9),
  stated(one, boot, 1, true),
]);
export const ids: readonly NodeId[] = [...peers, ...strangers, listener].map(({ id }) => id);
export const ownId = listener.id;

export function accusation(
  kind: Accusation['kind'],
  id: NodeId,
  of: number,
  counter: number,
  from: NodeId,
): PackedClaim {
  return packAccusation({ kind, id, incarnation: { boot: of, counter }, from });
}

export type Party = 'member' | 'wrong key' | 'wrong label' | 'former life';

/** Who seals a datagram for the listener: a member, or somebody who lacks the key, the label or a present life. */
function sealer(who: Party, of: number): SealedDatagrams {
  return new SealedDatagrams({
    cipher: aesGcm,
    ring: who === 'wrong key' ? strangeRing : ring,
    label: who === 'wrong label' ? 'another-cluster' : label,
    id: peers[of % peers.length]!.id,
    boot: who === 'former life' ? boot - 1 : boot,
  });
}

/** One for each party, so that its counter goes on as a sender's does. */
const sealers = new Map<string, SealedDatagrams>();

export function sealed(who: Party, of: number, bytes: Uint8Array): Uint8Array {
  const name = `${who} ${of}`;
  const seal = sealers.get(name) ?? sealer(who, of);
  sealers.set(name, seal);
  return seal.seal(bytes);
}

export interface Listener {
  readonly link: SealedLink;
  readonly swim: Swim;
  /** Effects since the last look. */
  readonly effects: MembershipEffect[];
  readonly self: Self;
  /** Everything that a packet without a valid key must leave as it was. */
  state(): string;
}

/** Of all listeners: one that hears a million datagrams keeps no more of them than it may. */
const seal = new SealedDatagrams({ cipher: aesGcm, ring, label, id: listener.id, boot });

/** A fresh one that knows its members. */
export function listen(): Listener {
  const self = new Self(listener.id, boot, profileOf('listener'), listener.notary);
  const random = seededRandom(1);
  const swim = new Swim({ times: timesOf.lan, random, notary: listener.notary, self, seeds: [] });
  const effects: MembershipEffect[] = [];
  swim.step({ kind: 'start' }, 0);
  const words = genuine.filter((_, at) => at % 3 === 1);
  swim.step({ kind: 'asked', from: senderOf(peers[0]!.id), body: packGive(words, []) }, 0);
  const carrier: Carrier = { address: hostOf('listener'), carry: () => {}, close: async () => {} };
  const link = new SealedLink(carrier, seal, ({ id, bytes }) => {
    effects.push(...swim.step({ kind: 'received', from: senderOf(id), packet: bytes }, 1));
  });
  // Their present lives have spoken: a former one is known as such.
  const first = encodePacket({ kind: 'gossip' }, []);
  for (const [of] of peers.entries()) link.arrived(hostOf('n'), sealed('member', of, first));
  effects.length = 0;
  const state = () => {
    const { incarnation, left } = self.statement;
    return JSON.stringify([
      incarnation,
      left,
      swim.members(),
      swim.counts,
      swim.condition,
      swim.nextDeadline(),
    ]);
  };
  return { link, swim, effects, self, state };
}
