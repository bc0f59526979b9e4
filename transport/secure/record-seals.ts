/**
 * Signs a node's records and judges others': the signature covers their version and one hash of all of them, each with
 * its key and the version it is of, so that nothing can be left out, added or taken from another version.
 */
import { createHash } from 'node:crypto';
import { coded } from '../../protocols/errors.ts';
import { limits } from '../../protocols/limits.ts';
import type { Notary } from '../../protocols/membership/model.ts';
import type { Records } from '../../protocols/observed/model.ts';
import type { RecordSeals } from '../../protocols/observed/ports.ts';
import { decodePlain, encodePlain } from '../../protocols/wire/codec.ts';
import { Fields } from '../../protocols/wire/fields.ts';

/** Its first word says what is signed: no statement of a member begins so, and no head of records otherwise. */
const purpose = 'hivemind records 1';
const headBytes = 128;
const latest = 2 ** 53 - 1;

/** `now`, and until when the others take what is signed now: ms since 1970. */
export function createRecordSeals(
  notary: Notary,
  now: () => number,
  until?: () => number | undefined,
): RecordSeals {
  return {
    seal: ({ boot, sequence, records }) =>
      attempt(() => {
        const at = Math.floor(now());
        const hash = hashOf(records);
        const body = encodePlain([purpose, boot, sequence, at, new Uint8Array(hash)], headBytes);
        const end = until?.();
        return {
          head: notary.seal(body),
          hash: hash.toString('hex'),
          at,
          ...(end === undefined ? {} : { until: end }),
        };
      }),
    open: ({ head, records }) =>
      attempt(() => {
        const opened = notary.open(head);
        const fields = Fields.of(opened && decodePlain(opened.body, headBytes));
        const known = fields.text(purpose.length) === purpose;
        const [boot, sequence, at] = [fields.natural(), fields.natural(), fields.natural(latest)];
        const signed = Buffer.from(fields.bytes(32));
        if (!opened || !fields.good() || !known)
          throw coded('HM-RECORDS-FORGED', 'nobody of this cluster signed it');
        if (!hashOf(records).equals(signed))
          throw coded('HM-RECORDS-FORGED', `it is not what ${opened.name} signed`);
        return { id: opened.id, name: opened.name, boot, sequence, at, hash: signed.toString('hex') };
      }),
  };
}

/** A refusal is an answer that comes later, like any other of a port. */
function attempt<Value>(make: () => Value): Promise<Value> {
  return new Promise((resolve) => resolve(make()));
}

function hashOf(records: Records): Buffer {
  const keys = Object.keys(records).sort();
  const lines = keys.map((key) => [key, records[key]!.sequence, records[key]!.value]);
  return createHash('sha256').update(encodePlain(lines, mostBytes)).digest();
}

const mostBytes = limits.recordsPieceBytes * limits.recordsPieces;
