/** Who gets which address by which name: a table, and that no answer ever holds an address of another service. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { answer, zoneOf, type Answer } from '../../../protocols/discovery/answers.ts';
import type { JoinedNetwork } from '../../../protocols/network/model.ts';
import type { NameRecord } from '../../../protocols/discovery/model.ts';

const zone = zoneOf({
  names: [
    { app: 'shop', service: 'web', index: 1, address: '10.42.0.2' },
    { app: 'shop', service: 'web', index: 2, address: '10.42.0.3' },
    { app: 'shop', service: 'db', index: 1, address: '10.42.0.4' },
    { app: 'blog', service: 'web', index: 1, address: '10.42.0.5' },
    { app: 'blog', service: 'shop', index: 1, address: '10.42.0.6' },
  ],
  clients: [
    { app: 'shop', address: '10.42.0.2' },
    { app: 'blog', address: '10.42.0.5' },
    { app: 'shop', address: '10.42.0.9' },
  ],
});
const shop = '10.42.0.2';
const blog = '10.42.0.5';
const stranger = '192.0.2.7';

const shown = (found: Answer): string =>
  found.kind === 'addresses' ? found.addresses.join(' ') : found.kind === 'pointer' ? found.name : found.kind;

describe('answers', () => {
  it.each<[name: string, type: string, client: string, answer: string]>([
    ['web', 'A', shop, '10.42.0.2 10.42.0.3'],
    ['web', 'A', blog, '10.42.0.5'],
    ['web', 'A', stranger, 'forward'],
    ['WEB.Shop.Hive.Internal.', 'A', shop, '10.42.0.2 10.42.0.3'],
    ['web.shop.hive.internal', 'A', blog, '10.42.0.2 10.42.0.3'],
    ['web.shop.hive.internal', 'A', stranger, '10.42.0.2 10.42.0.3'],
    ['2.web.shop.hive.internal', 'A', blog, '10.42.0.3'],
    ['2.web', 'A', shop, '10.42.0.3'],
    ['3.web.shop.hive.internal', 'A', shop, 'nxdomain'],
    ['web.shop', 'A', shop, '10.42.0.2 10.42.0.3'],
    ['web.shop', 'A', blog, 'forward'],
    ['db', 'A', blog, 'forward'],
    ['db.blog', 'A', shop, 'forward'],
    ['web.shop.hive.internal', 'AAAA', shop, 'nodata'],
    ['web.shop.hive.internal', 'MX', shop, 'nodata'],
    ['cache.shop.hive.internal', 'A', shop, 'nxdomain'],
    ['cache.shop.hive.internal', 'AAAA', shop, 'nxdomain'],
    ['shop.hive.internal', 'A', shop, 'nodata'],
    ['hive.internal', 'SOA', shop, 'nodata'],
    ['other.hive.internal', 'A', shop, 'nxdomain'],
    ['nothive.internal', 'A', shop, 'forward'],
    ['example.org', 'A', shop, 'forward'],
    ['', 'NS', shop, 'forward'],
    ['3.0.42.10.in-addr.arpa', 'PTR', stranger, '2.web.shop.hive.internal'],
    ['3.0.42.10.in-addr.arpa', 'A', stranger, 'nodata'],
    ['9.0.42.10.in-addr.arpa', 'PTR', stranger, 'nxdomain'],
    ['1.2.0.192.in-addr.arpa', 'PTR', stranger, 'forward'],
  ])('%s %s for %s: %s', (name, type, client, expected) => {
    expect(shown(answer(zone, { name, type }, client, 0))).toBe(expected);
  });

  it('turn by turn, each address comes first equally often', () => {
    const first = [0, 1, 2, 3].map((turn) => shown(answer(zone, { name: 'web', type: 'A' }, shop, turn)));
    expect(first).toEqual([
      '10.42.0.2 10.42.0.3',
      '10.42.0.3 10.42.0.2',
      '10.42.0.2 10.42.0.3',
      '10.42.0.3 10.42.0.2',
    ]);
  });

  const label = fc.constantFrom('web', 'db', 'shop', 'blog', 'hive', 'internal', '1', '2', 'x_y');
  const record: fc.Arbitrary<NameRecord> = fc.record({
    app: label,
    service: label,
    index: fc.integer({ min: 1, max: 3 }),
    address: fc.integer({ min: 2, max: 40 }).map((n) => `10.42.0.${n}`),
  });

  it('hold only addresses of the service that was asked for, and all of them (D3)', () => {
    const names = fc.uniqueArray(record, { selector: ({ address }) => address, maxLength: 20 });
    const clients = fc.array(fc.record({ app: label, address: fc.constantFrom(shop, blog) }), {
      maxLength: 2,
    });
    const parts = fc.array(label, { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(names, clients, parts, fc.nat(), (records, known, asked, turn) => {
        const name = asked.join('.');
        const found = answer(zoneOf({ names: records, clients: known }), { name, type: 'A' }, shop, turn);
        const app = new Map(known.map((client) => [client.address, client.app])).get(shop);
        const fits = ({ app: own, service, index }: NameRecord): boolean => {
          const full = `${service}.${own}.hive.internal`;
          const short = own === app ? [service, `${service}.${own}`] : [];
          return [full, ...short].some((one) => name === one || name === `${index}.${one}`);
        };
        const expected = records.filter(fits).map(({ address }) => address);
        if (found.kind === 'addresses') {
          // A short name may mean two things; then the answer is one of them, whole.
          expect(expected).toEqual(expect.arrayContaining([...found.addresses]));
          const services = new Set(
            records
              .filter(({ address }) => found.addresses.includes(address))
              .map((one) => `${one.app}/${one.service}`),
          );
          if (!/^\d/.test(name)) expect(services.size).toBe(1);
          expect(new Set(found.addresses).size).toBe(found.addresses.length);
        } else expect(expected).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });
});

describe('names on several networks', () => {
  const front: JoinedNetwork = { id: 'shop_front' };
  const back: JoinedNetwork = { id: 'shop_back', internal: true, aliases: ['Database'] };
  const fixed = { address: '172.28.0.9', subnet: '172.28.0.0/24' };
  const record = (
    app: string,
    service: string,
    address: string,
    ...networks: JoinedNetwork[]
  ): NameRecord => ({
    app,
    service,
    index: 1,
    address,
    ...(networks.length > 0 ? { networks } : {}),
  });
  const records = [
    record('shop', 'web', '10.42.0.2', front),
    record('shop', 'api', '10.42.0.3', back, front),
    record('shop', 'db', '10.42.0.4', { ...back, ...fixed }),
    record('blog', 'web', '10.42.0.5'),
    record('blog', 'worker', '10.42.0.6', { id: '*', aliases: ['jobs'] }, { id: 'shop_back' }),
  ];
  const several = zoneOf({ names: records, clients: records });
  const ask = (from: string, name: string): string => {
    const found = answer(several, { name, type: 'A' }, from, 0);
    return found.kind === 'addresses' ? found.addresses.join(' ') : found.kind;
  };

  it.each([
    ['10.42.0.2', 'api', '10.42.0.3'],
    ['10.42.0.2', 'db', 'forward'],
    ['10.42.0.2', 'db.shop.hive.internal', 'nxdomain'],
    ['10.42.0.2', 'database', 'forward'],
    ['10.42.0.2', 'web.blog.hive.internal', 'nxdomain'],
    ['10.42.0.3', 'database', '10.42.0.3 172.28.0.9'],
    ['10.42.0.3', 'database.shop.hive.internal', '10.42.0.3 172.28.0.9'],
    ['10.42.0.3', 'db', '172.28.0.9'],
    ['10.42.0.3', '1.db.shop.hive.internal', '172.28.0.9'],
    // An external network: by its bare name, by an alias, by the whole name.
    ['10.42.0.6', 'db', '172.28.0.9'],
    ['10.42.0.6', 'database', '10.42.0.3 172.28.0.9'],
    ['10.42.0.6', 'database.blog.hive.internal', '10.42.0.3 172.28.0.9'],
    ['10.42.0.6', 'db.shop.hive.internal', '172.28.0.9'],
    ['10.42.0.3', 'worker', '10.42.0.6'],
    ['10.42.0.6', 'web', '10.42.0.5'],
    ['10.42.0.5', 'jobs', '10.42.0.6'],
    ['10.42.0.3', 'jobs', 'forward'],
    // No way out, also not by questions; a static address asks like its owner.
    ['10.42.0.4', 'example.com', 'nxdomain'],
    ['172.28.0.9', 'api', '10.42.0.3'],
    ['172.28.0.9', 'example.com', 'nxdomain'],
    ['10.42.0.3', 'example.com', 'forward'],
    // The host.
    ['10.42.0.1', 'db.shop.hive.internal', '10.42.0.4'],
    ['10.42.0.2', 'db./shop_back', 'forward'],
  ])('%s asks %s: %s', (from, name, said) => {
    expect(ask(from, name)).toBe(said);
  });
});
