/**
 * Secrets in the store: set, look, remove, change the key. Values pass through here on their way from the API into the
 * secret box and nowhere else; decisions stand in `protocols/security`.
 */
import { CodedError, coded, reason } from '../../protocols/errors.ts';
import { limits } from '../../protocols/limits.ts';
import type { AppRecord, RevisionRecord } from '../../protocols/apps/model.ts';
import type { Call, Clock, Ports } from '../../protocols/ports.ts';
import type { SealedValue, SecretRecord, SecretView } from '../../protocols/security/model.ts';
import {
  isSecretName,
  nextVersion,
  presentVersion,
  removalRefusal,
  sealedName,
  secretView,
  tooLargeSecret,
  unknownSecret,
  usedBy,
  versionText,
  withVersion,
} from '../../protocols/security/secrets.ts';
import { keys } from '../../protocols/state/keys.ts';
import type { Compare, KeyValue, StoreOp } from '../../protocols/state/model.ts';

export interface Shelf {
  readonly ports: Pick<Ports, 'store' | 'secrets'>;
  readonly clock: Clock;
}

export interface SetRequest {
  readonly name: string;
  readonly content: Uint8Array;
  /** HM-SECRET-UNKNOWN unless there is one already. */
  readonly mustExist: boolean;
}

/** Somebody else wrote first so many times in a row: then it is said. */
const tries = 5;

/** The same value again is no new version. */
export async function setSecret(
  { ports, clock }: Shelf,
  { name, content, mustExist }: SetRequest,
  call: Call,
): Promise<{ readonly name: string; readonly version: number; readonly changed: boolean }> {
  checkName(name);
  if (content.length > limits.secretBytes) throw new CodedError(tooLargeSecret(content.length));
  const text = Buffer.from(content).toString('base64');
  const { digest } = await ports.secrets.digest({ content: text }, call);
  return retried(call, async (own) => {
    const { kv } = await ports.store.get({ key: keys.secret(name) }, own);
    const before = kv?.value as SecretRecord | undefined;
    if (!before && mustExist) throw new CodedError(unknownSecret(name));
    if (!before) await assertRoom(ports, own);
    const present = before && presentVersion(before);
    if (present?.digest === digest) return { name, version: present.version, changed: false };
    const version = nextVersion(before);
    const place = { name: sealedName(name), version: versionText(version) };
    const { sealed } = await ports.secrets.seal({ ...place, content: text }, own);
    const made = { version, digest, sizeBytes: content.length, createdAt: clock.now() };
    const { record, dropped } = withVersion(name, before, made);
    const then: StoreOp[] = [
      { op: 'put', key: keys.secret(name), value: record },
      { op: 'put', key: keys.sealed(place.name, place.version), value: sealed },
      ...dropped.map((old) => deletion(keys.sealed(place.name, versionText(old)))),
    ];
    const written = await commit(ports, [unchanged(keys.secret(name), kv)], then, own);
    return written ? { name, version, changed: true } : undefined;
  });
}

async function assertRoom({ store }: Shelf['ports'], call: Call): Promise<void> {
  const { kvs } = await store.list({ prefix: keys.secrets, limit: limits.secrets }, call);
  if (kvs.length >= limits.secrets)
    throw coded('HM-SECRET-LIMIT', `there are ${kvs.length} secrets already`, { limit: limits.secrets });
}

export async function listSecrets({ ports }: Shelf, call: Call): Promise<readonly SecretView[]> {
  const { kvs } = await ports.store.list({ prefix: keys.secrets, limit: limits.secrets }, call);
  const { specs } = await presentApps(ports, call);
  return kvs.map(({ value }) => {
    const record = value as SecretRecord;
    return secretView(record, usedBy(specs, record.name));
  });
}

export async function showSecret({ ports }: Shelf, name: string, call: Call): Promise<SecretView> {
  checkName(name);
  const { kv } = await ports.store.get({ key: keys.secret(name) }, call);
  if (!kv) throw new CodedError(unknownSecret(name));
  const { specs } = await presentApps(ports, call);
  return secretView(kv.value as SecretRecord, usedBy(specs, name));
}

/** HM-SECRET-USED while an app holds it. */
export async function removeSecret({ ports }: Shelf, name: string, call: Call): Promise<void> {
  checkName(name);
  await retried(call, async (own) => {
    const { kv } = await ports.store.get({ key: keys.secret(name) }, own);
    if (!kv) throw new CodedError(unknownSecret(name));
    const { specs, heads } = await presentApps(ports, own);
    const refusal = removalRefusal(name, usedBy(specs, name));
    if (refusal) throw new CodedError(refusal);
    const versions = (kv.value as SecretRecord).versions;
    const then = [
      deletion(keys.secret(name)),
      ...versions.map(({ version }) => deletion(keys.sealed(sealedName(name), versionText(version)))),
    ];
    // An app that begins to use it meanwhile changes its head. Beyond so many apps its slot would say what is missing.
    const guards = heads.slice(0, limits.storeTxnOps - 1).map((head) => unchanged(head.key, head));
    return (await commit(ports, [unchanged(keys.secret(name), kv), ...guards], then, own)) ? true : undefined;
  });
}

/**
 * A new key wraps every data key; no value is touched, no digest changes. What an earlier, interrupted change left
 * under an older key is brought along first, so that no key is forgotten while something needs it.
 */
export async function changeKey(
  { ports }: Shelf,
  call: Call,
): Promise<{ readonly keyId: string; readonly rewrapped: number }> {
  await rewrapAll(ports, call);
  const { keyId } = await ports.secrets.renewKey({}, call);
  return { keyId, rewrapped: await rewrapAll(ports, call) };
}

async function rewrapAll(ports: Shelf['ports'], call: Call): Promise<number> {
  const present = (await ports.secrets.status({}, call)).keyId;
  let rewrapped = 0;
  let after: string | undefined;
  for (;;) {
    const page = await ports.store.list(
      {
        prefix: keys.allSealed,
        limit: limits.secretPage,
        ...(after === undefined ? {} : { startAfter: after }),
      },
      call,
    );
    for (const kv of page.kvs) {
      after = kv.key;
      if ((kv.value as SealedValue).keyId === present) continue;
      await rewrapOne(ports, kv, call);
      rewrapped += 1;
    }
    if (!page.more) return rewrapped;
  }
}

async function rewrapOne(ports: Shelf['ports'], kv: KeyValue, call: Call): Promise<void> {
  const [, name = '', version = ''] = /^sealed\/(.+)\/([^/]+)$/.exec(kv.key) ?? [];
  const place = { name, version };
  const { sealed } = await ports.secrets.rewrap({ ...place, sealed: kv.value as SealedValue }, call);
  const own = { ...call, key: `${call.key}:${kv.key}:${sealed.keyId}` };
  // Removed meanwhile: nothing is left to do. Sealed values are never written twice.
  await commit(ports, [unchanged(kv.key, kv)], [{ op: 'put', key: kv.key, value: sealed }], own);
}

async function presentApps({ store }: Shelf['ports'], call: Call) {
  const { kvs: heads } = await store.list({ prefix: keys.apps }, call);
  const specs = await Promise.all(
    heads.map(async ({ value }) => {
      const { name, revision } = value as AppRecord;
      const { kv } = await store.get({ key: keys.revision(name, revision) }, call);
      return (kv?.value as RevisionRecord | undefined)?.spec;
    }),
  );
  return { heads, specs: specs.filter((spec) => spec !== undefined) };
}

function checkName(name: string): void {
  if (!isSecretName(name))
    throw coded('HM-SECRET-NAME', `${JSON.stringify(name.slice(0, 200))} is not the name of a secret`);
}

const deletion = (key: string): StoreOp => ({ op: 'delete', key });

const unchanged = (key: string, kv: KeyValue | undefined): Compare => ({
  key,
  field: 'modRevision',
  equals: kv?.modRevision ?? 0,
});

async function commit(
  { store }: Shelf['ports'],
  compare: readonly Compare[],
  then: readonly StoreOp[],
  call: Call,
): Promise<boolean> {
  return (await store.txn({ requestId: call.key, compare, then }, call)).succeeded;
}

async function retried<Value>(
  call: Call,
  attempt: (own: Call) => Promise<Value | undefined>,
): Promise<Value> {
  for (let nth = 1; nth <= tries; nth++) {
    const done = await attempt({ ...call, key: `${call.key}:${nth}` });
    if (done !== undefined) return done;
  }
  throw new CodedError(reason('HM-STORE-CONFLICT'));
}
