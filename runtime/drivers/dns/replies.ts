/** Questions and answers as bytes. What is answered is decided in `protocols/discovery/answers.ts`. */
import packet, { type Answer as Record_, type DecodedPacket, type Question } from 'dns-packet';
import { zoneName, type Answer } from '../../../protocols/discovery/answers.ts';
import { limits } from '../../../protocols/limits.ts';

const rcodes = { ok: 0, formerr: 1, servfail: 2, nxdomain: 3, notimp: 4, refused: 5 } as const;
export type Refusal = Exclude<keyof typeof rcodes, 'ok' | 'nxdomain'>;

/** Fits every path that packets take (DNS flag day 2020); beyond it the asker comes by TCP. */
const udpBytes = 1_232;
const plainBytes = 512;

/** A decoded question, with what its answer needs. */
export interface Query {
  readonly packet: Pick<DecodedPacket, 'id' | 'flags'>;
  readonly question: Question;
  /** What the asker takes in one datagram, ≤ 1,232. */
  readonly udpBytes: number;
  readonly edns: boolean;
}

/** A question that is understood well enough to be refused. */
export interface Refused {
  readonly refusal: Refusal;
  readonly packet: Pick<DecodedPacket, 'id' | 'flags'>;
}

const headBytes = 12;
/** EDNS and a signature. */
const mostAdditionals = 2;

/** `malformed` is what is no question at all: it gets no answer. The head is looked at first: it is cheap, decoding is not. */
export function decodeQuery(bytes: Buffer): Query | Refused | 'malformed' {
  if (bytes.length < headBytes) return 'malformed';
  const [id, flags, questions, answers, authorities, additionals] = head(bytes);
  if (flags & packetFlags.response || answers > 0 || authorities > 0 || additionals > mostAdditionals)
    return 'malformed';
  if (flags & packetFlags.opcode) return { refusal: 'notimp', packet: { id, flags } };
  if (questions !== 1) return { refusal: 'formerr', packet: { id, flags } };
  let decoded: DecodedPacket;
  try {
    decoded = packet.decode(bytes);
  } catch {
    return 'malformed';
  }
  const question = decoded.questions?.[0];
  if (!question) return 'malformed';
  const opt = decoded.additionals?.find((record) => record.type === 'OPT');
  const offered = opt && 'udpPayloadSize' in opt ? Number(opt.udpPayloadSize) : plainBytes;
  return {
    packet: { id, flags },
    question,
    udpBytes: Math.min(udpBytes, Math.max(plainBytes, offered)),
    edns: opt !== undefined,
  };
}

const packetFlags = { response: 0x8000, opcode: 0x7800 } as const;

function head(bytes: Buffer): [number, number, number, number, number, number] {
  const word = (index: number): number => bytes.readUInt16BE(2 * index);
  return [word(0), word(1), word(2), word(3), word(4), word(5)];
}

/** The zone's own answer. */
export function reply(query: Query, found: Exclude<Answer, { kind: 'forward' }>): Buffer {
  const { name } = query.question;
  const ttl = limits.dnsTtlS;
  switch (found.kind) {
    case 'addresses':
      return encode(
        query,
        'ok',
        found.addresses
          .slice(0, limits.dnsAddresses)
          .map((data) => ({ name, type: 'A', class: 'IN', ttl, data })),
      );
    case 'pointer':
      return encode(query, 'ok', [{ name, type: 'PTR', class: 'IN', ttl, data: found.name }]);
    case 'nodata':
      return encode(query, 'ok', [], [authority()]);
    case 'nxdomain':
      return encode(query, 'nxdomain', [], [authority()]);
  }
}

export function refuse(query: Pick<Query, 'packet'> & Partial<Query>, because: Refusal): Buffer {
  return encode(query, because, []);
}

/** The head and the question of an answer that does not fit, with TC set: the asker comes again by TCP. */
export function truncated(query: Query, full: Buffer): Buffer {
  const flags = full.readUInt16BE(2) | packet.TRUNCATED_RESPONSE;
  return packet.encode({
    type: 'response',
    id: query.packet.id ?? 0,
    flags,
    questions: [query.question],
    ...(query.edns ? { additionals: [edns()] } : {}),
  });
}

function encode(
  query: Pick<Query, 'packet'> & Partial<Query>,
  rcode: keyof typeof rcodes,
  answers: Record_[],
  authorities: Record_[] = [],
): Buffer {
  const { id = 0, flags = 0 } = query.packet;
  const kept = flags & (packet.RECURSION_DESIRED | packetFlags.opcode);
  const own = rcode === 'ok' || rcode === 'nxdomain' ? packet.AUTHORITATIVE_ANSWER : 0;
  return packet.encode({
    type: 'response',
    id,
    flags: kept | own | packet.RECURSION_AVAILABLE | rcodes[rcode],
    questions: query.question ? [query.question] : [],
    answers,
    authorities,
    // Who speaks EDNS is answered in it.
    ...(query.edns ? { additionals: [edns()] } : {}),
  });
}

function edns(): Record_ {
  return {
    type: 'OPT',
    name: '.',
    udpPayloadSize: udpBytes,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
    options: [],
  } as unknown as Record_;
}

/** Says how long a "no" may be kept: as short as a "yes". */
function authority(): Record_ {
  const minimum = limits.dnsTtlS;
  const data = {
    mname: `ns.${zoneName}`,
    rname: `hostmaster.${zoneName}`,
    serial: 1,
    refresh: 60,
    retry: 60,
    expire: 60,
    minimum,
  };
  return { name: zoneName, type: 'SOA', class: 'IN', ttl: minimum, data };
}
