import { BlockList, isIP, isIPv4 } from 'node:net';

/**
 * Addresses that a request is not sent to by itself: the special-purpose registries of IANA (RFC 6890 and its updates),
 * and services of clouds that answer whoever asks with credentials.
 */
const REFUSED: Readonly<Record<string, readonly string[]>> = {
  'this machine': ['127.0.0.0/8', '0.0.0.0/8', '::1/128', '::/128'],
  'a private network': [
    '10.0.0.0/8',
    '172.16.0.0/12',
    '192.168.0.0/16',
    '100.64.0.0/10',
    'fc00::/7',
    'fec0::/10',
    '64:ff9b:1::/48',
  ],
  'the local link, where clouds keep credentials': ['169.254.0.0/16', 'fe80::/10', '168.63.129.16/32'],
  'a reserved range': [
    '192.0.0.0/24',
    '192.0.2.0/24',
    '192.88.99.0/24',
    '198.18.0.0/15',
    '198.51.100.0/24',
    '203.0.113.0/24',
    '240.0.0.0/4',
    '2001::/23',
    '2001:db8::/32',
    '3fff::/20',
    '5f00::/16',
    '100::/64',
  ],
  multicast: ['224.0.0.0/4', 'ff00::/8'],
};

const REFUSED_LISTS = Object.entries(REFUSED).map(([what, ranges]) => ({ what, list: listOf(ranges) }));
/** What is routed on the IPv6 internet. */
const GLOBAL_IPV6 = listOf(['2000::/3']);

/** IPv6 addresses that stand for an IPv4 address, and the group at which that one begins. */
const TRANSLATED = [
  { list: listOf(['::ffff:0:0/96', '::/96', '64:ff9b::/96']), at: 6 },
  { list: listOf(['2002::/16']), at: 1 },
];

/** Which addresses requests may go to: public ones, and those that somebody listed. */
export class AddressRules {
  readonly #allowed: BlockList;

  /** @param allowed ranges as CIDR, for example `10.1.0.0/16` */
  constructor(allowed: readonly string[]) {
    this.#allowed = listOf(allowed);
  }

  /** Whether somebody listed the address. */
  isListed(address: string): boolean {
    return this.#allowed.check(address, familyOf(address));
  }

  /** Why an address may not be connected to, for a person; undefined when it may. */
  refusal(address: string): string | undefined {
    if (isIP(address) === 0) return 'not an address';
    return this.isListed(address) ? undefined : refusedRange(address);
  }
}

function refusedRange(address: string): string | undefined {
  const family = familyOf(address);
  const found = REFUSED_LISTS.find(({ list }) => list.check(address, family));
  if (found !== undefined) return found.what;
  if (family === 'ipv4') return undefined;
  const translated = TRANSLATED.find(({ list }) => list.check(address, 'ipv6'));
  if (translated !== undefined) return refusedRange(embedded(address, translated.at));
  return GLOBAL_IPV6.check(address, 'ipv6') ? undefined : 'a reserved range';
}

/** The IPv4 address within an IPv6 address, of two groups from `at` on. */
function embedded(address: string, at: number): string {
  // The parser of URLs writes every form of an IPv6 address in one way, without dots.
  const text = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [head = '', tail] = text.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const middle = Array.from({ length: 8 - left.length - right.length }, () => '0');
  const groups = [...left, ...middle, ...right].map((group) => Number.parseInt(group, 16));
  const [high = 0, low = 0] = groups.slice(at, at + 2);
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIPv4(address) ? 'ipv4' : 'ipv6';
}

function listOf(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = '', bits = ''] = range.split('/');
    list.addSubnet(address, Number(bits), familyOf(address));
  }
  return list;
}
