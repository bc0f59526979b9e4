/** What every driver of granted files promises, over a real secret box and a store in memory. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FileGrant } from '../../../protocols/apps/service-model.ts';
import type { GrantFiles, Ports } from '../../../protocols/ports.ts';
import { keys } from '../../../protocols/state/keys.ts';
import { MemoryKeys } from '../../../runtime/drivers/secrets/key-ring.ts';
import { createSecretBox } from '../../../runtime/drivers/secrets/secret-box.ts';
import { createMemoryStore } from '../../../runtime/drivers/store/memory/memory-store.ts';
import { unsealFrom, type Unseal } from '../../../runtime/drivers/grants/unseal.ts';
import { HeapClock } from '../../../runtime/world/heap-clock.ts';
import { realClock } from '../../../runtime/world/real-clock.ts';
import { realRandom } from '../../../runtime/world/real-random.ts';
import { newCall, refusal } from '../../kit/port-call.ts';

export interface SeenFile {
  readonly text: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface GrantFilesArm {
  readonly grants: GrantFiles;
  /** The same machine met by the next life of the daemon. */
  again(): GrantFiles;
  /** A file as its container sees it: by one of its mounts and the path below it. */
  see(source: string, below: string): Promise<SeenFile | undefined>;
  /** Containers that have files. */
  holders(): Promise<readonly string[]>;
  /** Time goes on. */
  age(ms: number): void;
  close(): Promise<void>;
}

export function grantFilesConformance(
  name: string,
  makeArm: (unseal: Unseal) => Promise<GrantFilesArm>,
): void {
  describe(`granted files: ${name}`, () => {
    let arm: GrantFilesArm;
    let ports: Pick<Ports, 'store' | 'secrets'>;
    beforeEach(async () => {
      const store = createMemoryStore({ clock: realClock, random: realRandom });
      const secrets = createSecretBox({ storage: new MemoryKeys(), random: realRandom, store: () => store });
      ports = { store, secrets };
      arm = await makeArm(unsealFrom(ports));
    });
    afterEach(() => arm.close());

    const keep = async (place: string, version: string, text: string) => {
      const held = { name: place, version };
      const content = Buffer.from(text).toString('base64');
      const { sealed } = await ports.secrets.seal({ ...held, content }, newCall());
      const put = { op: 'put' as const, key: keys.sealed(place, version), value: sealed };
      await ports.store.txn({ requestId: newCall().key, compare: [], then: [put] }, newCall());
      return held;
    };
    const grant = (target: string, more: Partial<FileGrant> = {}): FileGrant => ({
      kind: 'secret',
      source: 's',
      target,
      ...more,
    });
    const owner = { uid: 0, gid: 0 };
    const place = async (id: string, ...files: FileGrant[]) =>
      (await arm.grants.place({ id, files, owner }, newCall())).mounts;
    /** As the container would see a target. */
    const seen = async (mounts: Awaited<ReturnType<typeof place>>, target: string) => {
      const mount = mounts.find((one) => target === one.target || target.startsWith(`${one.target}/`));
      return mount && arm.see(mount.source, target.slice(mount.target.length + 1));
    };

    it('are where the grants say, 0400 and the owner’s unless they say otherwise', async () => {
      const [one, two] = [await keep('secrets/a', '1', 'one'), await keep('secrets/b', '1', 'two')];
      const mounts = await place(
        'c-1',
        grant('/run/secrets/a', { held: one }),
        grant('/run/secrets/deep/b', { held: two, uid: 7, gid: 8, mode: 0o440 }),
        grant('/etc/app/conf', { held: two, mode: 0o444 }),
      );
      expect(mounts.every(({ type, readOnly }) => type === 'bind' && readOnly)).toBe(true);
      expect(await seen(mounts, '/run/secrets/a')).toEqual({ text: 'one', mode: 0o400, uid: 0, gid: 0 });
      expect(await seen(mounts, '/run/secrets/deep/b')).toEqual({ text: 'two', mode: 0o440, uid: 7, gid: 8 });
      expect(await seen(mounts, '/etc/app/conf')).toMatchObject({ text: 'two', mode: 0o444 });
    });

    it('are each container’s own, and placing again is the same', async () => {
      const held = await keep('secrets/a', '1', 'one');
      const first = await place('c-1', grant('/run/secrets/a', { held }));
      const other = await place('c-2', grant('/run/secrets/a', { held }));
      expect(other[0]!.source).not.toBe(first[0]!.source);
      expect(await place('c-1', grant('/run/secrets/a', { held }))).toEqual(first);
      expect(await arm.holders()).toEqual(['c-1', 'c-2']);
    });

    it('outlive the daemon and go with their container', async () => {
      const held = await keep('secrets/a', '1', 'one');
      const mounts = await place('c-1', grant('/run/secrets/a', { held }));
      const next = arm.again();
      expect(await seen(mounts, '/run/secrets/a')).toMatchObject({ text: 'one' });
      await next.remove({ id: 'c-1' }, newCall());
      await next.remove({ id: 'c-1' }, newCall());
      expect(await arm.holders()).toEqual([]);
      expect(await seen(mounts, '/run/secrets/a')).toBeUndefined();
    });

    it('are renewed where they are, and only when there is news', async () => {
      const [old, young] = [
        await keep('secrets/a', '1', 'a longer one'),
        await keep('secrets/a', '2', 'new'),
      ];
      const files = (held: typeof old) => [
        grant('/run/secrets/a', { held }),
        grant('/etc/app/conf', { held, uid: 5 }),
      ];
      const mounts = await place('c-1', ...files(old));
      const renew = async (held: typeof old) =>
        (await arm.again().renew({ id: 'c-1', files: files(held), owner }, newCall())).changed;
      expect(await renew(old)).toBe(false);
      expect(await renew(young)).toBe(true);
      expect(await renew(young)).toBe(false);
      for (const target of ['/run/secrets/a', '/etc/app/conf'])
        expect(await seen(mounts, target)).toMatchObject({ text: 'new', mode: 0o400 });
      expect((await arm.grants.renew({ id: 'c-9', files: files(old), owner }, newCall())).changed).toBe(
        false,
      );
    });

    it('of containers that are gone are swept, not those of the youngest', async () => {
      const held = await keep('secrets/a', '1', 'one');
      for (const id of ['c-1', 'c-2']) await place(id, grant('/run/secrets/a', { held }));
      const sweep = (...keepIds: string[]) => arm.grants.sweep({ keep: keepIds }, newCall());
      await sweep();
      expect(await arm.holders()).toEqual(['c-1', 'c-2']);
      arm.age(600_000);
      await sweep('c-2');
      expect(await arm.holders()).toEqual(['c-2']);
    });

    it('that cannot be are refused with a code, and nothing is left', async () => {
      const held = await keep('secrets/a', '1', 'one');
      expect((await refusal(place('c-1', grant('/run/secrets/a')))).code).toBe('HM-SECRET-UNKNOWN');
      const gone = { ...held, version: '9' };
      expect((await refusal(place('c-1', grant('/x', { held: gone })))).code).toBe('HM-SECRET-UNKNOWN');
      for (const target of ['/', '/run/secrets/../..', 'relative'])
        expect((await refusal(place('c-1', grant(target, { held })))).code).toBe('HM-CONTAINER-CREATE');
      expect(await arm.holders()).toEqual([]);
    });

    it.each(['/run/secrets/../../etc/passwd', '/run/secrets/./x', '/run//secrets/x'])(
      'never leave their folder (%s)',
      async (target) => {
        const held = await keep('secrets/a', '1', 'one');
        for (const { source } of await place('c-1', grant(target, { held })))
          expect(source).toMatch(/c-1\/(whole|single\/0)$/);
      },
    );
  });
}

/** A clock that a test moves: wall time runs on from the present. */
export function movableClock() {
  const clock = new HeapClock();
  let ahead = 0;
  return {
    clock: {
      ...realClock,
      now: () => realClock.now() + ahead,
      monotonicMs: () => clock.monotonicMs() + ahead,
    },
    age: (ms: number) => void (ahead += ms),
  };
}
