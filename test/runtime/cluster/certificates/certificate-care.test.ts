/** A certificate while the node runs, in virtual time: renewed at two thirds of its term, tried again until it is. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Issued } from '../../../../protocols/cluster/join.ts';
import type { NodeEvent } from '../../../../protocols/effects.ts';
import { coded } from '../../../../protocols/errors.ts';
import { limits } from '../../../../protocols/limits.ts';
import {
  issueCertificate,
  keyOfRequest,
  makeAuthority,
  type Authority,
} from '../../../../runtime/cluster/certificates/authority.ts';
import { CertificateCare } from '../../../../runtime/cluster/certificates/certificate-care.ts';
import { HeapClock } from '../../../../runtime/world/heap-clock.ts';
import { seededRandom } from '../../../../runtime/world/seeded-random.ts';
import { refusalOf } from '../joining/desk.ts';
import { issueCredential, nodeIdOf } from '../../../../transport/secure/credentials.ts';

const label = 'c0ffee';
/** Short, as a node looks at its clock again and again. */
const certificateMs = 3_600_000;
const random = seededRandom(9);
const { privateKey: key, publicKey } = generateKeyPairSync('ed25519');
const identity = { id: nodeIdOf(publicKey), key };

let clock: HeapClock;
let authority: Authority;
let care: CertificateCare;
let refuse: Error | undefined;
let asked = 0;
/** What keeping is held up by. */
let disk: Promise<void>;
/** Happens while a certificate is asked for. */
let meanwhile: () => Promise<unknown>;
const kept: Issued[] = [];
const events: NodeEvent[] = [];

async function issue(): Promise<Issued> {
  const now = clock.now();
  const leaf = { label, name: 'n2', role: 'agent', key: publicKey, now, termMs: certificateMs } as const;
  const notAfter = Math.floor((now + certificateMs) / 1_000);
  const credential = issueCredential(createPrivateKey(authority.key), {
    label,
    name: 'n2',
    key: publicKey,
    notAfter,
  });
  return {
    certificate: await issueCertificate(random, authority, leaf),
    authority: authority.certificate,
    credential: Buffer.from(credential).toString('base64'),
    gossipKeys: ['a'],
  };
}

beforeEach(async () => {
  clock = new HeapClock();
  authority = await makeAuthority(random, { label, now: clock.now() });
  refuse = undefined;
  asked = 0;
  disk = Promise.resolve();
  meanwhile = () => Promise.resolve();
  kept.length = 0;
  events.length = 0;
  care = new CertificateCare({
    identity,
    name: 'n2',
    label,
    issued: await issue(),
    clock,
    random,
    renew: async (request) => {
      asked += 1;
      if (refuse) throw refuse;
      expect(nodeIdOf(await keyOfRequest(request))).toBe(identity.id);
      const answer = await issue();
      await meanwhile();
      return answer;
    },
    renewed: async (issued) => {
      await disk;
      kept.push(issued);
    },
    tell: (event) => events.push(event),
  });
});
afterEach(() => care.stop());

/** Certificates are made at once: nothing waits for real time. */
async function pass(ms: number, times: number): Promise<void> {
  await clock.advance(ms);
  expect(asked).toBe(times);
}

const term = certificateMs + limits.clusterSkewMs;

test('renewed at two thirds of its term, again and again; what is shown and sealed is the new one', async () => {
  care.start();
  await clock.advance((term * 2) / 3 - limits.clusterSkewMs - 1_000);
  expect(asked).toBe(0);
  const old = care.tls().certificate;
  const sealed = care.notary.seal(Uint8Array.of(1));
  await pass(2_000, 1);
  expect(kept.length).toBe(1);
  expect(care.tls().certificate).not.toBe(old);
  expect(care.tls().certificate).toContain(kept[0]!.certificate);
  expect(care.view().until).toBeGreaterThan(clock.now() + certificateMs - 10_000);
  // What was sealed before stays good for its term.
  expect(care.notary.open(sealed)).toMatchObject({ id: identity.id, name: 'n2' });
  expect(events[0]).toMatchObject({ type: 'cluster.renewed', subject: 'n2' });
  await pass((term * 2) / 3, 2);
});

test('a server that is away: tried again for ever, told once, and good when it is back, also after the end', async () => {
  refuse = coded('HM-PEER-UNREACHABLE');
  care.start();
  await pass((term * 2) / 3 - limits.clusterSkewMs, 1);
  for (let times = 2; times <= 30; times++) {
    expect(clock.timers).toBe(1);
    await pass(clock.untilNextMs()!, times);
  }
  expect(events.map(({ type }) => type)).toEqual(['cluster.unrenewed']);
  expect(care.view().unrenewed?.code).toBe('HM-PEER-UNREACHABLE');
  // Days without a server.
  refuse = undefined;
  await pass(limits.renewalRetryMostMs, 31);
  expect(events.length).toBe(2);
  expect(care.view().unrenewed).toBeUndefined();
});

test('keys are in use and kept before it says so, to whoever told them and however often', async () => {
  disk = Promise.reject(coded('HM-DISK-FULL'));
  await expect(care.adoptKeys(['a', 'b'])).rejects.toMatchObject({ reason: { code: 'HM-DISK-FULL' } });
  let write!: () => void;
  disk = new Promise((resolve) => (write = resolve));
  const said: string[] = [];
  const again = care.adoptKeys(['a', 'b']).then(() => said.push('again'));
  const onceMore = care.adoptKeys(['a', 'b']).then(() => said.push('once more'));
  const others = care.adoptKeys(['b', 'a']).then(() => said.push('others'));
  await new Promise(setImmediate);
  expect(said).toEqual([]);
  write();
  await Promise.all([again, onceMore, others]);
  expect(kept.map(({ gossipKeys }) => String(gossipKeys))).toEqual(['b,a']);
  await care.adoptKeys(['b', 'a']);
  expect(kept).toHaveLength(1);
});

test('keys that are told while a certificate is asked for are newer than those of the answer', async () => {
  meanwhile = () => care.adoptKeys(['b']);
  const before = care.issued.certificate;
  await care.renew();
  expect(care.issued.certificate).not.toBe(before);
  expect(kept.map(({ gossipKeys }) => String(gossipKeys))).toEqual(['b', 'b']);
  meanwhile = () => Promise.resolve();
  await care.renew();
  expect(kept.at(-1)?.gossipKeys).toEqual(['a']);
});

test('who has stopped takes nothing any more, and what is being kept comes before the end', async () => {
  let write!: () => void;
  disk = new Promise((resolve) => (write = resolve));
  const refused = { code: 'HM-PEER-REFUSED' };
  const under = care.adoptKeys(['a', 'b']);
  await new Promise(setImmediate);
  const behind = refusalOf(care.adoptKeys(['b', 'a']));
  let hasStopped = false;
  const stopped = care.stop().then(() => (hasStopped = true));
  const after = refusalOf(care.adoptKeys(['b']));
  await new Promise(setImmediate);
  expect(hasStopped).toBe(false);
  write();
  await Promise.all([under, stopped]);
  expect(await Promise.all([behind, after])).toMatchObject([refused, refused]);
  expect(kept.map(({ gossipKeys }) => String(gossipKeys))).toEqual(['a,b']);
});

test('a certificate for another key or name is not taken', async () => {
  const { publicKey: strange } = generateKeyPairSync('ed25519');
  const wrong = new CertificateCare({
    identity,
    name: 'n2',
    label,
    issued: care.issued,
    clock,
    random,
    renew: async () => {
      const leaf = { label, name: 'n2', role: 'agent', key: strange, now: clock.now() } as const;
      return { ...care.issued, certificate: await issueCertificate(random, authority, leaf) };
    },
    renewed: async (issued) => void kept.push(issued),
    tell: () => undefined,
  });
  await expect(wrong.renew()).rejects.toMatchObject({ reason: { code: 'HM-CLUSTER-CERTIFICATE' } });
  expect(kept).toEqual([]);
  const shown = new X509Certificate(wrong.tls().certificate);
  expect(shown.publicKey.equals(createPublicKey(key))).toBe(true);
});

test('a clock that was ahead when the certificate was made, and is set right: another one at once', async () => {
  const ahead = new HeapClock(clock.now() + 10 * certificateMs);
  let time: HeapClock = ahead;
  const real = clock;
  const moved = {
    now: () => time.now(),
    monotonicMs: () => real.monotonicMs(),
    setTimer: (ms: number, run: () => void) => real.setTimer(ms, run),
    clearTimer: (timer: unknown) => real.clearTimer(timer),
    defer: (run: () => void) => real.defer(run),
  };
  clock = ahead;
  const issued = await issue();
  clock = real;
  const tried = new CertificateCare({
    identity,
    name: 'n2',
    label,
    issued,
    clock: moved,
    random,
    renew: () => issue(),
    renewed: async (next) => void kept.push(next),
    tell: () => undefined,
  });
  tried.start();
  await clock.advance(limits.clockLookMs);
  expect(kept).toEqual([]);
  time = clock;
  await clock.advance(limits.clockLookMs);
  expect(kept.length).toBe(1);
  await tried.stop();
});
