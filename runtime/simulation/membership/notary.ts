/**
 * The notary of simulated members: as hard to cheat for what the simulation does (bytes changed under way, words put into
 * another's mouth by accident), and a hundred times cheaper than signatures. It withstands no attacker: the real one is
 * tried against those.
 */
import { hashText } from '../../../protocols/hash.ts';
import type { NodeId, Notary } from '../../../protocols/membership/model.ts';

const text = new TextDecoder('latin1');
const tagLength = 16;

export function simulatedNotary(id: NodeId): Notary {
  return {
    seal: (body) => {
      const head = Buffer.from(`${id}\0`);
      return Buffer.concat([head, body, Buffer.from(tagOf(id, body), 'latin1')]);
    },
    open: (sealed) => {
      const end = sealed.indexOf(0);
      if (end < 1 || sealed.length < end + 1 + tagLength) return undefined;
      const signer = text.decode(sealed.subarray(0, end));
      const body = sealed.subarray(end + 1, sealed.length - tagLength);
      return text.decode(sealed.subarray(sealed.length - tagLength)) === tagOf(signer, body)
        ? { id: signer, body }
        : undefined;
    },
  };
}

function tagOf(id: NodeId, body: Uint8Array): string {
  return hashText(`${id}/${text.decode(body)}`)
    .slice(0, tagLength)
    .padEnd(tagLength, '0');
}
