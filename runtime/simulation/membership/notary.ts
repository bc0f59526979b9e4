/**
 * The notary of simulated members: as hard to cheat for what the simulation does (bytes changed under way, words put into
 * another's mouth by accident), and a hundred times cheaper than signatures. It withstands no attacker: the real one is
 * tried against those.
 */
import { hashText } from '../../../protocols/hash.ts';
import type { NodeId, Notary } from '../../../protocols/membership/model.ts';

const text = new TextDecoder('latin1');
const tagLength = 16;

export function simulatedNotary(id: NodeId, name: string): Notary {
  return {
    seal: (body) => {
      const head = `${id} ${name}`;
      return Buffer.concat([Buffer.from(`${head}\0`), body, Buffer.from(tagOf(head, body), 'latin1')]);
    },
    open: (sealed) => {
      const end = sealed.indexOf(0);
      if (end < 1 || sealed.length < end + 1 + tagLength) return undefined;
      const head = text.decode(sealed.subarray(0, end));
      const body = sealed.subarray(end + 1, sealed.length - tagLength);
      if (text.decode(sealed.subarray(sealed.length - tagLength)) !== tagOf(head, body)) return undefined;
      const [signer, called] = head.split(' ');
      return signer === undefined || called === undefined ? undefined : { id: signer, name: called, body };
    },
  };
}

function tagOf(head: string, body: Uint8Array): string {
  return hashText(`${head}/${text.decode(body)}`)
    .slice(0, tagLength)
    .padEnd(tagLength, '0');
}
