/**
 * What members send each other as datagrams: a probe, its answers, or gossip alone; each carries claims in what room is
 * left. One self-contained msgpack array a packet: nothing of one is needed to read another.
 */
import { readPiece, type PackedClaim, type Told } from './claims/codec.ts';
import { Reader } from '../wire/reader.ts';
import { Writer } from '../wire/writer.ts';
import type { Accusation, MemberAddress, NodeId } from './model.ts';

/** The version this node speaks; it understands the same alone, so far. */
export const protocolVersion = 1;

/** A datagram of 1,400 bytes, less what encryption and its header take. */
export const packetBytes = 1_340;

export type Message =
  /** Are you there? For `target` alone: an address may have a new owner. */
  | { readonly kind: 'ping'; readonly sequence: number; readonly target: NodeId }
  | { readonly kind: 'ack'; readonly sequence: number }
  /** A relay's word that the target did not answer it either: so the relay at least is well. */
  | { readonly kind: 'nack'; readonly sequence: number }
  /** Please ping `target` for me; my probe ends in `remainingMs`. */
  | {
      readonly kind: 'ping-request';
      readonly sequence: number;
      readonly target: NodeId;
      readonly address: MemberAddress;
      readonly remainingMs: number;
    }
  | { readonly kind: 'gossip' };

const kinds = ['ping', 'ack', 'nack', 'ping-request', 'gossip'] as const;
const wordsOf: Readonly<Record<Message['kind'], number>> = {
  ...{ ping: 2, ack: 1, nack: 1, 'ping-request': 5, gossip: 0 },
};

export interface Packet {
  readonly message: Message;
  /** Statements still sealed. */
  readonly claims: readonly (Accusation | Told | Uint8Array)[];
}

function words(message: Message): readonly (number | string)[] {
  switch (message.kind) {
    case 'ping':
      return [message.sequence, message.target];
    case 'ack':
    case 'nack':
      return [message.sequence];
    case 'ping-request':
      return [
        message.sequence,
        message.target,
        message.address.host,
        message.address.port,
        message.remainingMs,
      ];
    case 'gossip':
      return [];
  }
}

/** Bytes that a message leaves to claims. */
export function roomBeside(message: Message): number {
  let taken = 8;
  for (const word of words(message)) taken += typeof word === 'string' ? word.length + 2 : 5;
  return packetBytes - taken;
}

/** One for all packets: each is copied out whole. */
const writer = new Writer(packetBytes);

/** Throws when it is longer than `packetBytes`: who packs asks `roomBeside` before. */
export function encodePacket(message: Message, claims: readonly PackedClaim[]): Uint8Array {
  writer.array(3 + claims.length);
  writer.natural(protocolVersion);
  writer.natural(kinds.indexOf(message.kind));
  writeWords(words(message));
  for (const claim of claims) {
    if (claim instanceof Uint8Array) writer.byteString(claim);
    else writeWords(claim);
  }
  return writer.take();
}

function writeWords(list: readonly (number | string)[]): void {
  writer.array(list.length);
  for (const word of list) {
    if (typeof word === 'number') writer.natural(word);
    else writer.text(word);
  }
}

/** `undefined` for whatever is not a packet of ours, whole and in form. Sealed statements are windows into it. */
export function decodePacket(bytes: Uint8Array): Packet | undefined {
  if (bytes.length > packetBytes) return undefined;
  const reader = new Reader(bytes);
  const values = reader.array();
  if (values < 3 || reader.natural(255) !== protocolVersion) return undefined;
  const message = readMessage(reader);
  if (!message) return undefined;
  const claims: (Accusation | Told | Uint8Array)[] = [];
  for (let left = values - 3; left > 0; left--) {
    const piece = readPiece(reader);
    if (!piece) return undefined;
    claims.push(piece);
  }
  return reader.good() ? { message, claims } : undefined;
}

/** Its kind, then its words. */
function readMessage(reader: Reader): Message | undefined {
  const kind = kinds[reader.natural(kinds.length - 1)]!;
  if (reader.array() !== wordsOf[kind]) return undefined;
  if (kind === 'gossip') return { kind };
  const sequence = reader.natural();
  if (kind === 'ack' || kind === 'nack') return { kind, sequence };
  const target = reader.word(63);
  if (kind === 'ping') return { kind, sequence, target };
  const address = { host: reader.word(253), port: reader.natural(65_535) };
  return { kind, sequence, target, address, remainingMs: reader.natural(3_600_000) };
}
