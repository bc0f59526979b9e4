/**
 * What members send each other as datagrams: a probe, its answers, or gossip alone; each carries claims in what room is
 * left. One self-contained msgpack array a packet: nothing of one is needed to read another.
 */
import { decodePlain } from '../wire/codec.ts';
import { unpackPiece, type PackedClaim, type Told } from './claims/codec.ts';
import { Fields } from '../wire/fields.ts';
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
  const taken = words(message).reduce<number>(
    (sum, word) => sum + (typeof word === 'string' ? word.length + 2 : 5),
    8,
  );
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

/** `undefined` for whatever is not a packet of ours, whole and in form. */
export function decodePacket(bytes: Uint8Array): Packet | undefined {
  let value: unknown;
  try {
    value = decodePlain(bytes, packetBytes);
  } catch {
    return undefined;
  }
  const fields = Fields.of(value);
  if (fields.natural(255) !== protocolVersion) return undefined;
  const kind = fields.one(kinds);
  const [own, ...packed] = fields.rest();
  if (!fields.good()) return undefined;
  const message = messageOf(kind, Fields.of(own));
  const claims = packed.map(unpackPiece);
  if (!message || claims.includes(undefined)) return undefined;
  return { message, claims: claims as Packet['claims'] };
}

function messageOf(kind: Message['kind'], fields: Fields): Message | undefined {
  const message = ((): Message => {
    if (kind === 'gossip') return { kind };
    const sequence = fields.natural();
    if (kind === 'ack' || kind === 'nack') return { kind, sequence };
    const target = fields.word(63);
    if (kind === 'ping') return { kind, sequence, target };
    const address = { host: fields.word(253), port: fields.natural(65_535) };
    return { kind, sequence, target, address, remainingMs: fields.natural(3_600_000) };
  })();
  return fields.good() ? message : undefined;
}
