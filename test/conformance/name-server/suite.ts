/**
 * What a name server promises, whoever it is: it answers from the zone it was told last, whole, at once; from no
 * other; and only while it listens.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ZoneUpdate } from '../../../protocols/discovery/model.ts';
import type { NameServer } from '../../../protocols/ports.ts';
import { newCall, refusal } from '../../kit/port-call.ts';

export interface NameServerArm {
  readonly names: NameServer;
  /** Where it is to listen. */
  readonly address: string;
  readonly port: number;
  /** The address that questions come from. */
  readonly client: string;
  /** Addresses joined by blanks, a pointer's name, `nodata`, `nxdomain`, or `nobody` when nobody listens. */
  ask(name: string, type: string): Promise<string>;
  /** Something else listens there until the answer is called. */
  occupy(): Promise<() => Promise<void>>;
  close(): Promise<void>;
}

export function nameServerConformance(driver: string, makeArm: () => Promise<NameServerArm>): void {
  describe(`name server: ${driver}`, () => {
    let arm: NameServerArm;
    const zone = (addresses: readonly string[]): ZoneUpdate => ({
      names: addresses.map((address, at) => ({ app: 'shop', service: 'web', index: at + 1, address })),
      clients: [{ address: arm.client, app: 'shop' }],
    });
    const update = (addresses: readonly string[]) => arm.names.update(zone(addresses), newCall());
    const listen = () => arm.names.listen({ address: arm.address, port: arm.port, upstreams: [] }, newCall());
    const sorted = async (name: string): Promise<readonly string[]> => {
      const found = (await arm.ask(name, 'A')).split(' ');
      return found.sort((a, b) => a.localeCompare(b));
    };
    beforeEach(async () => {
      arm = await makeArm();
    });
    afterEach(() => arm.close());

    test('answers services and slots from the zone, short names to clients of the app', async () => {
      await listen();
      await update(['10.42.0.2', '10.42.0.3']);
      expect(await sorted('web.shop.hive.internal')).toEqual(['10.42.0.2', '10.42.0.3']);
      expect(await sorted('2.web.shop.hive.internal')).toEqual(['10.42.0.3']);
      expect(await sorted('web')).toEqual(['10.42.0.2', '10.42.0.3']);
      expect(await arm.ask('web.shop.hive.internal', 'AAAA')).toBe('nodata');
      expect(await arm.ask('nobody.shop.hive.internal', 'A')).toBe('nxdomain');
    });

    test('an update replaces everything before it', async () => {
      await listen();
      await update(['10.42.0.2', '10.42.0.3']);
      await update(['10.42.0.4']);
      expect(await sorted('web.shop.hive.internal')).toEqual(['10.42.0.4']);
      await update([]);
      expect(await arm.ask('web.shop.hive.internal', 'A')).toBe('nxdomain');
    });

    test('what it was told before it listens counts, and listening again keeps it', async () => {
      await update(['10.42.0.2']);
      await listen();
      expect(await sorted('web.shop.hive.internal')).toEqual(['10.42.0.2']);
      await listen();
      expect(await sorted('web.shop.hive.internal')).toEqual(['10.42.0.2']);
    });

    test('answers nobody after close, and again after listen', async () => {
      await listen();
      await update(['10.42.0.2']);
      await arm.names.close({}, newCall());
      expect(await arm.ask('web.shop.hive.internal', 'A')).toBe('nobody');
      await listen();
      expect(await sorted('web.shop.hive.internal')).toEqual(['10.42.0.2']);
    });

    test('a taken address is HM-DNS-LISTEN with its place, and it listens once it is free', async () => {
      const leave = await arm.occupy();
      const because = await refusal(listen());
      await leave();
      expect(because.code).toBe('HM-DNS-LISTEN');
      expect(because.evidence).toMatchObject({ address: arm.address, port: arm.port });
      await update(['10.42.0.2']);
      await listen();
      expect(await sorted('web.shop.hive.internal')).toEqual(['10.42.0.2']);
    });
  });
}
