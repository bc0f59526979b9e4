/** What every secret box promises, wherever it keeps its keys. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../../../protocols/limits.ts';
import type { SecretBox, StateStore } from '../../../protocols/ports.ts';
import type { SealedValue } from '../../../protocols/security/model.ts';
import { keys } from '../../../protocols/state/keys.ts';
import { createMemoryStore } from '../../../runtime/drivers/store/memory/memory-store.ts';
import { realClock } from '../../../runtime/world/real-clock.ts';
import { realRandom } from '../../../runtime/world/real-random.ts';
import { newCall, refusal } from '../../kit/port-call.ts';

export interface SecretBoxArm {
  /** Over the keys of this arm, for the life of a daemon that meets this store. */
  open(store: StateStore): SecretBox;
  /** The keys are gone; what is opened from now on begins without. */
  loseKeys(): Promise<void>;
  /** All that the arm keeps of its keys, as text. */
  kept(): Promise<string>;
  close(): Promise<void>;
}

const marker = Buffer.from('correct horse battery staple');
const content = marker.toString('base64');
const place = { name: 'secrets/db', version: '00000001' };
export const freshStore = () => createMemoryStore({ clock: realClock, random: realRandom });

export function secretBoxConformance(name: string, makeArm: () => Promise<SecretBoxArm>): void {
  describe(`secret box: ${name}`, () => {
    let arm: SecretBoxArm;
    let store: StateStore;
    let box: SecretBox;
    beforeEach(async () => {
      arm = await makeArm();
      store = freshStore();
      box = arm.open(store);
    });
    afterEach(() => arm.close());

    const seal = async (more: Partial<typeof place & { content: string }> = {}, from = box) =>
      (await from.seal({ ...place, content, ...more }, newCall())).sealed;
    const opened = async (sealed: SealedValue, more: Partial<typeof place> = {}, from = box) =>
      (await from.open({ ...place, ...more, sealed }, newCall())).content;
    const put = (sealed: SealedValue) =>
      store.txn(
        {
          requestId: newCall().key,
          compare: [],
          then: [{ op: 'put', key: keys.sealed(place.name, place.version), value: sealed }],
        },
        newCall(),
      );
    const keyIds = async (from = box) => (await from.status({}, newCall())).keyId;

    it('opens what it sealed, also in its next life, and shows nothing of it', async () => {
      const sealed = await seal();
      expect(await opened(sealed)).toBe(content);
      expect(await opened(sealed, {}, arm.open(store))).toBe(content);
      for (const text of [marker.toString(), content, marker.toString('hex')])
        expect(JSON.stringify(sealed) + (await arm.kept())).not.toContain(text);
    });

    it.each(['', 'x'.repeat(limits.secretBytes), '\0\xff\n'])('keeps every byte (%#)', async (text) => {
      const whole = Buffer.from(text, 'latin1').toString('base64');
      expect(await opened(await seal({ content: whole }))).toBe(whole);
    });

    it('refuses what is too large', async () => {
      const more = Buffer.alloc(limits.secretBytes + 1).toString('base64');
      expect((await refusal(seal({ content: more }))).code).toBe('HM-SECRET-LIMIT');
    });

    it('seals the same value differently each time', async () => {
      const [one, two] = [await seal(), await seal()];
      expect(one.body).not.toBe(two.body);
      expect(one.wrap).not.toBe(two.wrap);
    });

    it('binds a value to its name, its version and its store', async () => {
      const sealed = await seal();
      const elsewhere = arm.open(freshStore());
      for (const attempt of [
        opened(sealed, { name: 'secrets/other' }),
        opened(sealed, { version: '00000002' }),
        opened(sealed, {}, elsewhere),
      ])
        expect((await refusal(attempt)).code).toBe('HM-SECRET-DAMAGED');
    });

    it.each(['wrap', 'body'] as const)('notices every changed byte of the %s', async (part) => {
      const sealed = await seal();
      const bytes = Buffer.from(sealed[part], 'base64');
      for (const at of [0, 13, bytes.length - 1]) {
        const changed = Buffer.from(bytes);
        changed[at]! ^= 1;
        const because = await refusal(opened({ ...sealed, [part]: changed.toString('base64') }));
        expect(because.code).toBe('HM-SECRET-DAMAGED');
        expect(JSON.stringify(because)).not.toContain(content);
      }
      expect((await refusal(opened({ ...sealed, [part]: '' }))).code).toBe('HM-SECRET-DAMAGED');
    });

    it('makes keyed digests that outlive a change of keys', async () => {
      const digest = async (text: string, from = box) =>
        (await from.digest({ content: text }, newCall())).digest;
      const first = await digest(content);
      expect(first).toMatch(/^sha256:[0-9a-f]{64}$/);
      expect(await digest(Buffer.from('other').toString('base64'))).not.toBe(first);
      await box.renewKey({}, newCall());
      expect(await digest(content, arm.open(store))).toBe(first);
      await arm.loseKeys();
      expect(await digest(content, arm.open(freshStore()))).not.toBe(first);
    });

    it('changes keys: the value stays, the key before still opens, the one before that no more', async () => {
      const sealed = await seal();
      const first = await keyIds();
      await box.renewKey({}, newCall());
      expect(await keyIds()).not.toBe(first);
      expect(await opened(sealed)).toBe(content);
      const { sealed: again } = await box.rewrap({ ...place, sealed }, newCall());
      expect(again.body).toBe(sealed.body);
      expect(again.keyId).toBe(await keyIds());
      await box.renewKey({}, newCall());
      expect((await refusal(opened(sealed))).code).toBe('HM-SECRET-KEY');
      expect(await opened(again, {}, arm.open(store))).toBe(content);
    });

    it('is locked when the store holds secrets and the key is gone, and makes no other', async () => {
      const sealed = await seal();
      await put(sealed);
      await arm.loseKeys();
      const next = arm.open(store);
      const { locked } = await next.status({}, newCall());
      expect(locked).toMatchObject({ code: 'HM-SECRET-KEY' });
      expect(locked?.hint).toContain('--secret-key-file');
      for (const attempt of [seal({}, next), opened(sealed, {}, next), next.digest({ content }, newCall())])
        expect((await refusal(attempt)).code).toBe('HM-SECRET-KEY');
    });

    it('is locked with another key', async () => {
      await put(await seal());
      await arm.loseKeys();
      await seal({}, arm.open(freshStore()));
      expect((await arm.open(store).status({}, newCall())).locked?.code).toBe('HM-SECRET-KEY');
    });

    it('makes one key for many first values at once', async () => {
      const sealed = await Promise.all(Array.from({ length: 8 }, () => seal()));
      expect(new Set(sealed.map(({ keyId }) => keyId)).size).toBe(1);
    });
  });
}
