/** One node's records: a difference leads from any version that is remembered to the newest, in pieces too. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { limits } from '../../../protocols/limits.ts';
import type { HeldSet } from '../../../protocols/observed/model.ts';
import {
  emptyContent,
  placeOf,
  revised,
  withLog,
  type LogPlace,
  type SetContent,
} from '../../../protocols/observed/record-set.ts';
import { containerRecord, resourcesOf } from '../../../protocols/observed/own-records.ts';
import { answerPull, unpackPiece, unpackRequest, packRequest } from '../../../protocols/observed/wire.ts';
import { statusOf } from '../../kit/cluster/observed-town.ts';

const wish = fc.dictionary(
  fc.nat(12).map((number) => `container/app/web.${number}`),
  fc.record({ run: fc.nat(3), pad: fc.constantFrom('', 'x'.repeat(4_000)) }),
  { maxKeys: 12 },
);

/** Every version of a node's records, the first empty. */
function versionsOf(wishes: readonly Record<string, unknown>[]): SetContent[] {
  const versions: SetContent[] = [emptyContent];
  for (const one of wishes)
    versions.push(revised(versions.at(-1)!, one, versions.length) ?? versions.at(-1)!);
  return versions;
}

const setOf = (content: SetContent, sequence: number): HeldSet => ({
  ...content,
  boot: 1,
  sequence,
  hash: '0'.repeat(64),
  head: new Uint8Array(8),
  name: 'n1',
  signedAt: 0,
  confirmedAt: 0,
});

test('whoever has a version comes to the newest, whichever changes while it reads', () => {
  fc.assert(
    fc.property(
      fc.array(wish, { minLength: 2, maxLength: 30, size: 'max' }),
      fc.nat(),
      fc.nat(3),
      (wishes, from, haste) => {
        const versions = versionsOf(wishes);
        const since = from % versions.length;
        let present = versions.length - 1 - (haste % Math.max(1, versions.length - since));
        let content = versions[since]!;
        let after: LogPlace | undefined;
        for (let pieces = 0; ; pieces++) {
          expect(pieces).toBeLessThan(50);
          const request = { id: 'n1', boot: 1, sequence: since, ...(after ? { after } : {}) };
          const body = packRequest(request);
          const piece = unpackPiece(answerPull(setOf(versions[present]!, present), unpackRequest(body)!));
          if (!piece || piece === 'none') throw new Error('no piece');
          if (pieces === 0 && piece.whole) content = emptyContent;
          content = withLog(content, piece.lines)!;
          if (!piece.more) break;
          after = placeOf(piece.lines);
          present = Math.min(present + 1, versions.length - 1);
        }
        expect(content.records).toEqual(versions[present]!.records);
      },
    ),
    { numRuns: 300 },
  );
});

test('removals beyond those remembered are told as everything', () => {
  const names = Array.from({ length: limits.recordsGone + 10 }, (_, number) => `container/app/web.${number}`);
  const wishes = names.map((_, kept) =>
    Object.fromEntries(names.slice(kept).map((name) => [name, { run: 1 }])),
  );
  const versions = versionsOf(wishes);
  const newest = setOf(versions.at(-1)!, versions.length - 1);
  const asked = (sequence: number) => unpackPiece(answerPull(newest, { id: 'n1', boot: 1, sequence }));
  expect(asked(3)).toMatchObject({ whole: true });
  expect(asked(20)).toMatchObject({ whole: false });
});

test('a set of another boot, or none, is answered with everything', () => {
  const newest = setOf(versionsOf([{ facts: { a: 1 } }, { facts: { a: 2 } }])[2]!, 2);
  expect(unpackPiece(answerPull(newest, { id: 'n1', boot: 2, sequence: 1 }))).toMatchObject({ whole: true });
  expect(unpackPiece(answerPull(newest, { id: 'n1', boot: 1, sequence: 1 }))).toMatchObject({ whole: false });
  expect(unpackPiece(answerPull(undefined, { id: 'n1', boot: 1, sequence: 1 }))).toBe('none');
});

test('bodies from anywhere are a request, an answer, or nothing', () => {
  fc.assert(
    fc.property(fc.anything(), (body) => {
      unpackRequest(body);
      unpackPiece(body);
    }),
    { numRuns: 2_000 },
  );
});

test('a reason of a thousand words is shortened; what is longer still is left out', () => {
  const because = { code: 'HM-IMAGE-MISSING', message: 'x'.repeat(20_000), hint: '', evidence: {} } as const;
  const status = statusOf(1, 'shop/web.1', { reason: because });
  expect(containerRecord(status)!.reason!.message.length).toBe(200);
  expect(containerRecord({ ...status, image: 'x'.repeat(20_000) })).toBeUndefined();
  expect(containerRecord(statusOf(1, 'shop/web.1'))).toEqual(statusOf(1, 'shop/web.1'));
});

test('the machine’s wavering is no change; a step is, after a while, and three are at once', () => {
  const machine = {
    hostname: 'h',
    os: 'o',
    kernel: 'k',
    architecture: 'x64',
    cpus: 4,
    load: 1,
    memoryBytes: 1_000,
    memoryFreeBytes: 500,
    diskBytes: 1_000,
    diskFreeBytes: 500,
    labels: {},
  };
  const reserved = { cpus: 0, memoryBytes: 0 };
  const first = resourcesOf(machine, reserved, 1, undefined);
  const later = 1 + limits.resourcesRestMs;
  for (const at of [2, later]) {
    expect(resourcesOf({ ...machine, load: 1.9, memoryFreeBytes: 485 }, reserved, at, first)).toBe(first);
    expect(resourcesOf({ ...machine, load: 4.1 }, reserved, at, first).load).toBe(4.1);
    expect(resourcesOf({ ...machine, memoryFreeBytes: 430 }, reserved, at, first).memoryUsedBytes).toBe(570);
  }
  for (const some of [{ load: 2.1 }, { memoryFreeBytes: 470 }, { diskFreeBytes: 480 }]) {
    expect(resourcesOf({ ...machine, ...some }, reserved, later - 1, first)).toBe(first);
    expect(resourcesOf({ ...machine, ...some }, reserved, later, first)).not.toBe(first);
  }
  expect(resourcesOf(machine, { cpus: 1, memoryBytes: 0 }, 2, first).reserved.cpus).toBe(1);
});
