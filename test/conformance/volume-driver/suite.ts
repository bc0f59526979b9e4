/** What every volume driver promises, whatever keeps its folders. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { VolumeDriver } from '../../../protocols/ports.ts';
import { newCall, refusal } from '../../kit/port-call.ts';

export interface VolumeDriverArm {
  readonly volumes: VolumeDriver;
  /** The same machine met by the next life of the daemon. */
  again(): VolumeDriver;
  write(path: string, text: string): Promise<void>;
  /** `undefined` when there is no such file. */
  read(path: string): Promise<string | undefined>;
  /** An absolute path on the node that exists, and one that does not. */
  readonly source: string;
  readonly missingSource: string;
  /** From now on nothing more can be written. */
  fill(): Promise<void>;
  close(): Promise<void>;
}

const web = { slot: 'shop/web.2', hostname: 'web-2', address: '10.42.0.7' };
const named = { ...web, nameserver: '10.42.0.1', search: 'shop.hive.internal' };

export function volumeDriverConformance(name: string, makeArm: () => Promise<VolumeDriverArm>): void {
  describe(`volume driver: ${name}`, () => {
    let arm: VolumeDriverArm;
    beforeEach(async () => {
      arm = await makeArm();
    });
    afterEach(() => arm.close());

    const ensure = async (app: string, volume: string) =>
      (await arm.volumes.ensure({ app, volume }, newCall())).path;
    const remove = (app: string, volume: string) => arm.volumes.remove({ app, volume }, newCall());
    const list = async (driver = arm.volumes) =>
      (await driver.list({}, newCall())).volumes.map(({ app, volume }) => `${app}/${volume}`);

    describe('volumes', () => {
      it('are made once, kept apart, and never emptied', async () => {
        expect(await list()).toEqual([]);
        const path = await ensure('shop', 'db');
        await arm.write(`${path}/rows`, 'one');
        expect(await ensure('shop', 'db')).toBe(path);
        expect(await ensure('blog', 'db')).not.toBe(path);
        expect(await arm.read(`${path}/rows`)).toBe('one');
        expect(await list()).toEqual(['blog/db', 'shop/db']);
        expect((await arm.volumes.list({}, newCall())).volumes[1]).toEqual({
          app: 'shop',
          volume: 'db',
          path,
        });
      });

      it('tell what they take on disk when that is asked for', async () => {
        const path = await ensure('shop', 'db');
        await ensure('shop', 'idle');
        await arm.write(`${path}/rows`, 'x'.repeat(100_000));
        const { volumes } = await arm.volumes.list({ disk: true }, newCall());
        const [rows, idle] = volumes.map(({ diskBytes }) => diskBytes);
        expect(rows).toBeGreaterThanOrEqual(100_000);
        expect(rows).toBeLessThan(200_000);
        expect(idle).toBe(0);
      });

      it('outlive the daemon', async () => {
        const path = await ensure('shop', 'db');
        await arm.write(`${path}/rows`, 'one');
        const next = arm.again();
        expect(await list(next)).toEqual(['shop/db']);
        expect((await next.ensure({ app: 'shop', volume: 'db' }, newCall())).path).toBe(path);
        expect(await arm.read(`${path}/rows`)).toBe('one');
      });

      it('go when they are removed, and only they', async () => {
        const path = await ensure('shop', 'db');
        const other = await ensure('shop', 'cache');
        await arm.write(`${path}/rows`, 'one');
        await arm.write(`${other}/rows`, 'two');
        await remove('shop', 'db');
        await remove('shop', 'db');
        expect(await list()).toEqual(['shop/cache']);
        expect(await arm.read(`${path}/rows`)).toBeUndefined();
        expect(await arm.read(`${other}/rows`)).toBe('two');
        expect(await arm.read(`${await ensure('shop', 'db')}/rows`)).toBeUndefined();
      });

      it('without a name go together, and only they', async () => {
        const path = await ensure('shop', 'db.1.3f9a1c2bd0e1');
        await ensure('shop', 'db.12.3f9a1c2bd0e1');
        await ensure('shop', 'db');
        await ensure('blog', 'db.1.3f9a1c2bd0e1');
        await arm.write(`${path}/rows`, 'one');
        expect(await arm.volumes.remove({ app: 'shop', volume: '*' }, newCall())).toEqual({
          removed: ['db.1.3f9a1c2bd0e1', 'db.12.3f9a1c2bd0e1'],
        });
        expect(await arm.volumes.remove({ app: 'shop', volume: '*' }, newCall())).toEqual({ removed: [] });
        expect(await list()).toEqual(['blog/db.1.3f9a1c2bd0e1', 'shop/db']);
        expect(await arm.read(`${path}/rows`)).toBeUndefined();
      });

      it.each([
        '',
        '.',
        '..',
        'db.0.3f9a1c2bd0e1',
        'db.1.3f9a',
        '..1.3f9a1c2bd0e1',
        '../..',
        'a/b',
        '/etc',
        'a\0b',
        'Shop',
        '-x',
        'x'.repeat(64),
      ])('cannot be named %j', async (bad) => {
        await ensure('shop', 'db');
        for (const [app, volume] of [
          [bad, 'db'],
          ['shop', bad],
        ] as const) {
          expect(await refusal(ensure(app, volume))).toMatchObject({ code: 'HM-VOLUME-DRIVER' });
          expect(await refusal(remove(app, volume))).toMatchObject({ code: 'HM-VOLUME-DRIVER' });
        }
        expect(await list()).toEqual(['shop/db']);
      });
    });

    describe('binds', () => {
      const bind = (source: string, create = false) => arm.volumes.bind({ source, create }, newCall());

      it('are there, or say what is missing', async () => {
        expect(await bind(arm.source)).toEqual({ path: arm.source });
        expect(await refusal(bind(arm.missingSource))).toMatchObject({
          code: 'HM-BIND-MISSING',
          evidence: { source: arm.missingSource },
        });
        expect((await refusal(bind('relative/path', true))).code).toBe('HM-BIND-MISSING');
      });

      it('are made when that is asked for', async () => {
        expect(await bind(arm.missingSource, true)).toEqual({ path: arm.missingSource });
        expect(await bind(arm.missingSource)).toEqual({ path: arm.missingSource });
      });
    });

    describe('run files', () => {
      const contents = async (files: { mounts: readonly { target: string; source: string }[] }) =>
        Object.fromEntries(
          await Promise.all(
            files.mounts.map(async ({ target, source }) => [target, await arm.read(source)] as const),
          ),
        );

      it('name the container, its name server and where it searches', async () => {
        const files = await arm.volumes.prepareRun({ ...named, run: '7.3' }, newCall());
        expect(await contents(files)).toEqual({
          '/etc/hosts': '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n10.42.0.7\tweb-2\n',
          '/etc/hostname': 'web-2\n',
          '/etc/resolv.conf': 'nameserver 10.42.0.1\nsearch shop.hive.internal\n',
        });
        expect(await arm.read(files.stdoutPath)).toBe('');
        expect(await arm.read(files.stderrPath)).toBe('');
        expect(files.stdoutPath).not.toBe(files.stderrPath);
      });

      it('hold the hosts, search list and options that the service names', async () => {
        const names = {
          extraHosts: [
            { host: 'printer', address: '192.0.2.7' },
            { host: 'me', address: 'host-gateway' },
            { host: 'six', address: '2001:db8::1' },
          ],
          dns: ['192.0.2.53'],
          dnsSearch: ['corp.example', '.'],
          dnsOptions: ['ndots:2', 'timeout:1'],
        };
        const more = { domainname: 'corp.example', names };
        const found = await contents(
          await arm.volumes.prepareRun({ ...named, run: '7.3', ...more }, newCall()),
        );
        expect(found['/etc/hosts']).toContain('\n10.42.0.7\tweb-2.corp.example web-2\n');
        expect(found['/etc/hosts']).toContain('192.0.2.7\tprinter\n10.42.0.1\tme\n2001:db8::1\tsix\n');
        // The name server of the node asks 192.0.2.53 in the container's stead.
        expect(found['/etc/resolv.conf']).toBe(
          'nameserver 10.42.0.1\nsearch shop.hive.internal corp.example\noptions ndots:2 timeout:1\n',
        );
        const host = { slot: 'shop/web.2', run: '7.4', hostname: 'web-2', names };
        const shared = await contents(await arm.volumes.prepareRun(host, newCall()));
        expect(shared['/etc/hosts']).toContain('127.0.0.1\tme\n');
        expect(shared['/etc/resolv.conf']).toBe(
          'nameserver 192.0.2.53\nsearch corp.example\noptions ndots:2 timeout:1\n',
        );
      });

      it('keep what a run has written when they are prepared again', async () => {
        const files = await arm.volumes.prepareRun({ ...named, run: '7.3' }, newCall());
        await arm.write(files.stdoutPath, 'hello\n');
        expect(await arm.again().prepareRun({ ...named, run: '7.3' }, newCall())).toEqual(files);
        expect(await arm.read(files.stdoutPath)).toBe('hello\n');
        const next = await arm.volumes.prepareRun({ ...named, run: '7.4' }, newCall());
        expect(await arm.read(next.stdoutPath)).toBe('');
      });

      it("are the machine's own names for a container without an address", async () => {
        const files = await arm.volumes.prepareRun(
          { slot: 'shop/web.2', run: '7.3', hostname: 'web-2' },
          newCall(),
        );
        const found = await contents(files);
        expect(found['/etc/hosts']).toContain('localhost');
        expect(found['/etc/resolv.conf']).not.toContain('hive.internal');
      });

      it('go when their run is no longer kept', async () => {
        const first = await arm.volumes.prepareRun({ ...named, run: '7.3' }, newCall());
        const second = await arm.volumes.prepareRun({ ...named, run: '7.4' }, newCall());
        const other = await arm.volumes.prepareRun({ ...named, slot: 'shop/web.20', run: '7.3' }, newCall());
        await arm.volumes.pruneRuns({ slot: 'shop/web.2', keep: ['7.4'] }, newCall());
        expect(await arm.read(first.stdoutPath)).toBeUndefined();
        expect(await arm.read(second.stdoutPath)).toBe('');
        expect(await arm.read(other.stdoutPath)).toBe('');
        await arm.volumes.pruneRuns({ slot: 'shop/web.2', keep: [] }, newCall());
        await arm.volumes.pruneRuns({ slot: 'shop/web.2', keep: [] }, newCall());
        expect(await arm.read(second.stdoutPath)).toBeUndefined();
      });

      it.each(['', '..', '../7', '7/../..'])('refuse the run %j', async (run) => {
        const refused = await refusal(arm.volumes.prepareRun({ ...named, run }, newCall()));
        expect(refused.code).toBe('HM-VOLUME-DRIVER');
      });
    });

    it('says when the disk is full, and works on when it is not', async () => {
      const path = await ensure('shop', 'db');
      await arm.fill();
      expect((await refusal(ensure('shop', 'other'))).code).toBe('HM-DISK-FULL');
      expect((await refusal(arm.volumes.prepareRun({ ...named, run: '7.3' }, newCall()))).code).toBe(
        'HM-DISK-FULL',
      );
      expect(await ensure('shop', 'db')).toBe(path);
      await remove('shop', 'db');
      expect(await list()).toEqual([]);
    });
  });
}
