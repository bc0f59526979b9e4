/** Records under a node's signature, with real keys: what it signed opens, and nothing else does. */
import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { openStatement, sealStatement } from '../../../protocols/membership/claims/codec.ts';
import type { Records } from '../../../protocols/observed/model.ts';
import { issueCredential, nodeIdOf } from '../../../transport/secure/credentials.ts';
import { createNotary } from '../../../transport/secure/notary.ts';
import { createRecordSeals } from '../../../transport/secure/record-seals.ts';

const start = 1_767_225_600_000;
const authority = generateKeyPairSync('ed25519');
const call = { key: 'k', signal: new AbortController().signal };

function node(name: string, now = start) {
  const { privateKey: key, publicKey } = generateKeyPairSync('ed25519');
  const credential = issueCredential(authority.privateKey, {
    label: 'shop',
    name,
    key: publicKey,
    notAfter: start / 1_000 + 3_600,
  });
  const authorities = [authority.publicKey];
  const notary = createNotary({ label: 'shop', credential, key, authorities, now: () => now });
  const seals = createRecordSeals(notary, () => start + 0.5);
  return { id: nodeIdOf(publicKey), notary, seals };
}

const records: Records = {
  facts: { sequence: 1, value: { cpus: 4, labels: { zone: 'a' } } },
  'container/shop/web.1': { sequence: 3, value: { slot: 'shop/web.1', startedAt: 1_767_225_600_000 } },
};

test('what a node signed opens at another, in any order of its records, and says who and how new', async () => {
  const [n1, n2] = [node('n1'), node('n2')];
  const { head, hash, at } = await n1.seals.seal({ boot: 2, sequence: 3, records }, call);
  const turned = Object.fromEntries(Object.entries(records).reverse());
  const opened = await n2.seals.open({ head, records: turned }, call);
  expect(opened).toEqual({ id: n1.id, name: 'n1', boot: 2, sequence: 3, hash, at });
  expect(at).toBe(start);
});

test.each<[string, Records]>([
  ['a record less', { facts: records['facts']! }],
  ['a record more', { ...records, resources: { sequence: 3, value: {} } }],
  ['another value', { ...records, facts: { sequence: 1, value: { cpus: 5, labels: { zone: 'a' } } } }],
  ['another sequence', { ...records, facts: { sequence: 2, value: records['facts']!.value } }],
])('with %s it does not open', async (_what, changed) => {
  const [n1, n2] = [node('n1'), node('n2')];
  const { head } = await n1.seals.seal({ boot: 2, sequence: 3, records }, call);
  await expect(n2.seals.open({ head, records: changed }, call)).rejects.toMatchObject({
    reason: { code: 'HM-RECORDS-FORGED' },
  });
});

test('a signature for something else, a changed head and a credential that is over are refused', async () => {
  const [n1, n2] = [node('n1'), node('n2')];
  const { head } = await n1.seals.seal({ boot: 2, sequence: 3, records }, call);
  const touched = head.slice();
  touched[touched.length - 3]! ^= 1;
  const later = node('n3', start + 7_200_000);
  // A member's own word, rightly signed.
  const profile = {
    name: 'n1',
    address: { host: '10.0.0.1', port: 4_484 },
    condition: 'ready',
    versions: [1, 1],
    zone: '',
  } as const;
  const words = { id: n1.id, incarnation: { boot: 2, counter: 3 }, left: false, profile };
  const statement = sealStatement(words, n1.notary).bytes;
  expect(openStatement(statement, n2.notary)).toBeDefined();
  expect(openStatement(head, n2.notary)).toBeUndefined();
  for (const [opener, given] of [
    [n2, touched],
    [later, head],
    [n2, statement],
    [n2, new Uint8Array(0)],
    [n2, new Uint8Array(5_000)],
  ] as const)
    await expect(opener.seals.open({ head: given, records }, call)).rejects.toMatchObject({
      reason: { code: 'HM-RECORDS-FORGED' },
    });
});
