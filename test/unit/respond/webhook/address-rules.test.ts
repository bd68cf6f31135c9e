import { describe, expect, it } from 'vitest';
import { AddressRules } from '../../../../src/respond/webhook/address-rules.js';

const MACHINE = 'this machine';
const PRIVATE = 'a private network';
const LINK = 'the local link, where clouds keep credentials';
const RESERVED = 'a reserved range';

describe('the rules for addresses', () => {
  it.each([
    ['127.0.0.1', MACHINE],
    ['127.255.255.254', MACHINE],
    ['0.0.0.0', MACHINE],
    ['::', MACHINE],
    ['::1', MACHINE],
    ['::ffff:127.0.0.1', MACHINE],
    ['::ffff:7f00:1', MACHINE],
    ['::7f00:1', MACHINE],
    ['64:ff9b::127.0.0.1', MACHINE],
    ['2002:7f00:1::', MACHINE],
    ['10.0.0.1', PRIVATE],
    ['172.16.0.1', PRIVATE],
    ['172.31.255.255', PRIVATE],
    ['192.168.1.1', PRIVATE],
    ['100.64.0.1', PRIVATE],
    ['100.100.100.200', PRIVATE],
    ['::ffff:10.0.0.1', PRIVATE],
    ['64:ff9b::a00:1', PRIVATE],
    ['64:ff9b:1::1', PRIVATE],
    ['2002:c0a8:101::1', PRIVATE],
    ['fc00::1', PRIVATE],
    ['fd00:ec2::254', PRIVATE],
    ['fec0::1', PRIVATE],
    ['169.254.169.254', LINK],
    ['168.63.129.16', LINK],
    ['::ffff:a9fe:a9fe', LINK],
    ['fe80::1', LINK],
    ['192.0.0.192', RESERVED],
    ['192.0.2.1', RESERVED],
    ['198.18.0.1', RESERVED],
    ['255.255.255.255', RESERVED],
    ['2001::1', RESERVED],
    ['2001:db8::1', RESERVED],
    ['4000::1', RESERVED],
    ['224.0.0.1', 'multicast'],
    ['ff02::1', 'multicast'],
    ['no-address', 'not an address'],
    ['', 'not an address'],
  ])('refuse %s as %s', (address, reason) => {
    expect(new AddressRules([]).refusal(address)).toBe(reason);
  });

  it.each(['93.184.216.34', '8.8.8.8', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '64:ff9b::808:808'])(
    'let %s through',
    (address) => {
      expect(new AddressRules([]).refusal(address)).toBeUndefined();
    },
  );

  it('let through what somebody listed, and nothing beside it', () => {
    const rules = new AddressRules(['10.1.0.0/16', 'fd12::/16']);
    const addresses = ['10.1.2.3', '::ffff:10.1.2.3', 'fd12::9', '10.2.0.1', 'fd13::9', '169.254.169.254'];
    expect(addresses.map((address) => rules.refusal(address) === undefined)).toEqual([
      true,
      true,
      true,
      false,
      false,
      false,
    ]);
    expect(rules.isListed('8.8.8.8')).toBe(false);
  });
});
