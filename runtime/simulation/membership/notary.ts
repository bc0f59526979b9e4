/**
 * The notary of simulated members: as hard to cheat for what the simulation does (bytes changed under way, words put into
 * another's mouth by accident), and a hundred times cheaper than signatures. It withstands no attacker: the real one is
 * tried against those.
 */
import { LRUCache } from 'lru-cache';
import { hashText } from '../../../protocols/hash.ts';
import type { NodeId, Notary, Signed } from '../../../protocols/membership/model.ts';

const tagLength = 16;

/** Judgements depend on the bytes alone, so all notaries share them: a few words of each of a thousand members. */
const judged = new LRUCache<string, Signed>({ max: 16_384 });

export function simulatedNotary(id: NodeId, name: string): Notary {
  return {
    seal: (body) => {
      const head = `${id} ${name}`;
      const parts = [Buffer.from(`${head}\0`), body, Buffer.from(tagOf(head, body), 'latin1')];
      return new Uint8Array(Buffer.concat(parts));
    },
    open: (sealed) => {
      const text = latin1(sealed);
      const known = judged.get(text);
      if (known) return known;
      const signed = judge(sealed);
      if (signed) judged.set(text, signed);
      return signed;
    },
  };
}

function judge(sealed: Uint8Array): Signed | undefined {
  const end = sealed.indexOf(0);
  if (end < 1 || sealed.length < end + 1 + tagLength) return undefined;
  const head = latin1(sealed.subarray(0, end));
  // A copy: the packet it came in is not kept for it.
  const body = Uint8Array.from(sealed.subarray(end + 1, sealed.length - tagLength));
  if (latin1(sealed.subarray(sealed.length - tagLength)) !== tagOf(head, body)) return undefined;
  const [signer, called] = head.split(' ');
  return signer === undefined || called === undefined ? undefined : { id: signer, name: called, body };
}

function tagOf(head: string, body: Uint8Array): string {
  return hashText(`${head}/${latin1(body)}`)
    .slice(0, tagLength)
    .padEnd(tagLength, '0');
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
