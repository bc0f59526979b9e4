/** DNS answers as bytes. */
import packet, { type Answer as Record_, type DecodedPacket } from 'dns-packet';
import { answer, zoneName, type Zone } from '../../../protocols/discovery/answers.ts';
import { limits } from '../../../protocols/limits.ts';

const responseFlags = packet.AUTHORITATIVE_ANSWER | packet.RECURSION_AVAILABLE;
const rcodes = { nxdomain: 3, servfail: 2 } as const;

/** The zone's own answer, or `undefined` when the question is to be forwarded. */
export function reply(zone: Zone, query: DecodedPacket, client: string, turn: number): Buffer | undefined {
  const question = query.questions?.[0];
  if (!question) return undefined;
  const { name, type } = question;
  const found = answer(zone, { name, type }, client, turn);
  const ttl = limits.dnsTtlS;
  switch (found.kind) {
    case 'forward':
      return undefined;
    case 'addresses':
      return encode(
        query,
        0,
        found.addresses.map((data) => ({ name, type: 'A', class: 'IN', ttl, data })),
        [],
      );
    case 'pointer':
      return encode(query, 0, [{ name, type: 'PTR', class: 'IN', ttl, data: found.name }], []);
    case 'nodata':
      return encode(query, 0, [], [authority()]);
    case 'nxdomain':
      return encode(query, rcodes.nxdomain, [], [authority()]);
  }
}

export function servfail(query: DecodedPacket): Buffer {
  return encode(query, rcodes.servfail, [], []);
}

/** The head and the question of an answer that does not fit, with TC set: the asker comes again by TCP. */
export function truncated(full: Buffer): Buffer {
  const decoded = packet.decode(full);
  const { id = 0, flags = 0, questions = [] } = decoded;
  return packet.encode({ type: 'response', id, flags: flags | packet.TRUNCATED_RESPONSE, questions });
}

function encode(query: DecodedPacket, rcode: number, answers: Record_[], authorities: Record_[]): Buffer {
  const recursion = (query.flags ?? 0) & packet.RECURSION_DESIRED;
  return packet.encode({
    type: 'response',
    id: query.id ?? 0,
    flags: responseFlags | recursion | rcode,
    questions: query.questions ?? [],
    answers,
    authorities,
  });
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
