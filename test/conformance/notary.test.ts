/** Both notaries: what is sealed opens unchanged and says who sealed it; what anybody touched does not open. */
import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { claimBytes, openStatement, sealStatement } from '../../protocols/membership/claims/codec.ts';
import type { Notary, Profile } from '../../protocols/membership/model.ts';
import { simulatedNotary } from '../../runtime/simulation/membership/notary.ts';
import { issueCredential, nodeIdOf } from '../../transport/secure/credentials.ts';
import { createNotary } from '../../transport/secure/notary.ts';

const authority = generateKeyPairSync('ed25519');
const start = 1_767_225_600_000;

interface Given {
  readonly name?: string;
  readonly label?: string;
  readonly now?: () => number;
  readonly by?: typeof authority;
}

function real({ name = 'n1', label = 'shop', now = () => start, by = authority }: Given = {}) {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const notAfter = start / 1_000 + 3_600;
  const credential = issueCredential(by.privateKey, { label, name, key: publicKey, notAfter });
  const notary = createNotary({
    label,
    credential,
    key: privateKey,
    authorities: [authority.publicKey],
    now,
  });
  return { id: nodeIdOf(publicKey), notary };
}

let made = 0;
const arms: readonly (readonly [
  string,
  (name: string) => { readonly id: string; readonly notary: Notary },
])[] = [
  ['with real keys', (name) => real({ name })],
  [
    'simulated',
    (name) => {
      const id = `id${++made}`;
      return { id, notary: simulatedNotary(id, name) };
    },
  ],
];

describe.each(arms)('a notary %s', (_, make) => {
  test('opens what another sealed, and says who it was', () => {
    const [one, two] = [make('n1'), make('n2')];
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), (body) => {
        const opened = two.notary.open(one.notary.seal(body))!;
        expect([opened.id, opened.name]).toEqual([one.id, 'n1']);
        expect(Buffer.from(opened.body).equals(body)).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  test('opens nothing of which a byte changed or is missing', () => {
    const { notary } = make('n1');
    const sealed = notary.seal(Uint8Array.of(1, 2, 3, 4, 5));
    for (let at = 0; at < sealed.length; at++) {
      const forged = Uint8Array.from(sealed);
      forged[at]! ^= 1;
      expect(notary.open(forged)).toBeUndefined();
      expect(notary.open(sealed.subarray(0, at))).toBeUndefined();
    }
    expect(notary.open(sealed)).toBeDefined();
  });

  test('opens nothing that is made up', () => {
    const { notary } = make('n1');
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 700 }), (bytes) => {
        expect(notary.open(bytes)).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });

  test('seals the longest statement within its bound', () => {
    const { id, notary } = make('n'.repeat(63));
    const profile: Profile = {
      name: 'n'.repeat(63),
      address: { host: 'h'.repeat(253), port: 65_535 },
      condition: 'away',
      awayMs: 30_000,
      versions: [0, 255],
      zone: 'z'.repeat(63),
    };
    const incarnation = { boot: 2 ** 32 - 1, counter: 2 ** 32 - 1 };
    const statement = sealStatement({ id, incarnation, left: true, profile }, notary);
    expect(statement.bytes.length).toBeLessThanOrEqual(claimBytes);
    expect(openStatement(statement.bytes, notary)).toMatchObject(statement);
  });
});

describe('a notary with real keys refuses', () => {
  const { notary } = real();
  const body = Uint8Array.of(1, 2, 3);

  test('a credential of another authority', () => {
    expect(notary.open(real({ by: generateKeyPairSync('ed25519') }).notary.seal(body))).toBeUndefined();
  });

  test('a credential of another cluster', () => {
    expect(notary.open(real({ label: 'other' }).notary.seal(body))).toBeUndefined();
  });

  test('a credential whose term is over, also when it was good before', () => {
    let now = start;
    const judge = real({ now: () => now }).notary;
    const sealed = real().notary.seal(body);
    expect(judge.open(sealed)).toBeDefined();
    now += 3_601_000;
    expect(judge.open(sealed)).toBeUndefined();
  });

  test('the credential of one beside the signature of another', () => {
    const [one, two] = [generateKeyPairSync('ed25519'), generateKeyPairSync('ed25519')];
    const notAfter = start / 1_000 + 3_600;
    const credential = issueCredential(authority.privateKey, {
      label: 'shop',
      name: 'n1',
      key: one.publicKey,
      notAfter,
    });
    const thief = createNotary({
      label: 'shop',
      credential,
      key: two.privateKey,
      authorities: [authority.publicKey],
      now: () => start,
    });
    expect(notary.open(thief.seal(body))).toBeUndefined();
  });
});
