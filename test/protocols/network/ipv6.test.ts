/** IPv6 addresses as text: read in every form, written in one. */
import { isIPv6 } from 'node:net';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { formatIpv6, lackedAddresses, parseIpv6, plainAddress } from '../../../protocols/network/ipv6.ts';

it.each([
  ['::', '::'],
  ['::1', '::1'],
  ['0:0:0:0:0:0:0:1', '::1'],
  ['2001:0DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['1::', '1::'],
  ['::ffff:192.0.2.1', '::ffff:c000:201'],
  ['192.0.2.1', '192.0.2.1'],
  ['nothing', 'nothing'],
])('%s is written %s', (text, plain) => expect(plainAddress(text)).toBe(plain));

it('is read as Node reads it, but for zones', () => {
  const part = fc.constantFrom('0', '1', 'db8', 'FFFF', '12345', 'g', '', ':', '::', '1.2.3.4', '1.2.3.400');
  const text = fc.oneof(
    fc.ipV6(),
    fc.array(part, { maxLength: 10 }).map((parts) => parts.join(':')),
  );
  fc.assert(
    fc.property(text, (one) => {
      expect(parseIpv6(one) !== undefined).toBe(isIPv6(one));
    }),
  );
});

it('is the same address when it was written and read again', () => {
  const groups = fc.array(fc.oneof(fc.constant(0), fc.nat(0xffff)), { minLength: 8, maxLength: 8 });
  fc.assert(
    fc.property(groups, (eight) => {
      expect(parseIpv6(formatIpv6(eight))).toEqual(eight);
      // As a browser writes it.
      expect(new URL(`http://[${formatIpv6(eight)}]`).hostname).toBe(`[${formatIpv6(eight)}]`);
    }),
  );
});

it('tells which addresses a machine lacks', () => {
  const wanted = ['0.0.0.0', '::', '127.0.0.9', '::1', '192.0.2.1', '192.0.2.9', '192.0.2.9', '2001:db8::9'];
  expect(lackedAddresses(wanted, ['::1', '192.0.2.1'])).toEqual(['192.0.2.9', '2001:db8::9']);
});
